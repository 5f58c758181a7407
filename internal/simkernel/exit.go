package simkernel

import (
	"slices"
	"syscall"

	"github.com/proclineage/lineage/process"
)

// ExitThread ends a thread (do_exit), and with the last one the process.
func (k *Kernel) ExitThread(t *Thread) {
	k.endThread(t)
	k.Leave(t.Process)
}

// Die ends all threads of a process, which has its children until [Kernel.Leave]:
// the kernel takes the memory of the last one down before it goes on (exit_mm).
func (k *Kernel) Die(p *Process) {
	for _, t := range p.Threads() {
		k.endThread(t)
	}
}

// endThread ends a thread, up to where a process has its children still. The
// event comes before they are given away, as sched_process_exit does.
func (k *Kernel) endThread(t *Thread) {
	p := t.Process
	i := slices.Index(p.threads, t)
	if i < 0 {
		return
	}
	p.threads = slices.Delete(p.threads, i, i+1)
	if len(p.threads) > 0 {
		k.forgetOriginalParent(t)
		return
	}
	p.State, p.LastParent, p.last = Exiting, p.Parent(), t
	p.Status, p.Usage = syscall.WaitStatus(t.TID%8<<8), process.Usage{Known: true, MaxRSS: p.ID.Inode}
	e := process.Event{Kind: process.Exited, ID: p.ID, Status: p.Status, Usage: p.Usage}
	if p.Adopter = k.adopter(t); p.Adopter != nil {
		e.Adopter = p.Adopter.ID
	}
	k.emit(e)
	p.ExitAt = k.now
	k.vforkDone(p)
}

// Leave brings a process whose threads have ended to the end of its own: it
// leaves its children and is a zombie (exit_notify).
func (k *Kernel) Leave(p *Process) {
	if p.State != Exiting {
		return
	}
	if p == p.NS.Init {
		k.zap(p.NS) // find_child_reaper
	}
	k.forgetOriginalParent(p.last)
	p.State, p.LeftAt = Zombie, k.Stamp()
}

// Exit ends all threads of a process (do_group_exit).
func (k *Kernel) Exit(p *Process) {
	for _, t := range p.Threads() {
		k.ExitThread(t)
	}
}

// forgetOriginalParent gives away the children of a thread that has ended
// (forget_original_parent), the zombies among them too.
func (k *Kernel) forgetOriginalParent(t *Thread) {
	for _, c := range k.procs {
		if c.realParent == t && c.State != Reaped {
			c.realParent = k.newReaper(t)
			c.Parents = append(c.Parents, c.realParent.Process)
		}
	}
}

// newReaper finds who adopts the children of a thread that has ended
// (find_new_reaper): a living thread of its own process, else the nearest
// living subreaper among the ancestors in the same PID namespace, else the
// init of the PID namespace. (The kernel looks for a subreaper only where
// has_child_subreaper is set, which saves the walk and changes nothing.)
func (k *Kernel) newReaper(t *Thread) *Thread {
	father := t.Process
	if u := father.living(); u != nil {
		return u
	}
	for up := father.realParent; up != nil && up.Process.NS.level() == father.NS.level(); up = up.Process.realParent {
		if !up.Process.Subreaper {
			continue
		}
		if u := up.Process.living(); u != nil {
			return u
		}
	}
	if u := father.NS.Init.living(); u != nil {
		return u
	}
	return father.NS.Init.last // which has not killed the namespace yet
}

// adopter is whom the exit event of the last thread names: none where the
// init of a namespace ends, whose children end with it.
func (k *Kernel) adopter(t *Thread) *Process {
	if a := k.newReaper(t).Process; a != t.Process {
		return a
	}
	return nil
}

// zap ends all that is left in the namespace of an init that has ended, and
// takes it away: the kernel waits for that (zap_pid_ns_processes).
func (k *Kernel) zap(ns *Namespace) {
	for _, p := range k.Holders() {
		if p != ns.Init && ns.Contains(p) {
			k.Exit(p)
			k.Leave(p) // which may have begun to end before
			k.Reap(p)
		}
	}
}

// Reap takes a zombie away and frees its PID (release_task): its parent has
// waited for it, or ignores SIGCHLD.
func (k *Kernel) Reap(p *Process) {
	if p.State == Zombie {
		p.State = Reaped
	}
}
