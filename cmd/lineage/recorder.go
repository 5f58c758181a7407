package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/cnproc"
)

// A recorder writes down what descends by creation from one process, the root.
// It remembers those that live, and of others only what may be told after a loss.
type recorder struct {
	writer    *record.Writer
	tree      recorded
	describer *answer.Describer
	maker     int // the PID of who makes the root
	root      int // the PID of the root
	source    string

	// command is what the root ran first, where the source tells too late or not
	// all, and started is a moment just before the root was.
	command record.Exec
	started process.Instant

	living    map[int]member // by PID
	rootKnown bool           // it has been told of
	rootStart process.Instant
	rootEnded bool
	rootEnd   process.Instant // where that was told
	counts    recordCounts
	err       error // the writer's, after which nothing is written

	last process.Instant // the time of the latest event
	// After a loss the tree is asked what was not told, and knows what is yet to be.
	// That ends with an event of after caughtUpTo, and that is zero again. Until then
	// faded has the members that end, by PID, but for those of which a later loss says
	// that nothing is told any more. told is the time of the latest event before the
	// loss.
	caughtUpTo process.Instant
	faded      map[int][]member
	told       process.Instant
}

// member is a process that is recorded.
type member struct {
	id    process.ID
	place int
	name  string          // as was told last
	uid   int             // the same, -1 where not known
	ran   process.Instant // when it ran a program last
	// Of one that has faded, end is how it ended, and losses how many there had been.
	end    process.Exit
	losses int
}

// recorded is what a recorder asks a [lineage.Tree].
type recorded interface {
	watched
	Process(pid int) (process.Process, error)
	Processes() ([]process.Process, error)
	LineageByID(process.ID) ([]process.Step, error)
}

// recordCounts is how much was recorded.
type recordCounts struct {
	processes, failed, losses int
}

func newRecorder(w *record.Writer, t recorded, d *answer.Describer, maker, root int) *recorder {
	return &recorder{
		writer: w, tree: t, describer: d, maker: maker, root: root,
		source: t.Source().Name, living: map[int]member{},
	}
}

// begin adds the root, before any event is taken in and before it is waited for:
// whatever is lost, it is in the recording. What is told of it later is left out
// where that is the same.
func (r *recorder) begin() {
	p, err := r.tree.Process(r.root)
	if err != nil {
		p = process.Process{ID: process.ID{PID: r.root, Start: r.started}}
	}
	r.add(&p, r.started, -1, process.Observed, false)
}

// take takes in an event. It reports whether more are of use.
func (r *recorder) take(e *lineage.Event) bool {
	happens := e.Kind != process.Seen && e.Kind != process.Gone && e.Kind != process.Loss // else its time is when that was found
	if happens && e.Time <= r.caughtUpTo {
		r.overlooked(e)
	}
	switch e.Kind {
	case process.Loss:
		r.lose(e)
	case process.Fork:
		r.fork(e)
	case process.Seen:
		r.found(e)
	case process.Exec:
		r.exec(e)
	case process.Exited, process.Gone:
		r.exit(e)
	case process.Moved:
	}
	if happens {
		r.last = max(r.last, e.Time)
		if e.Time > r.caughtUpTo {
			r.allTold()
		}
	}
	return r.err == nil
}

// keep keeps the first error of the writer.
func (r *recorder) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// fork takes in a process that was made, if a member or the maker of the root
// did that.
func (r *recorder) fork(e *lineage.Event) {
	p := &e.Process
	if _, ok := r.everMember(p.ID); ok {
		return
	}
	if !r.rootKnown && p.ID.PID == r.root && p.Creator.ID.PID == r.maker {
		r.add(p, e.Time, -1, process.Observed, false)
		return
	}
	if m, ok := r.everMember(p.Creator.ID); ok && p.Creator.Evidence != process.Unknown {
		r.add(p, e.Time, m.place, p.Creator.Evidence, false)
	}
}

// found takes in a process that was found after a loss, if a member stands above
// it by creation. Who made it may be in the recording or not.
func (r *recorder) found(e *lineage.Event) {
	if _, ok := r.everMember(e.Process.ID); ok {
		return
	}
	if !r.rootKnown && e.Process.ID.PID == r.root {
		r.meet(&e.Process, -1, process.Observed)
		return
	}
	for i := range e.Chain {
		m, ok := r.everMember(e.Chain[i].ID)
		switch {
		case !ok:
		case i == 0 && e.Chain[0].Evidence != process.Unknown:
			r.meet(&e.Process, m.place, e.Chain[0].Evidence)
			return
		default:
			r.meet(&e.Process, -1, process.Unknown)
			return
		}
	}
}

// member returns the living member with the ID. An ID that is a PID alone is
// that of who holds it now.
func (r *recorder) member(id process.ID) (member, bool) {
	m, ok := r.living[id.PID]
	return m, ok && (!id.Known() || m.id.Same(id))
}

