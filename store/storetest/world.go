package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// epoch is what the wall clock shows at the instant zero of the first boot.
var epoch = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func wallOf(i process.Instant) time.Time { return epoch.Add(time.Duration(i)) }

// emptyBatch is one of a host whose clock is never set.
func emptyBatch(now process.Instant) *store.Batch {
	return &store.Batch{Host: "h1", Boot: "b1", Now: now, Wall: wallOf(now)}
}

// A world is made up at random: hosts on which processes come and go.
type world struct {
	*rand.Rand
	hosts []*host
}

type host struct {
	name, boot string
	boots      int
	now        process.Instant
	wall       time.Time // at the instant zero
	inode      uint64
	pid        int
	living     []*store.Process
	tick       map[int]process.Instant // of each PID the last start
	containers []store.Container
}

func newWorld(random *rand.Rand) *world {
	w := &world{Rand: random}
	for n := range 1 + random.IntN(2) {
		h := &host{name: fmt.Sprintf("h%d", n+1), wall: epoch.Add(-time.Duration(random.IntN(1000)) * time.Hour)}
		w.start(h)
		w.hosts = append(w.hosts, h)
	}
	return w
}

// start boots the host.
func (w *world) start(h *host) {
	h.boots++
	h.wall = h.wall.Add(time.Duration(h.now))
	h.boot, h.now, h.pid, h.living, h.tick = fmt.Sprintf("%s-%d", h.name, h.boots), 1e9, 1, nil, map[int]process.Instant{}
}

// batch is what happened since the one before on some host.
func (w *world) batch(n int) *store.Batch {
	h := w.hosts[w.IntN(len(w.hosts))]
	if w.IntN(25) == 0 {
		w.start(h) // what lived then has no end in the store
	}
	changed := map[*store.Process]bool{}
	var order []*store.Process
	note := func(p *store.Process) {
		if !changed[p] {
			order = append(order, p)
		}
		changed[p] = true
	}
	h.now += process.Instant(w.Int64N(int64(3 * time.Hour)))
	if w.IntN(8) == 0 {
		h.wall = h.wall.Add([]time.Duration{-time.Hour, time.Hour, -26 * time.Hour, 2 * time.Second}[w.IntN(4)])
	}
	b := &store.Batch{Host: h.name, Boot: h.boot}
	if w.IntN(2) == 0 {
		b.HostName = h.name + ".test"
	}
	births := w.IntN(40)
	if n%20 == 10 {
		births = 1500
	}
	for range births {
		h.now += process.Instant(w.IntN(int(20 * time.Millisecond)))
		p := w.born(h)
		note(p)
		if w.IntN(3) > 0 || len(h.living) > 200 {
			w.end(h, p)
		}
	}
	for _, p := range slices.Clone(h.living) {
		h.now += process.Instant(w.IntN(int(time.Millisecond)))
		switch w.IntN(6) {
		case 0:
			w.end(h, p)
			note(p)
		case 1:
			w.exec(h, p)
			note(p)
		case 2: // what was not known comes to be
			if p.ID.Precision == process.ToTick {
				p.ID.Start, p.ID.Precision = h.tick[p.ID.PID], process.Exact
			}
			if p.Creator.Evidence == process.Unknown && p.Parent.ID.Known() {
				p.Creator = process.Link{ID: p.Parent.ID, Evidence: process.Inferred}
			}
			p.Parent = process.Link{ID: h.living[0].ID, Evidence: process.Scanned}
			note(p)
		}
	}
	if len(h.living) > 150 {
		for _, p := range slices.Clone(h.living[50:]) {
			w.end(h, p)
			note(p)
		}
	}
	w.contain(h, b)
	if w.IntN(6) == 0 {
		b.Gaps = append(b.Gaps, store.Gap{Reason: []store.GapReason{store.Away, store.Lost, store.Dropped}[w.IntN(3)],
			Since: h.now - process.Instant(w.IntN(int(h.now))), Until: h.now, Lost: uint64(w.IntN(3))})
	}
	h.now += process.Instant(w.IntN(int(time.Second)))
	b.Now, b.Wall = h.now, h.wall.Add(time.Duration(h.now)+time.Duration(w.IntN(int(time.Millisecond))))
	slices.SortStableFunc(order, func(a, b *store.Process) int { return int(int64(a.ID.Start) - int64(b.ID.Start)) })
	for _, p := range order {
		kept := *p
		kept.Execs, kept.NamespacePIDs = slices.Clone(p.Execs), slices.Clone(p.NamespacePIDs)
		b.Processes = append(b.Processes, kept)
	}
	return b
}

