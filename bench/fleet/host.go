package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A host is a simulated one: eight services, one below the other, of which the last
// starts shells, and these what ends soon after. One in ten lives for longer than
// a batch.
type host struct {
	id, boot, name string
	rate           int // processes a second
	random         *rand.Rand
	began          time.Time // when its clock stood at zero
	now            process.Instant
	pid            int
	inode          uint64
	services       []process.ID
	shell          process.ID
	pending        []store.Process
	told           sums
}

// Sums are of all processes: as many and as large as these must arrive.
type sums struct {
	processes, ended     uint64
	pids, starts, status uint64
}

const (
	services = 8
	commands = 2000
)

// hostID and bootID are those of the n'th host.
func hostID(n int) string { return fmt.Sprintf("%032x", 0xf1ee7<<32+n) }
func bootID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

func newHost(n, rate int, began time.Time) *host {
	h := &host{id: hostID(n), boot: bootID(n), name: fmt.Sprintf("node-%03d", n),
		rate: rate, random: rand.New(rand.NewPCG(uint64(n), 7)), began: began.Add(-time.Hour)}
	h.now = process.Instant(time.Hour) // it has been up for that long
	return h
}

func (h *host) process(creator process.ID, name string, args ...string) store.Process {
	h.pid, h.inode = h.pid%4_000_000+1, h.inode+1
	p := store.Process{Key: store.Key{ID: process.ID{PID: h.pid, Start: h.now, Inode: h.inode, Precision: process.Exact}}, Evidence: process.Observed, Name: name}
	p.Creator = process.Link{ID: creator, Evidence: process.Observed}
	p.Parent = p.Creator
	p.Execs, p.ExecCount = []process.Command{{File: "/usr/bin/" + name, Args: args, At: h.now + 300_000}}, 1
	c := h.random.IntN(50)
	p.Owner = process.Owner{Known: true, UID: 1000 + c%12, EffectiveUID: 1000 + c%12, GID: 100, EffectiveGID: 100}
	p.User = "user" + strconv.Itoa(c%12)
	p.Unit = "build-" + strconv.Itoa(c%20) + ".service"
	p.Group = "/system.slice/" + p.Unit
	if c < 40 {
		p.Container = fmt.Sprintf("%02d%s%030d", c, h.id[2:], 7)
		p.Group = "/system.slice/docker-" + p.Container + ".scope"
	}
	p.GroupID, p.SessionID = h.pid, 1234
	h.told.processes++
	h.told.pids += uint64(h.pid)
	h.told.starts += uint64(h.now)
	return p
}

func (h *host) end(p *store.Process, at process.Instant) {
	status := 0
	if h.random.IntN(20) == 0 {
		status = 1 << 8
	}
	p.Exit = process.Exit{Evidence: process.Observed, At: at, Usage: process.Usage{Known: true,
		User: time.Duration(h.random.IntN(9e6)), System: time.Duration(h.random.IntN(3e6)), MaxRSS: uint64(h.random.IntN(9000)) << 12}}
	p.Exit.Status = syscall.WaitStatus(status)
	h.told.ended++
	h.told.status += uint64(status)
}

// batch is what happened in the time up to the instant.
func (h *host) batch(until process.Instant) *store.Batch {
	b := &store.Batch{Host: h.id, Boot: h.boot, HostName: h.name}
	if h.services == nil {
		above := process.ID{}
		for i := range services {
			p := h.process(above, "service-"+strconv.Itoa(i), "service", strconv.Itoa(i))
			if i == 0 {
				p.Creator = process.Link{Evidence: process.Scanned} // nobody made it
			}
			above = p.ID
			h.services = append(h.services, p.ID)
			b.Processes = append(b.Processes, p)
			h.now++
		}
	}
	for i := range h.pending {
		h.end(&h.pending[i], h.now+process.Instant(i))
	}
	b.Processes = append(b.Processes, h.pending...)
	h.pending = h.pending[:0:0]
	step := process.Instant(int(time.Second) / h.rate)
	for ; h.now < until; h.now += step {
		n := h.random.IntN(commands)
		var p store.Process
		switch {
		case h.shell.IsZero() || n%16 == 0:
			p = h.process(h.services[services-1], "sh", "sh", "-c", "make -C part"+strconv.Itoa(n))
			h.shell = p.ID
		default:
			p = h.process(h.shell, "program-"+strconv.Itoa(n%150), "/usr/lib/program-"+strconv.Itoa(n%150), "--job", strconv.Itoa(n), "-o", fmt.Sprintf("/var/lib/build/objects/%d/part.o", n), "--flag")
		}
		if h.random.IntN(10) == 0 {
			b.Processes = append(b.Processes, p)
			h.pending = append(h.pending, p)
			continue
		}
		h.end(&p, h.now+step/2)
		b.Processes = append(b.Processes, p)
	}
	b.Now = until - 1 // the next one begins later
	b.Wall = h.began.Add(time.Duration(b.Now))
	return b
}

// last ends what still lives, but for the services.
func (h *host) last() *store.Batch {
	b := &store.Batch{Host: h.id, Boot: h.boot, HostName: h.name}
	for i := range h.pending {
		h.end(&h.pending[i], h.now+process.Instant(i))
	}
	b.Processes, h.pending = h.pending, nil
	h.now += process.Instant(time.Millisecond)
	b.Now, b.Wall = h.now, h.began.Add(time.Duration(h.now))
	return b
}
