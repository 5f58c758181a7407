package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage/answer"
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
		return answer.SignalName(x.Status.Signal()) + " (core dumped)"
	case x.Status.Signaled():
		return answer.SignalName(x.Status.Signal())
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
		return answer.SignalName(x.Status.Signal())
	default:
		return strconv.Itoa(x.Status.ExitStatus())
	}
}

// steadyClock is a library by whose wall clock the same instant always has the
// same time, unless that clock is set.
type steadyClock struct {
	answer.Library
	booted time.Time
}

func (c *steadyClock) Time(i process.Instant) time.Time {
	booted := c.Library.Time(0)
	if d := booted.Sub(c.booted); d.Abs() > time.Millisecond {
		c.booted = booted
	}
	return c.booted.Add(time.Duration(i))
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
