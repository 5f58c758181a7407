package procfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// The mount of procfs is found however many others there are: the kernel hands
// over the table of mounts a page at a time.
func TestHidesAmongManyMounts(t *testing.T) {
	const mark, nobody = "LINEAGE_TEST_MOUNTS", 65534
	if dir := os.Getenv(mark); dir != "" {
		errs := []error{
			unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("none", dir, "tmpfs", 0, ""),
		}
		for i := range 60 {
			in := filepath.Join(dir, fmt.Sprint(i))
			errs = append(errs, os.Mkdir(in, 0o755), unix.Mount("none", in, "tmpfs", 0, ""))
		}
		errs = append(errs, unix.Mount("proc", "/proc", "proc", 0, "hidepid=2"),
			syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody))
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		fmt.Printf("hides %q\n", open(t, Options{}).Hides())
		return
	}
	linuxtest.Need(t, linuxtest.Root, linuxtest.Hidepid, linuxtest.PIDNamespace)
	inside := exec.Command("/proc/self/exe", "-test.run=^TestHidesAmongManyMounts$")
	inside.Env = append(os.Environ(), mark+"="+t.TempDir())
	inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	out, err := inside.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `hides "hidepid=`) {
		t.Errorf("%v, %s", err, out)
	}
}
