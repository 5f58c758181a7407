package simkernel

import (
	"slices"
	"syscall"

	"github.com/proclineage/lineage/process"
)

// ExitThread ends a thread (do_exit). With the last one ends the process: the
// event comes before the children are given away, as sched_process_exit does.
func (k *Kernel) ExitThread(t *Thread) {
	p := t.Process
	i := slices.Index(p.threads, t)
	if i < 0 {
		return
	}
	p.threads = slices.Delete(p.threads, i, i+1)
	last := len(p.threads) == 0
	if last {
		p.State, p.LastParent = Zombie, p.Parent()
		p.Status, p.Usage = syscall.WaitStatus(t.TID%8<<8), process.Usage{Known: true, MaxRSS: p.ID.Inode}
		k.emit(process.Event{Kind: process.Exited, ID: p.ID, Adopter: k.adopter(t), Status: p.Status, Usage: p.Usage})
		p.ExitAt = k.now
		if p == p.NS.Init {
			k.zap(p.NS)
		}
		k.vforkDone(p)
	}
	k.forgetOriginalParent(t)
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
	return father.NS.Init.leader // which kills the namespace just now
}

// adopter is whom the exit event of the last thread names: none where the
// init of a namespace ends, whose children end with it.
func (k *Kernel) adopter(t *Thread) process.ID {
	if a := k.newReaper(t).Process; a != t.Process {
		return a.ID
	}
	return process.ID{}
}

// zap ends all that is left in the namespace of an init that has ended, and
// takes it away: the kernel waits for that (zap_pid_ns_processes).
func (k *Kernel) zap(ns *Namespace) {
	for _, p := range k.Holders() {
		if p != ns.Init && ns.Contains(p) {
			k.Exit(p)
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
