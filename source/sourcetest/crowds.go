package sourcetest

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
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
	head := r.fork(r.start("starter"), "head")
	r.refresh(head)
	from := linuxtest.Now()
	links, err := head.Chain(n)
	if errors.Is(err, unix.EAGAIN) && len(links) >= 1000 {
		r.t.Logf("%d deep: %v, since others have made processes too", len(links), err)
		n = len(links)
	} else if err != nil {
		r.t.Fatalf("a chain of %d: %v", len(links), err)
	}
	to := linuxtest.Now()
	r.sync()
	pids := []int{head.pid}
	for _, l := range links {
		if l.PPID != pids[len(pids)-1] {
			r.t.Fatalf("getppid in %d is %d, want %d", l.PID, l.PPID, pids[len(pids)-1])
		}
		pids = append(pids, l.PID)
	}
	// From the last one up, by the table's own links.
	ref := r.table.ByPID(pids[n])
	for i := n; i >= 0; i-- {
		if ref == 0 {
			r.errorf("deep: the chain breaks off above link %d", i+1)
			return
		}
		p := r.table.Process(ref)
		if p.ID.PID != pids[i] || p.State != process.Alive {
			r.errorf("deep: link %d is %v as %v, want %d", i, p.State, p.ID, pids[i])
			return
		}
		if i > 0 && (p.ID.Start+process.Instant(process.Tick) <= from || p.ID.Start > to) {
			r.errorf("deep: link %d, %v, did not begin between %d and %d", i, p.ID, from, to)
			return
		}
		if i > 0 && p.Name != head.name {
			r.errorf("deep: link %d is called %q, want %q", i, p.Name, head.name)
			return
		}
		if i%(n/10) == 0 {
			var e process.Event
			if err := r.src.Read(pids[i], &e); err != nil || !e.ID.Same(p.ID) || i > 0 && e.Parent.PID != pids[i-1] {
				r.errorf("deep: link %d: Read: %v, parent %v, %v", i, e.ID, e.Parent, orNil(err))
			}
		}
		ref, _ = r.table.Parent(ref)
	}
	if !head.parent.is(r.table.ID(ref)) {
		r.errorf("deep: above the head is %v", r.table.ID(ref))
	}
	head.EndChain()
	r.sync()
	for i, pid := range pids[1:] {
		if ref := r.table.ByPID(pid); ref != 0 && r.table.State(ref) != process.Ended && r.table.ID(ref).Start <= to {
			r.errorf("deep: link %d is %v as %v, and has been reaped", i+1, r.table.State(ref), r.table.ID(ref))
			return
		}
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
	a := r.fork(r.start("starter"), "a")
	r.refresh(a)
	// Such a table forgets most of them.
	r.table = process.NewTable(process.Retention{Count: 1000})
	last := map[int]process.ID{} // who had the PID in an earlier batch
	reused := 0
	for made := 0; made < total; made += batch {
		from := linuxtest.Now()
		alive, err := a.Churn(batch, keep)
		if err != nil {
			r.t.Fatal(err)
		}
		to := linuxtest.Now()
		r.sync()
		want := map[int]bool{}
		for _, pid := range alive {
			want[pid] = true
			ref := r.table.ByPID(pid)
			if ref == 0 || r.table.State(ref) != process.Alive {
				r.errorf("siblings: %d lives and is missing", pid)
				continue
			}
			p := r.table.Process(ref)
			if !a.is(p.Parent.ID) {
				r.errorf("siblings: parent of %v is %v, want %v", p.ID, p.Parent.ID, a)
			}
			if p.ID.Start+process.Instant(process.Tick) <= from || p.ID.Start > to {
				r.errorf("siblings: %v did not begin between %d and %d", p.ID, from, to)
			}
			if old, ok := last[pid]; ok {
				reused++
				if old.Same(p.ID) {
					r.errorf("siblings: %v is taken for one that had the PID before", p.ID)
				}
			}
			last[pid] = p.ID
		}
		for c := range r.table.Children(r.table.ByPID(a.pid)) {
			if id := r.table.ID(c); !want[id.PID] {
				r.errorf("siblings: %v is %v, and has been reaped", id, r.table.State(c))
			}
		}
	}
	if !r.small {
		r.t.Logf("%d siblings, of which %d were looked at with the PID of an earlier one", total, reused)
	}
	if n := r.table.Counts().Evictable; n > 1000 {
		r.errorf("siblings: the table keeps %d ended processes that none needs", n)
	}
}

// storm is scans and reads while children come and go. Who was there all the
// while has to be in every scan, once and as it is.
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
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			r.checkStormScan(a)
			select {
			case <-done:
				return
			default:
			}
		}
	})
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				for _, s := range r.cast {
					if s.state != process.Ended {
						r.checkRead(s)
					}
				}
			}
		}
	})
	_, err := a.Churn(n, 32)
	if err == nil {
		_, err = a.Churn(n, 0)
	}
	close(done)
	wg.Wait()
	if err != nil {
		r.t.Fatal(err)
	}
	r.compare()
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
			if e.Parent.PID != a.pid && e.Parent.PID != before[c].pid {
				r.errorf("adoptions: PID of the parent of %v is %d, which is neither %v nor %v", c, e.Parent.PID, before[c], a)
			}
		}
	}
	r.t.Logf("%d orphans, met %d times by the scans", rounds*pairs, caught)
	for _, s := range r.cast {
		s.told = process.ID{} // the table was not in step meanwhile
	}
	r.seen.adoptions = true
	r.compare()
}
