// Package packaging_test makes the packages of lineage and does with them what a user
// would.
package packaging_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// tooLong is when a test that hangs is given up. It decides nothing else.
const tooLong = 10 * time.Minute

// packages are what the release is made of.
type packages struct {
	dir    string // has share and lineage, the program
	recipe map[string]any
	deb    string // the path of the Debian package
}

// TestPackages makes the packages and installs them.
func TestPackages(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0") // as it is released: static, and able to drop capabilities
	p := packages{dir: t.TempDir()}
	run(t, "./texts", filepath.Join(p.dir, "share"))
	run(t, "go", "build", "-C", "..", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", p.program(), "./cmd/lineage")
	p.read(t)
	p.deb = p.make(t, "deb")
	t.Run("deb", p.testDeb)
	t.Run("rpm", p.testRPM)
	t.Run("systemd", p.testSystemd)
	t.Run("container", p.testContainer)
}

func (p *packages) program() string { return filepath.Join(p.dir, "lineage") }

// read makes of the recipe in .goreleaser.yaml one of nfpm: goreleaser adds a name,
// the version, the program and its own keys.
func (p *packages) read(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("bin/share"), []byte(p.dir+"/share"))
	var release struct {
		Name  string           `yaml:"project_name"`
		NFPMs []map[string]any `yaml:"nfpms"`
	}
	if err := yaml.Unmarshal(text, &release); err != nil {
		t.Fatal(err)
	}
	p.recipe = release.NFPMs[0]
	maps.DeleteFunc(p.recipe, func(key string, _ any) bool { return key == "formats" || key == "file_name_template" })
	p.recipe["name"], p.recipe["arch"], p.recipe["version"] = release.Name, runtime.GOARCH, "0.1.0~test"
	p.recipe["mtime"] = "2026-01-01T00:00:00Z"
	p.recipe["contents"] = append(p.recipe["contents"].([]any), map[string]any{
		"src": p.program(), "dst": "/usr/bin/lineage", "file_info": map[string]any{"mode": 0o755},
	})
}

// make makes the package of a format, with nfpm, and returns its path.
func (p *packages) make(t *testing.T, format string) string {
	t.Helper()
	text, err := yaml.Marshal(p.recipe)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(p.dir, "nfpm.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	nfpm := run(t, "go", "tool", "-n", "nfpm")
	file := filepath.Join(t.TempDir(), "lineage."+format)
	c := exec.CommandContext(t.Context(), strings.TrimSpace(nfpm), "package", "--config", config, "--packager", format, "--target", file)
	c.Dir = ".." // the paths of the recipe are relative to it
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

// files are what each package has, but for manual pages and documents.
func files(own ...string) []string {
	all := append(own,
		"/etc/lineage/lineage.conf",
		"/usr/bin/lineage",
		"/usr/lib/systemd/system/lineage.service",
		"/usr/lib/systemd/system/lineage.socket",
		"/usr/lib/sysusers.d/lineage.conf",
		"/usr/share/bash-completion/completions/lineage",
		"/usr/share/doc/lineage/changelog.gz",
		"/usr/share/doc/lineage/daemon.md",
		"/usr/share/fish/vendor_completions.d/lineage.fish",
		"/usr/share/man/man1/lineage-serve.1.gz",
		"/usr/share/man/man1/lineage.1.gz",
	)
	slices.Sort(all)
	return all
}

// compare compares the files of a package with those that it has to have, of "mode
// owner path".
func compare(t *testing.T, listing, want []string) {
	t.Helper()
	var got []string
	for _, line := range listing {
		words := strings.Fields(line)
		mode, owner, file := words[0], words[1], words[2]
		program := file == "/usr/bin/lineage"
		if owner != "root/root" || mode != "-rw-r--r--" && !program || program && mode != "-rwxr-xr-x" {
			t.Errorf("%s is %s of %s", file, mode, owner)
		}
		if slices.Contains(want, file) || !strings.HasPrefix(file, "/usr/share/man/") && !strings.HasPrefix(file, "/usr/share/doc/") {
			got = append(got, file)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("it has\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// reproduce holds that a package is the same, whenever its files were written.
func (p *packages) reproduce(t *testing.T, format, file string) {
	t.Helper()
	now := time.Now().Add(time.Hour)
	if err := os.Chtimes(p.program(), now, now); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(p.make(t, format))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("made again, it is another one")
	}
}

func (p *packages) testDeb(t *testing.T) {
	need(t, "dpkg-deb")
	file := p.deb
	var listing []string
	for line := range strings.Lines(run(t, "dpkg-deb", "--contents", file)) {
		words := strings.Fields(line) // mode, owner, size, date, time, path
		if !strings.HasSuffix(words[5], "/") {
			listing = append(listing, words[0]+" "+words[1]+" "+strings.TrimPrefix(words[5], "."))
		}
	}
	compare(t, listing, files("/usr/share/doc/lineage/copyright", "/usr/share/zsh/vendor-completions/_lineage"))
	for field, want := range map[string]string{
		"Package": "lineage", "Version": "0.1.0~test", "Architecture": runtime.GOARCH, "Section": "admin",
	} {
		if got := strings.TrimSpace(run(t, "dpkg-deb", "--field", file, field)); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if got := strings.TrimSpace(run(t, "dpkg-deb", "--info", file, "conffiles")); got != "/etc/lineage/lineage.conf" {
		t.Errorf("settings that are kept: %q", got)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		want, err := os.ReadFile("deb/" + script)
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, "dpkg-deb", "--info", file, script); strings.TrimSpace(got) != strings.TrimSpace(string(want)) {
			t.Errorf("%s: %s", script, got)
		}
	}
	p.reproduce(t, "deb", file)
}

func (p *packages) testRPM(t *testing.T) {
	need(t, "rpm")
	file := p.make(t, "rpm")
	query := func(args ...string) string {
		t.Helper()
		return run(t, "rpm", append([]string{"--dbpath", t.TempDir(), "--query", "--nosignature", "--package", file}, args...)...)
	}
	listing := strings.Split(strings.TrimSpace(query("--queryformat", "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]")), "\n")
	compare(t, listing, files("/usr/share/licenses/lineage/LICENSE", "/usr/share/zsh/site-functions/_lineage"))
	if got, want := query("--queryformat", "%{NAME} %{VERSION} %{LICENSE}"), "lineage 0.1.0~test Apache-2.0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := strings.TrimSpace(query("--configfiles")); got != "/etc/lineage/lineage.conf" {
		t.Errorf("settings that are kept: %q", got)
	}
	scripts := query("--scripts")
	for _, script := range []string{"post", "preun", "postun"} {
		want, err := os.ReadFile("rpm/" + script)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(scripts, strings.TrimSpace(string(want))) {
			t.Errorf("%s is not in %s", script, scripts)
		}
		run(t, "sh", "-n", "rpm/"+script)
	}
	if strings.Contains(scripts, "systemctl start") {
		t.Error("it starts what nobody has asked for")
	}
	p.reproduce(t, "rpm", file)
}

// run runs a command to its end, which must be a good one, and returns what it writes.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), tooLong)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", c.Args, err, out, &stderr)
	}
	return string(out)
}

// need skips the test where a program is not installed, or fails it where
// LINEAGE_MUST_RUN demands all.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			linuxtest.Lack(t, linuxtest.Feature(name), fmt.Sprintf("%s is not installed", name))
		}
	}
}
