package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// deep is a chain of 10,000 processes, each the child of the one before.
func deep(r *run) {
	n := 10_000
	if r.small {
		n = 1000
	}
	room, err := linuxtest.Room()
	if err != nil {
		r.t.Fatal(err)
	}
	if room < n {
		if room < 1000 {
			r.t.Fatalf("room for no more than %d processes", room)
		}
		r.t.Logf("%d deep, which is all that this user and machine have room for", room)
		n = room
	}
	defer linuxtest.Storm(r.t)()
	head := r.fork(r.start("starter"), "head")
	r.refresh(head)
	from := linuxtest.Now()
	links, err := head.Chain(n)
	if errors.Is(err, unix.EAGAIN) && len(links) >= 1000 {
		r.t.Logf("%d deep: %v, since others have made processes too", len(links), err)
	} else if err != nil {
		r.t.Fatalf("a chain of %d: %v", len(links), err)
	}
	to := linuxtest.Now()
	pids := []int{head.pid}
	for _, l := range links {
		if l.PPID != pids[len(pids)-1] {
			r.t.Fatalf("getppid in %d is %d, want %d", l.PID, l.PPID, pids[len(pids)-1])
		}
		pids = append(pids, l.PID)
	}
	for _, v := range r.step() {
		r.checkDeep(v, head, pids, from, to)
	}
	head.busy = true // it answers no more
	r.end(head, r.test, head.EndChain)
	for _, v := range r.step() {
		for i, pid := range pids[1:] {
			if ref := v.ByPID(pid); ref != 0 && v.State(ref) != process.Ended && v.ID(ref).Start <= to {
				r.errorf("deep, %s: link %d is %v as %v, and has been reaped", v.how, i+1, v.State(ref), v.ID(ref))
				return
			}
		}
	}
}

// checkDeep goes from the last one of a chain up by the table's own links. The
// links below the head were made between two instants.
func (r *run) checkDeep(v view, head *subject, pids []int, from, to process.Instant) {
	n := len(pids) - 1
	ref := v.ByPID(pids[n])
	for i := n; i >= 0; i-- {
		if ref == 0 {
			r.errorf("deep, %s: the chain breaks off above link %d", v.how, i+1)
			return
		}
		p := v.Process(ref)
		if p.ID.PID != pids[i] || p.State != process.Alive {
			r.errorf("deep, %s: link %d is %v as %v, want %d", v.how, i, p.State, p.ID, pids[i])
			return
		}
		if i > 0 && (p.ID.Start+process.Instant(process.Tick) <= from || p.ID.Start > to) {
			r.errorf("deep, %s: link %d, %v, did not begin between %d and %d", v.how, i, p.ID, from, to)
			return
		}
		if i > 0 && p.Name != head.name {
			r.errorf("deep, %s: link %d is called %q, want %q", v.how, i, p.Name, head.name)
			return
		}
		if r.read != nil && i%(n/10) == 0 {
			var e process.Event
			if err := r.read.Read(pids[i], &e); err != nil || !e.ID.Same(p.ID) || i > 0 && e.Parent.PID != pids[i-1] {
				r.errorf("deep: link %d: Read: %v, parent %v, %v", i, e.ID, e.Parent, orNil(err))
			}
		}
		ref, _ = v.Parent(ref)
	}
	if !head.parent.is(v.ID(ref)) {
		r.errorf("deep, %s: above the head is %v", v.how, v.ID(ref))
	}
}

