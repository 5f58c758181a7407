package lineage

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

func TestInfo(t *testing.T) {
	eachSource(t, func(t *testing.T, tree *Tree) {
		a := linuxtest.Start(t)
		b := a.Fork()
		before := time.Now()
		info, err := tree.Info(b.PID)
		if err != nil {
			t.Fatal(err)
		}
		if !info.Process.ID.Same(b.ID()) || info.Details.Threads != 1 || info.Details.PIDNamespace != pidNamespace(t, b.PID) {
			t.Errorf("%+v", info)
		}
		var up []int
		for _, id := range info.Ancestors {
			up = append(up, id.PID)
		}
		if !slices.Equal(up, parents(t, b.PID)) {
			t.Errorf("ancestors %v, want %v", up, parents(t, b.PID))
		}
		if tree.live.Load() != nil { // which saw them being made
			if len(info.Creators) < 2 || info.Creators[0].PID != a.PID || info.Creators[1].PID != os.Getpid() {
				t.Errorf("creators %v, want %d and %d first", info.Creators, a.PID, os.Getpid())
			}
		} else if len(info.Creators) != 0 {
			t.Errorf("creators %v, of which procfs knows nothing", info.Creators)
		}
		if age := before.Sub(info.Start); age < -20*time.Millisecond || age > time.Hour {
			t.Errorf("started %v ago", age)
		}
		text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		if err != nil || info.BootID != strings.TrimSpace(string(text)) || !info.Exit.IsZero() {
			t.Errorf("%+v, %v, want boot %s", info, err, text)
		}
		if own := tree.Container(&info.Process); info.Container.Unit != own.Unit || info.Container.Identity.Container != own.Identity.Container {
			t.Errorf("container %+v, want %+v", info.Container, own)
		}
		if byID, err := tree.InfoByID(info.Process.ID); err != nil || !slices.Equal(byID.Ancestors, info.Ancestors) || byID.Process.ID != info.Process.ID {
			t.Errorf("by ID: %+v, %v", byID, err)
		}

		// What has ended is answered from memory, and nothing is read.
		b.Exit(7)
		a.Wait(b)
		if _, err := tree.Info(b.PID); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
		end, err := tree.InfoByID(info.Process.ID)
		if err != nil || end.Process.State != process.Ended || end.Details.NamespacePIDs != nil ||
			len(end.Ancestors) == 0 || end.Ancestors[0].PID != a.PID {
			t.Errorf("ended: %+v, %v", end, err)
		}
		if observed := end.Process.Exit.Evidence == process.Observed; observed == end.Exit.IsZero() {
			t.Errorf("ended at %v, observed %v", end.Exit, observed)
		}
		for _, pid := range []int{0, -1} {
			if _, err := tree.Info(pid); !errors.Is(err, ErrInvalidPID) {
				t.Errorf("%d: %v, want ErrInvalidPID", pid, err)
			}
		}
	})
}
