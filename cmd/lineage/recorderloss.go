package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// lose takes in that events were dropped, and asks the tree what they would have
// told: who of the members has ended, what they run, and who descends from them.
// Where the tree had missed it as well, it finds that out by itself, and tells of
// it as Seen and Gone. What was made and has ended meanwhile, and left nothing
// behind, is not recorded: that is what a loss in the recording says.
func (r *recorder) lose(e *lineage.Event) {
	r.counts.losses++
	r.keep(r.writer.Lose(record.Loss{Since: e.Since, Until: e.Time}))
	if info := r.tree.Source(); info.Name != r.source {
		r.source = info.Name
		for _, l := range append([]string{"another source had to take over: " + info.Name}, recordLimits(info)...) {
			r.keep(r.writer.Limit(l))
		}
	}
	if len(r.living) == 0 && len(r.faded) == 0 && r.rootKnown {
		return // and so nobody descends from one
	}
	r.told = r.last
	r.caughtUpTo = process.Instant(linux.Boottime())
	for _, m := range r.members() {
		r.catchUp(m, e.Time)
	}
	r.adopt(e.Time)
	r.caughtUpTo = process.Instant(linux.Boottime())
	for pid, list := range r.faded { // of what was before the loss nothing is told any more
		list = slices.DeleteFunc(list, func(m member) bool { return m.losses < r.counts.losses && m.end.At <= e.Time })
		if r.faded[pid] = list; len(list) == 0 {
			delete(r.faded, pid)
		}
	}
}

// allTold takes in that nothing is told any more that the tree knew when it was asked.
func (r *recorder) allTold() { r.faded, r.caughtUpTo = nil, 0 }

// overlooked adds a process that an event is about, and those above it, if it descends
// from a member and is none: who was made before the loss and had ended when the tree
// was asked.
func (r *recorder) overlooked(e *lineage.Event) {
	p := &e.Process
	if _, ok := r.everMember(p.ID); ok {
		return
	}
	above := slices.IndexFunc(e.Chain, func(a process.Ancestor) bool {
		_, ok := r.everMember(a.ID)
		return ok
	})
	if above < 0 {
		return
	}
	if _, ended := r.younger(p.ID); above == 0 && e.Kind == process.Fork && !ended { // it is told right now
		return
	}
	steps, _ := r.tree.LineageByID(p.ID) // as far as it is known
	if len(steps) > 0 {
		steps[0].Process = *p
	}
	r.descend(steps, e.Time)
	r.found(e) // if too little is known
}

// before takes from p what has happened since the instant.
func before(p *process.Process, at process.Instant) {
	if p.Exit.Evidence == process.Observed && p.Exit.At > at {
		p.State, p.Exit = process.Alive, process.Exit{}
	}
	if p.Exec.At > at {
		p.Exec = process.Command{}
	}
}

// catchUp writes what had become of a member by then. What was later is told.
func (r *recorder) catchUp(m member, then process.Instant) {
	p, err := r.tree.ProcessByID(m.id)
	switch {
	case err == nil:
	case !errors.Is(err, lineage.ErrNotFound):
		return // it cannot be read now
	default: // it has ended, and was forgotten
		p = process.Process{ID: m.id, Name: m.name, State: process.Ended}
	}
	before(&p, then)
	r.update(m, &p, false)
}

// update writes what the tree has of a member: the program that it ran last, and
// how it ended. New members are those of which nothing was told.
func (r *recorder) update(m member, p *process.Process, isNew bool) {
	told := p.Evidence == process.Observed
	x := p.Exec
	switch {
	case (told || isNew || p.State != process.Alive) && x.At > m.ran && len(x.Args) > 0:
		r.ran(m, &record.Exec{At: x.At, File: x.File, Args: x.Args, ArgsCut: x.ArgsCut}, p)
	case !told && p.State == process.Alive && (isNew || p.Name != m.name):
		r.readProgram(m, p)
	}
	end := p.Exit
	if end.Evidence == process.Unknown && (p.State == process.Zombie || p.State == process.Ended) {
		end = process.Exit{Evidence: process.Scanned, At: process.Instant(linux.Boottime())}
	}
	if m.place == 0 && end.Evidence != process.Observed {
		return // wait4(2) tells more
	}
	if end.Evidence != process.Unknown && !r.waitedFor(m) {
		r.end(r.living[m.id.PID], endOf(&end), &end, p.Name)
	}
}

