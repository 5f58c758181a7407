package sourcetest

import (
	"strings"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// namespaces stand one in the other; PIDs are the test's.
func namespaces(r *run) {
	a := r.startWith("init of a namespace", linuxtest.StartOptions{NewPID: true})
	a.inner = true
	b := r.fork(a, "in the namespace")
	c := r.clone(b, "init of an inner one", linuxtest.CloneOptions{NewPID: true})
	d := r.fork(c, "in the inner one")
	e := r.fork(d, "child in the inner one")
	r.compare()
	r.leave(d, c) // an init adopts
	r.fork(e, "grandchild in the inner one")
	r.compare()
	f := r.fork(b, "beside the inner one")
	g := r.fork(f, "below that")
	r.leave(f, a)
	r.seen.adoptions = true
	r.compare()
	g.Exec("named")
	r.compare()
}

// cgroups are moved to, inherited, and begun in.
func cgroups(r *run) {
	first, second := linuxtest.NewCgroup(r.t), linuxtest.NewCgroup(r.t)
	a := r.start("a")
	b := r.fork(a, "b")
	r.compare()
	move := func(s *subject, g *linuxtest.Cgroup) {
		r.t.Helper()
		before := s.membership
		s.Move(g)
		r.refresh(s)
		if !strings.Contains(s.membership, ":"+g.Path+"\n") {
			r.t.Fatalf("%v was moved to %s and is in %q", s, g.Path, s.membership)
		}
		if !s.told.Known() || r.read == nil {
			return
		}
		if st, err := r.read.Check(s.told, before); err != nil || !st.Moved {
			r.errorf("%v moved from %q to %s: Check: %+v, %v", s, before, g.Path, st, orNil(err))
		}
		if st, err := r.read.Check(s.told, s.membership); err != nil || st.Moved {
			r.errorf("%v is where it is, in %s: Check: %+v, %v", s, g.Path, st, orNil(err))
		}
	}
	move(b, first)
	if b.group != first.Path {
		r.t.Fatalf("the container group of %v is %q, want %q", b, b.group, first.Path)
	}
	c := r.fork(b, "inherits")
	r.compare()
	move(c, second)
	c.Exec("moved-before")
	r.compare()
	move(b, second)
	move(c, first)
	move(a, first) // with all its threads
	a.NewThread()
	r.compare()
	unified := linuxtest.NewUnifiedCgroup(r.t)
	if unified == nil {
		return
	}
	move(b, unified)
	d := r.clone(a, "begun there", linuxtest.CloneOptions{Cgroup: unified})
	r.refresh(d)
	if path, ok := cgroup.Unified(d.membership); !ok || path != unified.Path {
		r.t.Fatalf("%v begins in %q, want %q", d, path, unified.Path)
	}
	r.compare()
}

// cgroupsOfTheDying are not those that the kernel shows in a v1 hierarchy: a
// thread that has ended is in the root there (cgroup_exit).
func cgroupsOfTheDying(r *run) {
	// Both before the processes, which are to end first: other cannot be
	// emptied of threads whose leader is not in it.
	g, other := linuxtest.NewCgroup(r.t), linuxtest.NewCgroup(r.t)
	a := r.start("a")
	z, y := r.fork(a, "zombie"), r.fork(a, "zombie at first sight")
	for _, s := range []*subject{a, z, y} {
		s.Move(g)
	}
	r.exit(y, 0, r.test)
	r.compare()
	r.exit(z, 0, r.test)
	a.ExitLeader()
	r.compare()
	b := r.fork(a, "inherits from the headless")
	r.compare()
	if b.group != g.Path {
		r.t.Fatalf("%v is in %q, want %q", b, b.group, g.Path)
	}
	a.Move(other)
	r.compare()
}
