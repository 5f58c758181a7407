package process

import (
	"hash/maphash"
	"slices"
	"strings"
)

// The facts that are kept once for all the processes that have them.
type (
	text       string
	membership struct {
		Cgroup
		group int32 // the place of the path of the container group
	}
	command struct {
		file string
		args []string
		cut  bool
	}
)

func (s text) hash(seed maphash.Seed) uint64 { return maphash.String(seed, string(s)) }
func (s text) equal(o text) bool             { return s == o }
func (s text) clone() text                   { return text(strings.Clone(string(s))) }

func (m membership) hash(seed maphash.Seed) uint64 { return maphash.String(seed, m.Membership) }
func (m membership) equal(o membership) bool       { return m.Cgroup == o.Cgroup }
func (m membership) clone() membership {
	m.Membership, m.Group = strings.Clone(m.Membership), strings.Clone(m.Group)
	return m
}

func (c command) hash(seed maphash.Seed) uint64 {
	h := maphash.String(seed, c.file)
	for _, arg := range c.args {
		h = h*31 + maphash.String(seed, arg)
	}
	return h
}

func (c command) equal(o command) bool {
	return c.file == o.file && c.cut == o.cut && slices.Equal(c.args, o.args)
}

// clone copies all the text into one string.
func (c command) clone() command {
	var b strings.Builder
	b.WriteString(c.file)
	for _, arg := range c.args {
		b.WriteString(arg)
	}
	all := strings.Clone(b.String()) // with no room left over
	c.file, all = all[:len(c.file)], all[len(c.file):]
	if c.args != nil {
		args := make([]string, len(c.args))
		for i, arg := range c.args {
			args[i], all = all[:len(arg)], all[len(arg):]
		}
		c.args = args
	}
	return c
}

// bytes is how much memory the command takes.
func (c command) bytes() int {
	const stringBytes, sliceBytes = 16, 24
	n := stringBytes + len(c.file) + sliceBytes
	for _, arg := range c.args {
		n += stringBytes + len(arg)
	}
	return n
}

func (o Owner) hash(seed maphash.Seed) uint64 { return maphash.Comparable(seed, o) }
func (o Owner) equal(p Owner) bool            { return o == p }
func (o Owner) clone() Owner                  { return o }

// setFacts takes in what a fork passes on, what an exec or a move changes and
// what a reading finds.
func (t *Table) setFacts(r Ref, e *Event, ev Evidence) {
	n := t.at(r)
	if n.is(parked) {
		t.idle.bytes -= t.cost(n)
		defer func() { t.idle.bytes += t.cost(n) }()
	}
	// An exec and a move change what was known, also where they do not tell
	// to what.
	if (e.Name != "" || e.Kind == Exec) && e.Time > n.nameAt {
		n.nameAt = e.Time
		n.setPair(nameEv, uint8(ev))
		if e.Name != "" {
			replace(&t.names, &n.name, text(e.Name))
		} else {
			n.setPair(nameEv, uint8(Unknown))
			t.names.give(n.name)
			n.name = 0
		}
	}
	if e.Kind == Moved && e.Cgroup.Membership == "" && e.Time > n.cgroupAt {
		n.cgroupAt = e.Time
		n.setPair(cgroupEv, uint8(Unknown))
		t.memberships.give(n.membership)
		n.membership = 0
	}
	if e.Cgroup.Membership != "" {
		if e.Time > n.cgroupAt {
			n.cgroupAt = e.Time
			n.setPair(cgroupEv, uint8(ev))
			t.setMembership(&n.membership, membership{Cgroup: e.Cgroup})
		}
		if e.Kind == Fork && n.birthplace == 0 {
			t.setMembership(&n.birthplace, membership{Cgroup: e.Cgroup})
		}
	}
	if e.Time > n.idsAt && (e.GroupID != 0 || e.SessionID != 0 || e.TTY != 0) {
		n.idsAt = e.Time
		n.groupID, n.sessionID, n.tty = int32(e.GroupID), int32(e.SessionID), int32(e.TTY)
	}
	if e.Owner.Known && e.Time > n.ownerAt {
		n.ownerAt = e.Time
		replace(&t.owners, &n.owner, e.Owner)
	}
	if e.Kind == Exec && e.Time > n.commandAt {
		n.commandAt = e.Time
		replace(&t.commands, &n.command, command{e.File, e.Args, e.ArgsCut})
	}
	// They are those of the process for life (struct pid).
	if n.levels == 0 && len(e.NamespacePIDs) > 1 {
		n.levels = t.levels.take(e.NamespacePIDs)
	}
}

// replace makes *place lead to the fact.
func replace[F fact[F]](p *pool[F], place *int32, f F) {
	old := *place
	*place, _ = p.take(f)
	p.give(old)
}

func (t *Table) setMembership(of *int32, m membership) {
	old := *of
	place, fresh := t.memberships.take(m)
	if fresh {
		t.memberships.at(place).group, _ = t.groups.take(text(m.Group))
	}
	*of = place
	t.memberships.give(old)
}