var (
	names = []string{"sh", "nginx", "gcc", "cc1", "postgres", "\xff\xfe", "a b", "kworker/0:1"}
	users = []string{"root", "www-data", "user", ""}
	units = []string{"nginx.service", "ssh.service", "user@1000.service", ""}
)

// born adds a process, which one that lives has created.
func (w *world) born(h *host) *store.Process {
	for {
		h.pid = h.pid%700 + 1
		held := slices.ContainsFunc(h.living, func(p *store.Process) bool { return p.ID.PID == h.pid })
		if last, ok := h.tick[h.pid]; !held && (!ok || last/process.Instant(process.Tick) != h.now/process.Instant(process.Tick)) {
			break
		}
		h.now += process.Instant(process.Tick)
	}
	h.tick[h.pid] = h.now
	h.inode++
	p := &store.Process{Name: names[w.IntN(len(names))], Evidence: process.Observed, Creator: process.Link{Evidence: process.Scanned}}
	p.ID = process.ID{PID: h.pid, Start: h.now, Inode: h.inode, Precision: process.Exact}
	if w.IntN(3) == 0 {
		p.ID.Inode = 0
	}
	if w.IntN(5) == 0 {
		p.ID.Start, p.ID.Precision = h.now-h.now%process.Instant(process.Tick), process.ToTick
	}
	if len(h.living) > 0 {
		c := h.living[w.IntN(len(h.living))]
		if w.IntN(3) == 0 {
			c = h.living[len(h.living)-1]
		}
		p.Creator, p.Parent = process.Link{ID: c.ID, Evidence: process.Observed}, process.Link{ID: c.ID, Evidence: process.Observed}
		switch w.IntN(10) {
		case 0:
			p.Creator = process.Link{}
		case 1: // one that nobody has written down
			p.Creator.ID = process.ID{PID: 9999, Start: h.now - 5e8, Precision: process.Exact}
		}
	}
	p.User, p.Unit = users[w.IntN(len(users))], units[w.IntN(len(units))]
	p.Owner = process.Owner{Known: w.IntN(5) > 0, EffectiveUID: w.IntN(3) * 1000}
	p.Kernel, p.Helper = w.IntN(20) == 0, w.IntN(20) == 0
	p.GroupID, p.SessionID, p.TTY = h.pid, h.pid/10, w.IntN(3)
	if len(h.containers) > 0 && w.IntN(2) == 0 {
		p.Container = h.containers[w.IntN(len(h.containers))].ID
		p.Group = "/system.slice/docker-" + p.Container + ".scope"
		p.NamespacePIDs = []int{h.pid, w.IntN(50) + 1}
	}
	for range w.IntN(3) {
		w.exec(h, p)
	}
	h.living = append(h.living, p)
	return p
}

func (w *world) exec(h *host, p *store.Process) {
	times := 1
	if w.IntN(30) == 0 {
		times = store.MaxExecs
	}
	for range times {
		c := process.Command{File: "/usr/bin/" + names[w.IntN(len(names))], ArgsCut: w.IntN(9) == 0, At: h.now}
		for range w.IntN(4) {
			c.Args = append(c.Args, []string{"-c", "--flag=1", "Build", "", "\xfe"}[w.IntN(5)])
		}
		p.Execs = append(p.Execs, c)
		p.ExecCount++
	}
}

func (w *world) end(h *host, p *store.Process) {
	h.living = slices.DeleteFunc(h.living, func(o *store.Process) bool { return o == p })
	p.Exit = process.Exit{Evidence: process.Observed, At: h.now + process.Instant(w.IntN(1000)), Status: []syscall.WaitStatus{0, 0, 0, 1 << 8, 127 << 8, 9, 11 | 0x80}[w.IntN(7)]}
	if w.IntN(4) > 0 {
		p.Exit.Usage = process.Usage{Known: true, User: time.Duration(w.IntN(1e9)), System: time.Duration(w.IntN(1e9)), MaxRSS: uint64(w.IntN(1 << 30)), ReadBytes: uint64(w.IntN(3))}
	}
	if w.IntN(10) == 0 {
		p.Exit = process.Exit{Evidence: process.Scanned, At: h.now}
	}
}

// contain makes containers, which get their names in a later batch.
func (w *world) contain(h *host, b *store.Batch) {
	if len(h.containers) < 6 && w.IntN(3) == 0 {
		h.containers = append(h.containers, store.Container{ID: fmt.Sprintf("%s%d%060d", h.name[1:], len(h.containers), 7)})
	}
	for i := range h.containers {
		c := &h.containers[i]
		if w.IntN(4) == 0 {
			c.Name, c.Runtime, c.PodName, c.Namespace = fmt.Sprintf("web-%d", i), "docker", fmt.Sprintf("pod-%d", w.IntN(3)), "default"
		}
		b.Containers = append(b.Containers, *c)
	}
}