// readProgram writes which program a member runs now, if that is not what its
// creator runs as well: it may not have run any.
func (r *recorder) readProgram(m member, p *process.Process) {
	d, err := r.tree.Details(m.id)
	if err != nil || len(d.Args) == 0 {
		return
	}
	if c, ok := r.member(p.Creator.ID); ok && p.Creator.Evidence != process.Unknown {
		if above, err := r.tree.Details(c.id); err == nil && slices.Equal(above.Args, d.Args) {
			return
		}
	}
	now := process.Instant(linux.Boottime())
	r.ran(m, &record.Exec{At: now, File: strings.TrimSuffix(d.Exe, " (deleted)"), Args: d.Args}, p)
}

// meet adds one that was found, which may have done this and that before, and may have
// ended: a younger one may have its PID.
func (r *recorder) meet(p *process.Process, creator int, evidence process.Evidence) (place int) {
	younger, held := r.younger(p.ID)
	if held {
		delete(r.living, p.ID.PID)
	}
	place = r.add(p, 0, creator, evidence, evidence != process.Observed || p.Evidence != process.Observed)
	m, ok := r.member(p.ID)
	if ok {
		r.update(m, p, true)
	}
	if held {
		if m, ok = r.member(p.ID); ok { // of which more may be told
			r.end(m, 0, &process.Exit{Evidence: process.Inferred, At: younger.id.Start}, "")
		}
		r.living[p.ID.PID] = younger
	}
	return place
}

// adopt adds who lives, descends from a member and is none, as they were then.
func (r *recorder) adopt(then process.Instant) {
	all, _ := r.tree.Processes() // what cannot be seen could not be told of either
	slices.SortFunc(all, func(a, b process.Process) int { return byStart(&a, &b) })
	for i := range all {
		p := &all[i]
		if p.Kernel || p.ID.Start < r.rootStart { // who was there before the root does not descend from it
			continue
		}
		if _, ok := r.everMember(p.ID); ok {
			continue
		}
		steps, _ := r.tree.LineageByID(p.ID) // as far as it is known
		r.descend(steps, then)
	}
}

// younger returns the living member that has the PID of a process and was made later.
func (r *recorder) younger(id process.ID) (member, bool) {
	m, ok := r.living[id.PID]
	return m, ok && id.Known() && m.id.Start > id.Start
}

// descend adds the first of the steps of a lineage if a member is among the others,
// and with it those between the two that have ended since what was told last. They are
// added as they were then: what was later is told.
func (r *recorder) descend(steps []process.Step, then process.Instant) {
	for i := range steps {
		before(&steps[i].Process, then)
	}
	creator, evidence := -1, process.Unknown
	missing, whole, found := 1, true, false
	for i := 1; i < len(steps) && !found; i++ {
		p := &steps[i].Process
		whole = whole && !steps[i].Gap
		var m member
		if m, found = r.everMember(p.ID); found {
			if whole {
				creator, evidence = m.place, steps[i-1].Process.Creator.Evidence
			}
			break
		}
		// One that had ended before is in the recording, or was lost before.
		whole = whole && p.State != process.Unseen && (p.Exit.Evidence == process.Unknown || p.Exit.At > r.told)
		if whole {
			missing = i + 1
		}
	}
	if !found {
		return
	}
	for i := missing - 1; i >= 0 && r.err == nil; i-- {
		creator = r.meet(&steps[i].Process, creator, evidence)
		if i > 0 {
			evidence = steps[i-1].Process.Creator.Evidence
		}
	}
}

// fade keeps a member that has ended until no more can be told of it.
func (r *recorder) fade(m member, x *process.Exit) {
	m.end, m.losses = *x, r.counts.losses
	if r.faded == nil {
		r.faded = map[int][]member{}
	}
	r.faded[m.id.PID] = append(r.faded[m.id.PID], m)
}

// fadedMember returns the faded member with the ID, nil for none.
func (r *recorder) fadedMember(id process.ID) *member {
	list := r.faded[id.PID]
	if i := slices.IndexFunc(list, func(m member) bool { return id.Known() && m.id.Same(id) }); i >= 0 {
		return &list[i]
	}
	return nil
}

// everMember returns the member with the ID, be it one that has faded, and may be told
// yet to have done this and that.
func (r *recorder) everMember(id process.ID) (member, bool) {
	if m, ok := r.member(id); ok {
		return m, true
	}
	if m := r.fadedMember(id); m != nil {
		return *m, true
	}
	return member{}, false
}
