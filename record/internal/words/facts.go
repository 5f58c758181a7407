package words

import (
	"strconv"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// Facts takes what is known, each fact by its name. Text is not given where there
// is none.
type Facts struct {
	Text func(name, value string)
	Int  func(name string, value int64)
	Uint func(name string, value uint64)
}

func (f *Facts) text(name, value string) {
	if value != "" {
		f.Text(name, value)
	}
}

// Recording gives what is known of the recording itself.
func (f *Facts) Recording(r *record.Recording) {
	h := &r.Header
	f.text("command", Title(h))
	f.text("directory", Text(h.Dir))
	f.text("began", h.Began.Format(time.RFC3339Nano))
	f.text("host", Text(h.Host))
	f.text("kernel", Text(h.Kernel))
	f.text("boot_id", Text(h.BootID))
	f.text("source", Text(h.Source))
	f.Int("cpus", int64(h.CPUs))
	f.Int("processes", int64(len(r.Processes)))
	f.Int("losses", int64(len(r.Losses)))
}

// Process gives what is known of the i-th process, but for its name and times.
// The command line is that of its last exec.
func (f *Facts) Process(r *record.Recording, i int) {
	p := &r.Processes[i]
	f.Int("pid", int64(p.ID.PID))
	if n := len(p.Execs); n > 0 {
		f.text("command", Command(p.Execs[n-1].Args, p.Execs[n-1].ArgsCut))
	}
	if p.Creator >= 0 && p.Creator < i {
		c := &r.Processes[p.Creator]
		f.text("creator", Name(c)+" "+strconv.Itoa(c.ID.PID))
	}
	if p.CreatorEvidence != process.Observed {
		f.text("creator_evidence", p.CreatorEvidence.String())
	}
	f.text("start_precision", Precision(p.ID.Precision))
	f.text("ending", Ending(p))
	if p.Exit.Evidence == process.Observed {
		if p.Exit.Status.Exited() {
			f.Int("exit_status", int64(p.Exit.Status.ExitStatus()))
		} else {
			f.Int("signal", int64(p.Exit.Status.Signal()))
		}
	}
	if u := &p.Exit.Usage; u.Known {
		f.Int("user_time_ns", int64(u.User))
		f.Int("system_time_ns", int64(u.System))
		if u.MaxRSS > 0 { // else it is not known
			f.Uint("max_rss_bytes", u.MaxRSS)
		}
		f.Uint("read_bytes", u.ReadBytes)
		f.Uint("written_bytes", u.WrittenBytes)
	}
	f.text("container", Text(p.Container))
	if uid := p.LastUID(); uid >= 0 {
		f.Int("uid", int64(uid))
	}
}
