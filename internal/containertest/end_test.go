package containertest_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/containertest"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// endEnv says how TestEnding is to end.
const endEnv = "LINEAGE_CONTAINER_END"

// TestEnding is a test that TestNothingIsLeft runs in a process of its own.
func TestEnding(t *testing.T) {
	how := os.Getenv(endEnv)
	if how == "" {
		return
	}
	rig := containertest.Start(t, containertest.Containerd)
	c := rig.Run("web", containertest.Spec{})
	c.Exec().Fork()
	rig.Run("nested", containertest.Spec{Nests: true}).Run("inner", containertest.Spec{HostPID: true})
	dir, group, keeper := rig.Own()
	fmt.Println(dir, group, keeper)
	switch how {
	case "fail":
		t.Fatal("as it was told")
	case "panic":
		panic("as it was told")
	case "kill":
		select {}
	}
}

func TestNothingIsLeft(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root, linuxtest.Cgroups, linuxtest.Busybox, linuxtest.Containerd, linuxtest.Runc)
	for _, how := range []string{"fail", "panic", "kill"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestEnding$")
			cmd.Env = append(os.Environ(), endEnv+"="+how)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			text, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			var dir, group string
			var keeper int
			if _, err := fmt.Sscan(text, &dir, &group, &keeper); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if how == "kill" {
				// When the keeper has ended, it has tidied up.
				fd, err := unix.PidfdOpen(keeper, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := linuxtest.AwaitEnd(fd); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.Copy(io.Discard, lines); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it has passed")
			}
			nothingIsLeft(t, dir, group, keeper)
		})
	}
}

// TestKillOrder ends first who cannot end before the other one: the process that
// was exec'd into the inner container is a child of the outer one's init, which
// does not reap it.
func TestKillOrder(t *testing.T) {
	t.Parallel()
	outer := start(t, containertest.Runc, containertest.LayoutHost).Run("outer", containertest.Spec{Nests: true})
	inner := outer.Run("inner", containertest.Spec{})
	e := inner.Exec()
	if s := stat(t, e); s.PPID != outer.PID {
		t.Fatalf("no child of the outer container's init: %+v", s)
	}
	if err := containertest.Kill(inner.PID, outer.PID); err != nil {
		t.Error(err)
	}
}
