package containertest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Image is the image of the containers of Containerd, CRI and Docker.
const Image = "lineage.test/busybox:1"

// applets are the programs in a container.
func applets() []string { return []string{"sh", "cat", "ls", "mkdir", "mount", "ps", "sleep", "true"} }

// folders are the directories in a container.
func folders() []string {
	return []string{"bin", "dev", "etc", "proc", "root", "run", "steps", "sys", "tmp", "usr", "var"}
}

// lay copies busybox into the rig's folder.
func (rig *Rig) lay() error {
	from, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(rig.path("busybox"), text, 0o755),
		os.Mkdir(rig.path("containers"), 0o755),
	)
}

// layRoot makes the root directory of a container.
func (rig *Rig) layRoot(root string) error {
	for _, dir := range folders() {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	err := errors.Join(
		os.Link(rig.path("busybox"), filepath.Join(root, "bin/busybox")),
		os.WriteFile(filepath.Join(root, "etc/os-release"), nil, 0o644), // for nspawn
	)
	for _, name := range applets() {
		err = errors.Join(err, os.Symlink("busybox", filepath.Join(root, "bin", name)))
	}
	return err
}

// archive makes an image of what layRoot makes, in the form of docker save.
func (rig *Rig) archive(name string) error {
	root := rig.path("image")
	if err := rig.layRoot(root); err != nil {
		return err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := errors.Join(w.AddFS(os.DirFS(root)), w.Close()); err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Env": []string{"PATH=/bin:/usr/sbin:/usr/bin"}, "Cmd": []string{"/bin/sleep", "1000000000"}},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer.Bytes())}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]any{map[string]any{
		"Config":   digest(config) + ".json",
		"RepoTags": []string{Image},
		"Layers":   []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	var image bytes.Buffer
	w = tar.NewWriter(&image)
	for _, f := range []struct {
		name string
		text []byte
	}{{"layer.tar", layer.Bytes()}, {digest(config) + ".json", config}, {"manifest.json", manifest}} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text))}))
		_, werr := w.Write(f.text)
		err = errors.Join(err, werr)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return os.WriteFile(name, image.Bytes(), 0o644)
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