// siblings are 100,000 children of one process over time, more than there are
// PIDs, of which few live at a time.
func siblings(r *run) {
	total, batch, keep := 100_000, 2500, 64
	if r.small {
		total = 10_000
	}
	// PIDs go round: batches that fit in the round make the same PIDs the
	// last ones of a batch again.
	if round, err := linuxtest.PIDs(); err != nil {
		r.t.Fatal(err)
	} else if round < total/2 {
		batch = round / (round / batch)
	}
	defer linuxtest.Storm(r.t)()
	a := r.fork(r.start("starter"), "a")
	r.refresh(a)
	// Such a table forgets most of them.
	r.begin(process.Retention{Count: 1000})
	last := map[int]process.ID{} // who had the PID in an earlier batch
	reused := 0
	for made := 0; made < total; made += batch {
		from := linuxtest.Now()
		alive, err := a.Churn(batch, keep)
		if err != nil {
			r.t.Fatal(err)
		}
		to := linuxtest.Now()
		views := r.step()
		for _, v := range views {
			r.checkSiblings(v, a, alive, from, to)
		}
		for _, pid := range alive {
			id := views[0].ID(views[0].ByPID(pid))
			if old, ok := last[pid]; ok {
				reused++
				if old.Same(id) {
					r.errorf("siblings: %v is taken for one that had the PID before", id)
				}
			}
			last[pid] = id
		}
	}
	if !r.small {
		r.t.Logf("%d siblings, of which %d were looked at with the PID of an earlier one", total, reused)
	}
	if n := r.table.Counts().Evictable; n > 1000 {
		r.errorf("siblings: the table keeps %d ended processes that none needs", n)
	}
}

// checkSiblings holds the children of a to those that live, made between two
// instants.
func (r *run) checkSiblings(v view, a *subject, alive []int, from, to process.Instant) {
	want := map[int]bool{}
	for _, pid := range alive {
		want[pid] = true
		ref := v.ByPID(pid)
		if ref == 0 || v.State(ref) != process.Alive {
			r.errorf("siblings, %s: %d lives and is missing", v.how, pid)
			continue
		}
		p := v.Process(ref)
		if !a.is(p.Parent.ID) {
			r.errorf("siblings, %s: parent of %v is %v, want %v", v.how, p.ID, p.Parent.ID, a)
		}
		if p.ID.Start+process.Instant(process.Tick) <= from || p.ID.Start > to {
			r.errorf("siblings, %s: %v did not begin between %d and %d", v.how, p.ID, from, to)
		}
	}
	for c := range v.Children(v.ByPID(a.pid)) {
		if id := v.ID(c); !want[id.PID] {
			r.errorf("siblings, %s: %v is %v, and has been reaped", v.how, id, v.State(c))
		}
	}
}

// storm is scans, reads and drains while children come and go. Who was there
// all the while has to be in every scan, once and as it is, and of those that
// come and go a live source tells all.
func storm(r *run) {
	stable := r.start("stable")
	stable.SetSubreaper(true)
	b := r.fork(stable, "b")
	c := r.fork(b, "orphan")
	r.fork(c, "child of the orphan").SetName("z) Z 1 (")
	r.leave(b, stable)
	a := r.fork(stable, "a")
	a.SetName(fmt.Sprintf("storm %d", a.pid)) // which its children inherit
	for i := range 12 {
		r.fork(a, fmt.Sprintf("sibling %d", i))
	}
	h := r.start("headless")
	h.ExitLeader()
	r.seen.adoptions = true
	r.compare()
	n := 20_000
	if r.small {
		n = 5000
	}
	defer linuxtest.Storm(r.t)()
	ctx, done := context.WithCancel(r.t.Context())
	var wg sync.WaitGroup
	until := func(act func()) {
		wg.Go(func() {
			for ctx.Err() == nil {
				act()
			}
		})
	}
	until(func() { r.checkStormScan(a) })
	if r.read != nil {
		until(func() {
			for _, s := range r.cast {
				if s.state != process.Ended {
					r.checkRead(s)
				}
			}
		})
	}
	if r.live != nil {
		until(func() {
			if err := r.live.Wait(ctx); err != nil && !errors.Is(err, context.Canceled) {
				r.errorf("storm: Wait: %v", err)
				done()
			}
			r.drain()
		})
	}
	_, err := a.Churn(n, 32)
	if err == nil {
		_, err = a.Churn(n, 0)
	}
	done()
	wg.Wait()
	if err != nil {
		r.t.Fatal(err)
	}
	r.compare()
	r.countShortLives(a, 2*n)
}

