package main

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

// failed reports whether the process is known to have ended with a status other
// than 0, or by a signal.
func failed(x process.Exit) bool { return x.Evidence == process.Observed && x.Status != 0 }

// statusText is how a process ended, as people say it.
func statusText(x process.Exit) string {
	switch {
	case x.Evidence != process.Observed:
		return "status not known"
	case x.Status.Signaled() && x.Status.CoreDump():
		return signalName(x.Status.Signal()) + " (core dumped)"
	case x.Status.Signaled():
		return signalName(x.Status.Signal())
	default:
		return "status " + strconv.Itoa(x.Status.ExitStatus())
	}
}

// endMark is statusText in the fewest letters.
func endMark(x process.Exit) string {
	switch {
	case x.Evidence != process.Observed:
		return "?"
	case x.Status.Signaled():
		return signalName(x.Status.Signal())
	default:
		return strconv.Itoa(x.Status.ExitStatus())
	}
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return "signal " + strconv.Itoa(int(s))
}

// lived returns how long a process has lived that has ended.
func lived(p *process.Process) (time.Duration, bool) {
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
func (d *describer) ending(p *process.Process) *Exit {
	if p.Exit.Evidence == process.Unknown {
		return nil
	}
	x := &Exit{Evidence: p.Exit.Evidence.String()}
	if p.Exit.At != 0 {
		x.Time = new(d.wallClock(p.Exit.At))
	}
	if p.Exit.Evidence == process.Observed {
		if s := p.Exit.Status; s.Signaled() {
			x.Signal, x.CoreDumped = new(signalName(s.Signal())), s.CoreDump()
		} else {
			x.Status = new(s.ExitStatus())
		}
	}
	if d, ok := lived(p); ok {
		x.LivedSeconds = new(d.Seconds())
	}
	if u := p.Exit.Usage; u.Known {
		x.UserSeconds, x.SystemSeconds = new(u.User.Seconds()), new(u.System.Seconds())
		x.MaxRSSBytes, x.ReadBytes, x.WrittenBytes = &u.MaxRSS, &u.ReadBytes, &u.WrittenBytes
	}
	return x
}

// wallClock is an instant as JSON has it. The wall clock is not known to the
// nanosecond; what is finer than this would be another number at every call.
func (d *describer) wallClock(i process.Instant) string {
	return d.tree.Time(i).UTC().Round(time.Microsecond).Format(time.RFC3339Nano)
}

// steadyClock is a library by whose wall clock the same instant always has the
// same time, unless that clock is set.
type steadyClock struct {
	library
	booted time.Time
}

func (c *steadyClock) Time(i process.Instant) time.Time {
	booted := c.library.Time(0)
	if d := booted.Sub(c.booted); d.Abs() > time.Millisecond {
		c.booted = booted
	}
	return c.booted.Add(time.Duration(i))
}

// bootClock is an instant in seconds on the boot clock, as the ids of processes
// have it.
func bootClock(i process.Instant) string {
	return fmt.Sprintf("%d.%09d", i/1e9, i%1e9)
}

// brief says how long something took, in a few digits.
func brief(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return trimmed(float64(d)/1e6) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return trimmed(d.Seconds()) + " s"
	default:
		return since(d)
	}
}

// size says how many bytes there are.
func size(n uint64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return trimmed(v) + " " + units[i]
}

// trimmed is a number with one digit after the point, or none where that is 0
// or the number is great.
func trimmed(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}
