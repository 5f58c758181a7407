package simkernel

import (
	"fmt"
	"slices"

	"github.com/proclineage/lineage/process"
)

// Clone is the flags of a clone that makes a process.
type Clone struct {
	Parent bool       // CLONE_PARENT
	VFork  bool       // CLONE_VFORK
	NewPID bool       // CLONE_NEWPID
	Enter  *Namespace // setns(2) before: the child is made in there
}

// Fork makes a process (copy_process). It returns nil where the kernel refuses.
func (k *Kernel) Fork(t *Thread, flags Clone) *Process {
	caller := t.Process
	if !t.runs() {
		return nil
	}
	// The init of a namespace must not have siblings (copy_process: EINVAL).
	if flags.Parent && caller == caller.NS.Init {
		return nil
	}
	ns := caller.NS
	if flags.Enter != nil {
		// Only into the own namespace or one below (pidns_install), and not
		// after its init has ended (disable_pid_allocation).
		if !caller.NS.above(flags.Enter) || flags.Enter.Init.State != Alive {
			return nil
		}
		ns = flags.Enter
	}
	p := &Process{
		Creator: caller, CloneParent: flags.Parent,
		Name: caller.Name, Cgroup: caller.Cgroup, BornIn: caller.Cgroup, Group: caller.Group, Session: caller.Session, Owner: caller.Owner,
		NS: ns, realParent: t,
	}
	if flags.Parent {
		p.realParent = caller.realParent
	}
	if flags.NewPID {
		p.NS = &Namespace{Parent: ns, Init: p}
	}
	if !k.start(p) {
		return nil
	}
	if flags.VFork {
		t.waits = p
	}
	k.emit(process.Event{
		Kind: process.Fork, ID: p.ID, Creator: caller.ID, Parent: p.Parent().ID,
		Name: p.Name, Cgroup: membership(p.Cgroup), GroupID: p.Group, SessionID: p.Session, Owner: p.Owner,
	})
	return p
}

// above reports whether m is n or below it.
func (n *Namespace) above(m *Namespace) bool {
	for ; m != nil; m = m.Parent {
		if m == n {
			return true
		}
	}
	return false
}

// runs reports whether the thread can make a system call: not one that has
// ended or that waits for its vfork child (wait_for_vfork_done).
func (t *Thread) runs() bool {
	return t.waits == nil && slices.Contains(t.Process.threads, t)
}

// NewThread makes a thread (CLONE_THREAD), nil where the kernel refuses. Its
// real_parent is the caller's, and so is that of all threads of a process.
func (k *Kernel) NewThread(t *Thread) *Thread {
	if !t.runs() {
		return nil
	}
	tid := k.alloc()
	if tid == 0 {
		return nil
	}
	u := &Thread{TID: tid, Process: t.Process}
	t.Process.threads = append(t.Process.threads, u)
	return u
}

// Exec runs another program. The other threads end, and the caller becomes the
// leader and takes on its TID, its start and its struct pid (de_thread).
func (k *Kernel) Exec(t *Thread, name string) {
	if !t.runs() {
		return
	}
	p := t.Process
	for _, u := range p.Threads() {
		if u != t {
			k.ExitThread(u)
		}
	}
	if t != p.leader {
		t.TID, p.leader = p.ID.PID, t
	}
	p.Name = name
	p.Exec = process.Command{File: "/bin/" + name, Args: []string{name, fmt.Sprint("-", t.TID%4)}, ArgsCut: t.TID%2 == 0}
	k.vforkDone(p)
	k.emit(process.Event{
		Kind: process.Exec, ID: p.ID, Name: name, GroupID: p.Group, SessionID: p.Session, Owner: p.Owner,
		File: p.Exec.File, Args: p.Exec.Args, ArgsCut: p.Exec.ArgsCut,
	})
	p.Exec.At = k.now
}

// vforkDone wakes who waits for the child to exec or to end (mm_release).
func (k *Kernel) vforkDone(child *Process) {
	for _, p := range k.procs {
		for _, t := range p.threads {
			if t.waits == child {
				t.waits = nil
			}
		}
	}
}

// SetSubreaper is prctl(PR_SET_CHILD_SUBREAPER).
func (k *Kernel) SetSubreaper(p *Process, on bool) {
	p.Subreaper = on
	p.WasSubreaper = p.WasSubreaper || on
}

// Move moves a living process to another cgroup (cgroup_attach_task).
func (k *Kernel) Move(p *Process, cgroup string) {
	if p.State != Alive {
		return
	}
	p.Cgroup = cgroup
	k.emit(process.Event{Kind: process.Moved, ID: p.ID, Cgroup: membership(cgroup)})
}

// Setsid makes the process the leader of a new session and group, where its
// PID is not a group already (ksys_setsid).
func (k *Kernel) Setsid(p *Process) {
	if p.State == Alive && !k.isGroup(p.ID.PID) {
		p.Session, p.Group = p.ID.PID, p.ID.PID
	}
}

// Setpgid makes the process the leader of a group in its session; the leader
// of a session stays what it is (setpgid(2): EPERM).
func (k *Kernel) Setpgid(p *Process) {
	if p.State == Alive && p.Session != p.ID.PID {
		p.Group = p.ID.PID
	}
}

// Setuid makes a living process run as another user, of which there is no
// event (commit_creds).
func (k *Kernel) Setuid(p *Process, id int) {
	if p.State == Alive {
		p.Owner = user(id)
	}
}

func (k *Kernel) isGroup(n int) bool {
	for _, p := range k.procs {
		if p.State != Reaped && p.Group == n {
			return true
		}
	}
	return false
}

func membership(path string) process.Cgroup {
	return process.Cgroup{Membership: "0::" + path + "\n", Group: path}
}