// add adds a process to the recording, and returns its place there. At is when it
// was made, where its ID tells that to the tick only. Of one that was found it is
// not known what it did before.
func (r *recorder) add(p *process.Process, at process.Instant, creator int, evidence process.Evidence, found bool) int {
	if old, ok := r.living[p.ID.PID]; ok { // whose end was not told
		r.end(old, 0, &process.Exit{Evidence: process.Inferred, At: p.ID.Start}, "")
	}
	if p.Name == "" || r.source == cnproc.Name { // which has no names
		if read, err := r.tree.ProcessByID(p.ID); err == nil {
			p.Name, p.Cgroup, p.Owner = read.Name, read.Cgroup, read.Owner
		}
	}
	if at == 0 || p.ID.Precision == process.Exact {
		at = p.ID.Start
	}
	m := member{id: p.ID, name: p.Name, uid: uidOf(p)}
	var err error
	m.place, err = r.writer.Fork(&record.Process{
		ID: p.ID, Creator: creator, CreatorEvidence: evidence, Start: at,
		Name: p.Name, Container: r.container(p.Cgroup), UID: m.uid,
		Found: found,
	})
	r.keep(err)
	if err != nil {
		return -1
	}
	r.living[p.ID.PID] = m
	if p.ID.PID == r.root && !r.rootKnown {
		r.rootKnown, r.rootStart = true, p.ID.Start
	}
	r.counts.processes++
	return m.place
}

// ran writes that a member runs another program since, p being what is known of it
// by then.
func (r *recorder) ran(m member, x *record.Exec, p *process.Process) {
	name := p.Name
	if name == m.name {
		name = ""
	}
	if uid := uidOf(p); uid >= 0 && uid != m.uid {
		m.uid = uid
		x.UID = &uid
	}
	r.keep(r.writer.Exec(m.place, x, name))
	m.name, m.ran = cmp.Or(name, m.name), x.At
	r.living[m.id.PID] = m
}

// uidOf is as whom a process runs, -1 where not known.
func uidOf(p *process.Process) int {
	if !p.Owner.Known {
		return -1
	}
	return p.Owner.EffectiveUID
}

// container is the container of a process by name, or else by ID.
func (r *recorder) container(c process.Cgroup) string {
	if c.Membership == "" {
		return ""
	}
	m := r.describer.Whereabouts(c)
	o := answer.ContainerOf(&m)
	if !m.In() || o == nil || o.ID == nil {
		return ""
	}
	return cmp.Or(o.Shown, *o.ID)
}

func (r *recorder) exec(e *lineage.Event) {
	m, ok := r.member(e.Process.ID)
	if !ok || e.Time <= m.ran { // the tree has told of it
		return
	}
	p := &e.Process
	x := record.Exec{At: e.Time, File: p.Exec.File, Args: p.Exec.Args, ArgsCut: p.Exec.ArgsCut}
	if m.place == 0 {
		if len(x.Args) == 0 || x.ArgsCut && goesOn(r.command.Args, x.Args) {
			x.Args, x.ArgsCut, x.File = r.command.Args, false, cmp.Or(x.File, r.command.File)
		}
		r.command = record.Exec{} // it was the first
	}
	r.readArgs(p.ID, &x)
	if r.source == cnproc.Name {
		if read, err := r.tree.ProcessByID(p.ID); err == nil {
			p.Name, p.Owner = read.Name, read.Owner
		}
	}
	r.ran(m, &x, p)
}

// readArgs reads the arguments that were not told, or not all of them. What is read
// may be those of a program that was run since: where some were told, they have to
// begin with these.
func (r *recorder) readArgs(id process.ID, x *record.Exec) {
	if x.Args != nil && !x.ArgsCut {
		return
	}
	d, err := r.tree.Details(id)
	if err == nil && (x.Args == nil || goesOn(d.Args, x.Args)) { // else it has ended
		x.Args, x.ArgsCut = d.Args, false
	}
}

// goesOn reports whether the arguments begin with those, the last of which may be
// the beginning of one.
func goesOn(args, cut []string) bool {
	last := len(cut) - 1
	return last >= 0 && len(args) > last && slices.Equal(args[:last], cut[:last]) && strings.HasPrefix(args[last], cut[last])
}

func (r *recorder) exit(e *lineage.Event) {
	x := e.Process.Exit
	m, ok := r.member(e.Process.ID)
	if !ok {
		if m := r.fadedMember(e.Process.ID); m != nil && x.Evidence == process.Observed && m.end.Evidence != process.Observed {
			m.end = x
			r.end(*m, x.At, &x, e.Process.Name) // which tells more
		}
		return
	}
	switch {
	case r.waitedFor(m):
		r.rootEnd = x.At
	case m.place == 0 && x.Evidence != process.Observed: // wait4(2) tells more
	default:
		r.end(m, endOf(&x), &x, e.Process.Name)
	}
}

// waitedFor reports whether the end of a member is known by wait4(2), which tells
// more.
func (r *recorder) waitedFor(m member) bool { return m.place == 0 && r.source != bpf.Name }

// endOf is when a process ended, zero where that was not observed: it may have been
// long before it was found.
func endOf(x *process.Exit) process.Instant {
	if x.Evidence != process.Observed {
		return 0
	}
	return x.At
}

// end writes that a member has ended.
func (r *recorder) end(m member, end process.Instant, x *process.Exit, name string) {
	if name == m.name {
		name = ""
	}
	r.keep(r.writer.Exit(m.place, end, x, name))
	if held, ok := r.living[m.id.PID]; ok && held.place == m.place {
		delete(r.living, m.id.PID)
		if r.caughtUpTo != 0 {
			r.fade(m, x)
		}
	}
	if failed(*x) {
		r.counts.failed++
	}
	r.rootEnded = r.rootEnded || m.place == 0
}

// members are those that live yet, the oldest first.
func (r *recorder) members() []member {
	list := slices.Collect(maps.Values(r.living))
	slices.SortFunc(list, func(a, b member) int { return cmp.Compare(a.place, b.place) })
	return list
}

// running are the names of those that live yet, the oldest first.
func (r *recorder) running() []string {
	var names []string
	for _, m := range r.members() {
		names = append(names, nameOrUnknown(m.name))
	}
	return names
}
