package answer

import (
	"fmt"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

// SignalName is the name of a signal, as SIGTERM.
func SignalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return "signal " + strconv.Itoa(int(s))
}

// Lived returns how long a process has lived that has ended.
func Lived(p *process.Process) (time.Duration, bool) {
	if p.Exit.Evidence != process.Observed || p.ID.Precision == process.StartUnknown || p.Exit.At < p.ID.Start {
		return 0, false
	}
	d := time.Duration(p.Exit.At - p.ID.Start)
	if p.ID.Precision == process.ToTick {
		d = d.Round(process.Tick)
	}
	return d, true
}

// ending describes the end of a process, nil where it has not ended.
func (d *Describer) ending(p *process.Process) *Exit {
	if p.Exit.Evidence == process.Unknown {
		return nil
	}
	x := &Exit{Evidence: p.Exit.Evidence.String()}
	if p.Exit.At != 0 {
		x.Time = new(d.WallClock(p.Exit.At))
	}
	if p.Exit.Evidence == process.Observed {
		if s := p.Exit.Status; s.Signaled() {
			x.Signal, x.CoreDumped = new(SignalName(s.Signal())), s.CoreDump()
		} else {
			x.Status = new(s.ExitStatus())
		}
	}
	if d, ok := Lived(p); ok {
		x.LivedSeconds = new(d.Seconds())
	}
	if u := p.Exit.Usage; u.Known {
		x.UserSeconds, x.SystemSeconds = new(u.User.Seconds()), new(u.System.Seconds())
		x.MaxRSSBytes, x.ReadBytes, x.WrittenBytes = &u.MaxRSS, &u.ReadBytes, &u.WrittenBytes
	}
	return x
}

// WallClock is an instant as JSON has it. The wall clock is not known to the
// nanosecond; what is finer than this would be another number at every call.
func (d *Describer) WallClock(i process.Instant) string {
	return d.tree.Time(i).UTC().Round(time.Microsecond).Format(time.RFC3339Nano)
}

// BootClock is an instant in seconds on the boot clock, as the ids of processes
// have it.
func BootClock(i process.Instant) string {
	return fmt.Sprintf("%d.%09d", i/1e9, i%1e9)
}