// checkStormScan holds one scan beside a storm of children of a.
func (r *run) checkStormScan(a *subject) {
	events, err := r.scan()
	if err != nil {
		r.errorf("storm: Scan: %v", err)
		return
	}
	byPID := map[int]*process.Event{}
	for i := range events {
		e := &events[i]
		byPID[e.ID.PID] = e
		if e.Name == a.name && e.ID.PID != a.pid && !a.is(e.Parent) {
			r.errorf("storm: parent of %v, in session %d, is %v (none: %t), want %v", e.ID, e.SessionID, e.Parent, e.NoParent, a)
		}
	}
	for _, s := range r.cast {
		if s.state == process.Ended {
			continue
		}
		e := byPID[s.pid]
		switch {
		case e == nil:
			r.errorf("storm: %v is missing from the scan", s)
		case !s.is(e.ID):
			r.errorf("storm: %v is taken for %v", s, e.ID)
		case !s.parent.is(e.Parent):
			r.errorf("storm: parent of %v is %v, want %v", s, e.Parent, s.parent)
		case e.Zombie != (s.state == process.Zombie):
			r.errorf("storm: %v: zombie %t", s, e.Zombie)
		default:
			r.checkFacts(s, "scanned in a storm", e)
		}
	}
}

// adoptionsMeanwhile is scans while parents end: of an orphan either parent
// may be told, but no third.
func adoptionsMeanwhile(r *run) {
	a := r.start("subreaper")
	a.SetSubreaper(true)
	rounds, pairs := 40, 8
	if r.small {
		rounds = 10
	}
	done, scanned := make(chan struct{}), make(chan struct{})
	var told []process.Event
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			events, err := r.scan()
			if err != nil {
				r.errorf("adoptions: Scan: %v", err)
			}
			told = append(told, events...)
			select {
			case <-done:
				return
			case scanned <- struct{}{}:
			default:
			}
		}
	})
	// aScan returns when a scan has been made since it was called: the one
	// after the one that was under way.
	aScan := func() {
		<-scanned
		<-scanned
	}
	orphans := map[int][]*subject{}
	before := map[*subject]*subject{}
	for i := range rounds {
		var born []*subject
		for range pairs {
			b := r.fork(a, "parent")
			c := r.fork(b, "orphan")
			before[c] = b
			orphans[c.pid] = append(orphans[c.pid], c)
			born = append(born, c)
		}
		if i == 0 {
			aScan()
		}
		for _, c := range born {
			r.leave(before[c], a)
		}
		if i == 0 {
			aScan()
		}
		for _, c := range born {
			r.leave(c, a)
		}
		if r.live != nil {
			r.drain()
		}
	}
	close(done)
	wg.Wait()
	caught := 0
	for i := range told {
		e := &told[i]
		for _, c := range orphans[e.ID.PID] {
			if !c.is(e.ID) {
				continue
			}
			caught++
			if e.Parent.Known() && !a.is(e.Parent) && !before[c].is(e.Parent) {
				r.errorf("adoptions: parent of %v is %v, which is neither %v nor %v", c, e.Parent, before[c], a)
			}
			untold := e.Parent.PID == 0 && r.limits[source.ExitsLate] // it ended before it could be read
			if !untold && e.Parent.PID != a.pid && e.Parent.PID != before[c].pid {
				r.errorf("adoptions: PID of the parent of %v is %d, which is neither %v nor %v", c, e.Parent.PID, before[c], a)
			}
		}
	}
	r.t.Logf("%d orphans, met %d times by the scans", rounds*pairs, caught)
	for _, s := range r.cast {
		s.told = process.ID{} // nothing was kept in step meanwhile
	}
	r.seen.adoptions = true
	r.compare()
}
