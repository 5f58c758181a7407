package answer

import (
	"encoding/json"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
)

// boot is a library of a host that booted at the epoch.
type boot struct{}

func (boot) Details(process.ID) (process.Details, error) { return process.Details{}, nil }
func (boot) Time(i process.Instant) time.Time            { return time.Unix(0, int64(i)) }

// TestRead writes processes as JSON and reads them again.
func TestRead(t *testing.T) {
	id := func(pid int) process.ID {
		return process.ID{PID: pid, Start: 5e9 + 1, Inode: 77, Precision: process.Exact}
	}
	full := process.Process{
		ID: id(12), Name: "nginx", State: process.Ended, Evidence: process.Observed,
		Parent: process.Link{ID: process.ID{PID: 1, Start: 1e9, Precision: process.ToTick}, Evidence: process.Scanned}, Creator: process.Link{ID: id(11), Evidence: process.Observed},
		GroupID: 12, SessionID: 10, Cgroup: process.Cgroup{Group: "/a"}, NamespacePIDs: []int{12, 2},
		Exec:  process.Command{File: "/bin/x", Args: []string{"x", ""}, ArgsCut: true},
		Owner: process.Owner{Known: true, UID: 3, EffectiveUID: 4, GID: -1, EffectiveGID: -1},
		Exit: process.Exit{
			Evidence: process.Observed, At: 6e9 + 1, Status: syscall.WaitStatus(syscall.SIGKILL) | 0x80,
			Usage: process.Usage{Known: true, User: time.Second, System: 2 * time.Second, MaxRSS: 1 << 20, ReadBytes: 1, WrittenBytes: 2},
		},
	}
	status := full
	status.Exit.Status, status.Exit.Usage = 7<<8, process.Usage{}
	for name, want := range map[string]process.Process{
		"full": full, "a status": status,
		"the first":     {ID: id(1), State: process.Alive, Parent: process.Link{Evidence: process.Observed}, Evidence: process.Scanned},
		"little":        {ID: process.ID{PID: 9}, State: process.Unseen},
		"a real signal": {ID: id(2), State: process.Ended, Exit: process.Exit{Evidence: process.Observed, At: 6e9 + 1, Status: 40}},
	} {
		o := NewDescriber(boot{}, nil).Process(&want)
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var back Process
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if got, err := back.Read(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v: %+v, want %+v", name, err, got, want)
		}
	}
	if i := process.Instant(1234567890123); ReadInstant(BootClock(i)) != i || ReadInstant("x") != 0 {
		t.Errorf("%v is %v", BootClock(i), ReadInstant(BootClock(i)))
	}
	if _, err := (&Process{ID: "x"}).Read(); err == nil {
		t.Error("no error")
	}
}
