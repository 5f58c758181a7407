package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// testContainer makes the image, and has its program say its version.
func (p *packages) testContainer(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root, linuxtest.Podman)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"containers.conf": "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\nruntime = \"runc\"\n" +
			"[containers]\nlog_driver = \"none\"\npids_limit = 0\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n",
		"storage.conf": "[storage]\ndriver = \"vfs\"\ngraphroot = \"" + dir + "/storage\"\nrunroot = \"" + dir + "/run\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	context := filepath.Join(dir, "context")
	if err := os.Mkdir(context, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(p.program(), filepath.Join(context, "lineage")); err != nil {
		t.Fatal(err)
	}
	podman := func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "podman", append([]string{"--tmpdir", dir + "/tmp"}, args...)...)
		c.Env = append(os.Environ(), "CONTAINERS_CONF="+dir+"/containers.conf", "CONTAINERS_STORAGE_CONF="+dir+"/storage.conf")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", c.Args, err, out)
		}
		return string(out)
	}
	podman("build", "--network=none", "--tag=lineage", "--file=container/Containerfile", context)
	const group = "/lineage-packaging-test"
	t.Cleanup(func() {
		for _, hierarchy := range []string{"", "/*"} {
			left, _ := filepath.Glob("/sys/fs/cgroup" + hierarchy + group) // no pattern is bad
			for _, dir := range left {
				removeBelow(t, dir)
				if err := os.Remove(dir); err != nil {
					t.Error(err)
				}
			}
		}
	})
	// As the DaemonSet of kubernetes/ has it.
	run := []string{
		"run", "--rm", "--network=none", "--cgroup-parent=" + group, "--pid=host", "--read-only", "--security-opt=no-new-privileges", "--security-opt=seccomp=unconfined",
		"--cap-drop=all", "--cap-add=BPF,PERFMON,SYS_PTRACE,DAC_READ_SEARCH", "lineage",
	}
	if out := podman(append(run, "version")...); !strings.HasPrefix(out, "lineage ") {
		t.Error(out)
	}
	if linuxtest.Has(linuxtest.BPF) {
		if out := podman(append(run, "doctor", "--source=bpf", "--output=ndjson")...); !strings.Contains(out, `"name":"source bpf","status":"ok"`) {
			t.Error(out)
		}
	}
	podman("rmi", "--all", "--force")
}
