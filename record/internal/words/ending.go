package words

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// Ending returns how the process ended: "exited 1", "killed by SIGSEGV (core
// dumped)", or that it had not ended or that nobody saw how.
func Ending(p *record.Process) string {
	status := p.Exit.Status
	switch {
	case p.End == 0 && p.Exit.Evidence == process.Unknown:
		return "not seen to end"
	case p.Exit.Evidence != process.Observed:
		return "ended, not seen how"
	case status.Signaled():
		name := unix.SignalName(status.Signal())
		if name == "" {
			name = fmt.Sprintf("signal %d", status.Signal())
		}
		if status.CoreDump() {
			return "killed by " + name + " (core dumped)"
		}
		return "killed by " + name
	default:
		return fmt.Sprintf("exited %d", status.ExitStatus())
	}
}

// Unseen returns what the recording does not tell, a sentence each: what its
// source cannot, what was lost, and that it has no end.
func Unseen(r *record.Recording) []string {
	var all []string
	for _, limit := range r.Header.Limits {
		if limit != "" {
			all = append(all, Text(limit))
		}
	}
	switch n := len(r.Losses); {
	case n == 1:
		all = append(all, "Events were lost once: processes, or what became of them, may be missing.")
	case n > 1:
		all = append(all, fmt.Sprintf("Events were lost %d times: processes, or what became of them, may be missing.", n))
	}
	if r.Ended == 0 {
		all = append(all, "The recording has no end: it was cut short, or it goes on.")
	}
	return all
}

// A Span is the time that a recording covers, on the boot clock.
type Span struct{ Begin, End process.Instant }

// Of returns the span of the recording: from its beginning, or that of its first
// process if that is earlier, to its end, or where it has none to the last
// instant that it tells of.
func Of(r *record.Recording) Span {
	s := Span{Begin: r.Header.BeganAt, End: max(r.Ended, r.Header.BeganAt)}
	for i := range r.Processes {
		p := &r.Processes[i]
		if s.Begin == 0 || p.Start != 0 && p.Start < s.Begin {
			s.Begin = p.Start
		}
		s.End = max(s.End, p.Start, p.End)
		for j := range p.Execs {
			s.End = max(s.End, p.Execs[j].At)
		}
	}
	for _, l := range r.Losses {
		s.End = max(s.End, l.Until)
	}
	return s
}

// Life returns when the process began and ended, within the span: at its end
// where it was not seen to end, which open says.
func (s Span) Life(p *record.Process) (begin, end process.Instant, open bool) {
	begin = max(p.Start, s.Begin)
	if p.End == 0 {
		return begin, s.End, true
	}
	return begin, max(p.End, begin), false
}

// Loss returns the time in which events were lost, within the span.
func (s Span) Loss(l record.Loss) (since, until process.Instant) {
	since = max(l.Since, s.Begin)
	return since, max(l.Until, since)
}

// Exec returns when the i-th exec of the process took place, within its life and
// not before the one before it.
func (s Span) Exec(p *record.Process, i int) process.Instant {
	at, end, _ := s.Life(p)
	for j := range i + 1 {
		at = max(at, min(p.Execs[j].At, end))
	}
	return at
}

// Since returns the time from the beginning of the span.
func (s Span) Since(at process.Instant) time.Duration {
	return time.Duration(at - min(at, s.Begin))
}

// Precision returns how well a start is known, or nothing where it is exact.
func Precision(p process.Precision) string {
	switch p {
	case process.Exact:
		return ""
	case process.ToTick:
		return "10 ms"
	default:
		return "not known"
	}
}
