package bpf

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Name is the name of this source.
const Name = "bpf"

// DefaultBuffer is the size of the ring buffer in bytes.
const DefaultBuffer = 4 << 20

// Options says how a [Source] works. The zero value is a good choice.
type Options struct {
	// Buffer is the size of the ring buffer in bytes, rounded up to a power
	// of two of at least a page, and at most 1 GiB. Zero means DefaultBuffer. Of 4 MiB, 10,000
	// processes a second take half in about a quarter of a second.
	Buffer int
	// ProcPath is where procfs is mounted, "/proc" when empty. From it come
	// the numbers and names of the cgroup hierarchies.
	ProcPath string
}

// A Source tells of all processes in its PID namespace: through [Source.Drain]
// what happens to them from the moment it is opened, and through [Source.Scan]
// which there are. What happens is in Drain when the system call that made it
// happen returns, so that whoever drains before it answers is up to date.
//
// To know all processes: open, scan, drain, in this order, and the same after a
// Loss. Scan leaves out what the kernel's task iterator does not show.
//
// Of the arguments of a program it tells the first 4,096 bytes, and 128 arguments
// at most; with more the event has ArgsCut.
//
// Its methods may be called from several goroutines at once.
type Source struct {
	objects
	links    []link.Link // the garbage collector detaches what nothing holds
	iterator *link.Iter
	ring     *ring
	shared   *shared
	drops    drops
	waiter   *waiter
	procPath string
	peaks    bool // see struct shared of kernel/records.h

	renaming atomic.Bool // renamed is, or is not told yet

	scanning  sync.Mutex
	iterating sync.Mutex // one iterator at a time; taken after the others

	mu       sync.Mutex // for what follows
	closed   bool
	decoder  *decoder
	sets     *sets
	last     process.Instant // the Time of the last event
	renamed  bool            // so are cgroups since the last Loss
	event    process.Event
	ends     *ends // nil where none is told twice
	problems error
}

// Name is what the source is called in options and in output.
func (s *Source) Name() string { return Name }

// Limits names what the source cannot tell: nothing, but before Linux 6.16 how
// much memory a program had that had less than its creator.
func (s *Source) Limits() []source.Limit {
	if s.peaks {
		return nil
	}
	return []source.Limit{source.PeaksInherited}
}

// Close detaches the programs and frees what the source holds. The source must
// not be used after, nor be in use.
func (s *Source) Close() error {
	s.scanning.Lock()
	defer s.scanning.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.closed = true
	return s.free()
}

// free closes whatever has been opened.
func (s *Source) free() error {
	var errs []error
	for _, l := range s.links {
		errs = append(errs, l.Close())
	}
	if s.iterator != nil {
		errs = append(errs, s.iterator.Close())
	}
	if s.waiter != nil {
		errs = append(errs, s.waiter.close())
	}
	if s.ring != nil {
		s.ring.unmap()
	}
	if s.shared != nil {
		s.shared.unmap()
	}
	errs = append(errs, s.objects.close())
	return errors.Join(errs...)
}

// drops is the map of the records that had no room, one for each processor.
type drops struct {
	m    *ebpf.Map
	each []drop
	seen []uint64 // of each, Last as it was when a Loss was told
}

// drop is struct drop of kernel/records.h.
type drop struct {
	Told        uint64
	First, Last uint64
}

func newDrops(m *ebpf.Map, cpus int) drops {
	return drops{m: m, each: make([]drop, cpus), seen: make([]uint64, cpus)}
}

// since returns when the first and the last record were dropped since the last
// call, zero where none was. A record that is dropped while a Loss is told may
// have been counted for that one (put reads told before): so Told says nothing
// of which Loss is to have it.
func (d *drops) since() (first, last process.Instant, err error) {
	if err := d.m.Lookup(uint32(0), &d.each); err != nil {
		return 0, 0, err
	}
	for i, c := range d.each {
		if c.Last == d.seen[i] {
			continue
		}
		d.seen[i] = c.Last
		if first == 0 || process.Instant(c.First) < first {
			first = process.Instant(c.First)
		}
		last = max(last, process.Instant(c.Last))
	}
	return first, last, nil
}
