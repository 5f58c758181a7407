package store

import (
	"path"
	"time"

	"github.com/proclineage/lineage/process"
)

// maxName is how many bytes a name has at most (TASK_COMM_LEN without its end).
const maxName = 15

// At returns the process as it was at the wall-clock time, as far as that is kept:
// without the calls of execve(2) after it, and without an end after it. Where there
// were such calls, Name is what execve(2) made of the file of the last one before
// them, and empty where that is not known; where that one is no longer among those
// kept there are no Execs. What is kept once (the owner, the group, the last parent,
// a name that was set without execve) stays the last known. The process returned
// shares the rest with p.
func (p *Process) At(t time.Time) Process {
	o := *p
	if o.Exit.Evidence != process.Unknown && o.Ended.After(t) {
		o.Exit, o.Ended = process.Exit{}, time.Time{}
	}
	if o.Began.IsZero() {
		return o
	}
	then := o.ID.Start + process.Instant(t.Sub(o.Began))
	n := len(o.Execs)
	for n > 0 && o.Execs[n-1].At > then {
		n--
	}
	after := len(o.Execs) - n
	if after == 0 {
		return o
	}
	cut := o.ExecCount > len(o.Execs) // after the first
	o.Execs, o.ExecCount = o.Execs[:n:n], max(o.ExecCount-after, n)
	if cut && n <= 1 {
		o.Execs = nil
	}
	o.Name = ""
	if file := o.Command().File; file != "" {
		base := path.Base(file)
		o.Name = base[:min(len(base), maxName)]
	}
	return o
}
