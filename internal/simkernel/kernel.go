// Package simkernel is a model of the part of Linux that makes, ends and
// reparents processes. It does at once and in the open what the kernel does,
// knows the truth about every process that ever was, and tells it the way the
// sources do: as process.Event.
//
// It is small so that it can be read as right: a rule is written next to the
// name of the kernel's function that it is taken from, and has a test.
package simkernel

import (
	"slices"
	"syscall"

	"github.com/proclineage/lineage/process"
)

// Reserved is the number of PIDs that are not given out again after a wrap
// (RESERVED_PIDS in kernel/pid.c, 300 there).
const Reserved = 3

// A Kernel is a host: one tree of PID namespaces. Nothing happens in it but
// what its methods do, one after the other.
type Kernel struct {
	pidMax int
	now    process.Instant
	last   int    // the number given out last (idr_alloc_cyclic's cursor)
	inode  uint64 // the pidfs inode given out last
	procs  []*Process
	events []process.Event
}

// State is how far a process has got.
type State uint8

// The states of a process.
const (
	Alive   State = iota // at least one thread runs
	Exiting              // no thread runs, and it has its children still
	Zombie               // all threads have ended, the PID is held
	Reaped               // the PID is free
)

// A Process is a thread group.
type Process struct {
	ID        process.ID // exact, with the inode
	Creator   *Process   // whose thread called clone
	State     State
	ExitAt    process.Instant // the end of the last thread
	LeftAt    process.Instant // when it left its children
	Name      string
	Cgroup    string
	BornIn    string // the cgroup
	Group     int    // process group
	Session   int
	Owner     process.Owner
	Subreaper bool
	NS        *Namespace

	// Exec is the last execve of the process itself.
	Exec process.Command
	// Status and Usage are of one that has ended.
	Status syscall.WaitStatus
	Usage  process.Usage

	// CloneParent says that it was made with CLONE_PARENT.
	CloneParent bool
	// WasSubreaper says that it ever was one.
	WasSubreaper bool
	// LastParent is the parent when the last thread ended.
	LastParent *Process
	// Parents is all whom it had for the parent, the present one last.
	Parents []*Process
	// Adopter is whom the event of its end named.
	Adopter *Process

	leader     *Thread
	threads    []*Thread // those that run
	last       *Thread   // the one that ended last
	realParent *Thread   // of every thread of the group the same; nil for the first process
}

// A Thread is a task.
type Thread struct {
	TID     int
	Process *Process

	waits *Process // the vfork child that it waits for
}

// A Namespace is a PID namespace.
type Namespace struct {
	Parent *Namespace
	Init   *Process
}

func (n *Namespace) level() int {
	if n.Parent == nil {
		return 0
	}
	return n.Parent.level() + 1
}

// Contains reports whether the process has a PID in the namespace.
func (n *Namespace) Contains(p *Process) bool {
	for m := p.NS; m != nil; m = m.Parent {
		if m == n {
			return true
		}
	}
	return false
}

// New returns a kernel in which the first process runs, whose PID is 1.
func New(pidMax int, now process.Instant) *Kernel {
	k := &Kernel{pidMax: pidMax, now: now}
	ns := &Namespace{}
	p := &Process{Name: "init", Cgroup: "/", NS: ns, Owner: user(0)}
	ns.Init = p
	k.start(p)
	p.Group, p.Session = p.ID.PID, p.ID.PID
	return k
}

// Advance lets time pass. Every event also takes a nanosecond.
func (k *Kernel) Advance(d process.Instant) { k.now += d }

// Stamp returns a moment after all that happened and before all that will.
func (k *Kernel) Stamp() process.Instant {
	k.now++
	return k.now
}

// SetLastPID makes the next free number after n the next PID
// (/proc/sys/kernel/ns_last_pid).
func (k *Kernel) SetLastPID(n int) { k.last = n }

// alloc gives out the next free number, and from the start when the end was
// reached (alloc_pid). It returns zero where all are in use.
func (k *Kernel) alloc() int {
	for n := k.last + 1; n <= k.pidMax; n++ {
		if !k.used(n) {
			k.last = n
			return n
		}
	}
	for n := Reserved; n <= min(k.last, k.pidMax); n++ {
		if !k.used(n) {
			k.last = n
			return n
		}
	}
	return 0
}

// used reports whether a number is somebody's PID, TID, process group or
// session: __change_pid frees a number when it is nothing of these.
func (k *Kernel) used(n int) bool {
	for _, p := range k.procs {
		if p.State == Reaped {
			continue
		}
		if p.ID.PID == n || p.Group == n || p.Session == n {
			return true
		}
		if slices.ContainsFunc(p.threads, func(t *Thread) bool { return t.TID == n }) {
			return true
		}
	}
	return false
}

// start gives the process its PID and its first thread and reports whether
// there was a PID left.
func (k *Kernel) start(p *Process) bool {
	pid := k.alloc()
	if pid == 0 {
		return false
	}
	k.inode++
	p.ID = process.ID{PID: pid, Start: k.now, Inode: k.inode, Precision: process.Exact}
	p.leader = &Thread{TID: pid, Process: p}
	p.threads = []*Thread{p.leader}
	k.procs = append(k.procs, p)
	if p.realParent != nil {
		p.Parents = []*Process{p.realParent.Process}
	}
	return true
}

// Parent returns what getppid returns now, nil for no process.
func (p *Process) Parent() *Process {
	if p.realParent == nil {
		return nil
	}
	return p.realParent.Process
}

// Leader returns the thread whose TID is the PID. It may have ended.
func (p *Process) Leader() *Thread { return p.leader }

// Threads returns the threads that run.
func (p *Process) Threads() []*Thread { return slices.Clone(p.threads) }

// living returns a thread that runs (find_alive_thread), or nil.
func (p *Process) living() *Thread {
	if len(p.threads) == 0 {
		return nil
	}
	return p.threads[0]
}

// Lineage returns the process, its creator, the creator's creator and so on.
func (p *Process) Lineage() []*Process {
	var l []*Process
	for ; p != nil; p = p.Creator {
		l = append(l, p)
	}
	return l
}

// Processes returns every process that ever was, oldest first.
func (k *Kernel) Processes() []*Process { return k.procs }

// Holders returns the processes that hold a PID, zombies among them.
func (k *Kernel) Holders() []*Process {
	return slices.DeleteFunc(slices.Clone(k.procs), func(p *Process) bool { return p.State == Reaped })
}

// Init returns the first process.
func (k *Kernel) Init() *Process { return k.procs[0] }

// emit notes an event. No two happen at the same time.
func (k *Kernel) emit(e process.Event) {
	e.Time = k.Stamp()
	k.events = append(k.events, e)
}

func user(id int) process.Owner {
	return process.Owner{Known: true, UID: id, EffectiveUID: id, GID: id, EffectiveGID: id}
}
