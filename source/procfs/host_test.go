package procfs

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

func TestBootID(t *testing.T) {
	want, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := open(t, Options{}).BootID(); err != nil || id != strings.TrimSpace(string(want)) {
		t.Errorf("%q, %v, want %q", id, err, want)
	}
}

func TestParseMachineID(t *testing.T) {
	const id = "fdbf79e8af94cb7f9e8df36789187052"
	for text, want := range map[string]string{
		id + "\n": id, id: id,
		"": "", "\n": "", "uninitialized\n": "", id + "\n\n": "", id + "0\n": "", id[1:]: "",
		strings.ToUpper(id): "", strings.Repeat("0", 32): "", strings.Repeat("g", 32): "",
	} {
		got, err := parseMachineID([]byte(text))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

// What is below a root is read there, wherever its links lead, and what is no
// file delays nothing.
func TestReadMachineID(t *testing.T) {
	const id = "fdbf79e8af94cb7f9e8df36789187052"
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, err := range []error{
		root.Mkdir("etc", 0o755), root.Mkdir("persist", 0o755),
		root.WriteFile("persist/machine-id", []byte(id+"\n"), 0o444),
		root.Symlink("/persist/machine-id", "etc/machine-id"),
		root.Symlink("/../../../../persist/machine-id", "etc/far"),
		root.Symlink("/etc/passwd", "etc/host"),
		unix.Mkfifo(dir+"/etc/fifo", 0o644),
		root.WriteFile("etc/long", make([]byte, 1<<20), 0o444),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for name, want := range map[string]string{
		"etc/machine-id": id, "etc/far": id, "etc/host": "", "etc/none": "", "etc/fifo": "", "etc/long": "", "etc": "",
	} {
		if got, err := readMachineID(fd, name); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// In the first PID namespace it is the host's or none: also a container that
// shares that namespace is not taken for the host.
func TestMachineID(t *testing.T) {
	linuxtest.Need(t, linuxtest.HostPID)
	text, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		text = nil
	}
	want, _ := parseMachineID(text)
	id, err := open(t, Options{}).MachineID()
	if id != want && id != "" || (err == nil) != (id != "") {
		t.Errorf("%q, %v, want %q or an error", id, err, want)
	}
	t.Logf("%q, %v", id, err)
}
