package simkernel

import (
	"fmt"

	"github.com/proclineage/lineage/process"
)

// Verb is what an [Op] does.
type Verb uint8

// The verbs. Those that come first are those that a shrunk program keeps.
const (
	DoFork Verb = iota
	DoExit
	DoReap
	DoExec
	DoThread
	DoExitThread
	DoForkParent // CLONE_PARENT
	DoVFork
	DoForkNewPID // CLONE_NEWPID
	DoEnter      // setns into a namespace, then fork
	DoSubreaper
	DoNoSubreaper
	DoMove
	DoSetsid
	DoSetpgid
	DoReuse // fork so that the PID of one that is gone comes round again
	DoWait  // time passes
	DoSetuid
	DoDie   // exit, and not yet leave the children
	DoLeave // what has begun to end comes to its end
	Verbs   // the number of verbs
)

// An Op is one step of a program. Who and Arg choose among what there is by
// their remainder, so that every Op can be done in every state.
type Op struct {
	Verb Verb
	Who  uint8
	Arg  uint8
}

// String returns the op as it is shown when a property fails.
func (o Op) String() string {
	names := [...]string{"fork", "exit", "reap", "exec", "thread", "exit-thread", "fork-parent", "vfork",
		"fork-newpid", "enter", "subreaper", "no-subreaper", "move", "setsid", "setpgid", "reuse", "wait", "setuid", "die", "leave"}
	return fmt.Sprintf("%s(%d,%d)", names[o.Verb%Verbs], o.Who, o.Arg)
}

// Do takes one step.
func (k *Kernel) Do(o Op) {
	t := k.pick(o)
	p := t.Process
	switch o.Verb % Verbs {
	case DoFork:
		k.Fork(t, Clone{})
	case DoForkParent:
		k.Fork(t, Clone{Parent: true})
	case DoVFork:
		k.Fork(t, Clone{VFork: true})
	case DoForkNewPID:
		k.Fork(t, Clone{NewPID: true, Parent: o.Arg%4 == 3})
	case DoEnter:
		k.Fork(t, Clone{Enter: k.procs[int(o.Arg)%len(k.procs)].NS})
	case DoReuse:
		if gone := k.procs[int(o.Arg)%len(k.procs)]; gone.State == Reaped {
			k.SetLastPID(gone.ID.PID - 1)
			k.Fork(t, Clone{})
		}
	case DoExit:
		if p != k.Init() {
			k.Exit(p)
			if o.Arg%2 == 0 {
				k.Reap(p)
			}
		}
	case DoDie:
		if p != k.Init() {
			k.Die(p)
		}
	case DoLeave:
		for _, z := range k.procs {
			if z.State == Exiting && (o.Arg%2 == 0 || z.Parent() == p) {
				k.Leave(z)
			}
		}
	case DoReap:
		for _, z := range k.procs {
			if z.State == Zombie && (o.Arg%2 == 0 || z.Parent() == p) {
				k.Reap(z)
			}
		}
	case DoExec:
		k.Exec(t, fmt.Sprintf("prog%d", o.Arg%8))
	case DoThread:
		k.NewThread(t)
	case DoExitThread:
		if p != k.Init() || len(p.threads) > 1 {
			k.ExitThread(t)
		}
	case DoSubreaper:
		k.SetSubreaper(p, true)
	case DoNoSubreaper:
		k.SetSubreaper(p, false)
	case DoMove:
		k.Move(p, fmt.Sprintf("/cg%d", o.Arg%4))
	case DoSetsid:
		k.Setsid(p)
	case DoSetpgid:
		k.Setpgid(p)
	case DoWait:
		k.Advance(process.Instant(o.Arg) * process.Instant(process.Tick) / 8)
	case DoSetuid:
		k.Setuid(p, int(o.Arg%4))
	default: // Verbs is none
	}
}

// pick chooses a thread that runs.
func (k *Kernel) pick(o Op) *Thread {
	var all []*Thread
	for _, p := range k.procs {
		all = append(all, p.threads...)
	}
	return all[int(o.Who)%len(all)]
}
