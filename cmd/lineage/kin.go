package main

import (
	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// kin remembers who those are that stand above others, in step with the events
// that are read.
type kin struct {
	tree  watched
	known map[process.ID]relative
}

// relative is what is said of one that stands above another.
type relative struct {
	name    string
	ended   process.Instant // zero while it lives
	orphan  bool            // who made it is not known
	unknown bool            // nothing is known of it any more
}

// mostKin is how many are remembered. Others are asked for again.
const mostKin = 1 << 16

// note takes in what an event tells of its process.
func (k *kin) note(e *lineage.Event) {
	switch e.Kind {
	case process.Exited, process.Gone: // whoever asks gets how it ended
		delete(k.known, e.Process.ID)
	case process.Fork, process.Exec:
		if e.Process.Name != "" {
			k.keep(&e.Process)
		}
	case process.Seen, process.Moved, process.Loss:
	}
}

func (k *kin) keep(p *process.Process) relative {
	if len(k.known) >= mostKin {
		clear(k.known)
	}
	r := relative{name: p.Name, ended: p.Exit.At, orphan: p.Creator.Evidence == process.Unknown && (p.Parent.Evidence == process.Unknown || p.Parent.ID.PID != 0)}
	k.known[p.ID] = r
	return r
}

// of returns who the process is.
func (k *kin) of(id process.ID) relative {
	if r, ok := k.known[id]; ok {
		return r
	}
	p, err := k.tree.ProcessByID(id)
	if err != nil {
		return relative{unknown: true}
	}
	return k.keep(&p)
}

// link returns the process that a link of the event names. Those of its chain
// are as they were then, and a name that the source does not tell is asked for.
func (k *kin) link(e *lineage.Event, l process.Link) Link {
	for i := range e.Chain {
		if a := &e.Chain[i]; a.ID == l.ID && a.Name != "" {
			return Link{PID: a.ID.PID, ID: a.ID.String(), Name: a.Name, State: a.State.String(), Gap: l.Evidence == process.Unknown}
		}
	}
	r := k.of(l.ID)
	link := Link{PID: l.ID.PID, ID: l.ID.String(), Name: r.name, State: process.Alive.String(), Gap: l.Evidence == process.Unknown}
	switch {
	case r.unknown && !l.ID.Known():
		link.State = process.Unseen.String()
	case r.unknown, r.ended != 0 && r.ended <= e.Time:
		link.State = process.Ended.String()
	}
	return link
}

// creators returns the chain of an event, nearest first, and whether it is
// known who made the last, or that nobody did.
func (k *kin) creators(e *lineage.Event) (links []Link, whole bool) {
	whole = e.Process.Creator.Evidence != process.Unknown
	for i := range e.Chain {
		links = append(links, k.link(e, e.Chain[i].Link))
	}
	if last := len(e.Chain) - 1; last >= 0 {
		whole = !e.ChainCut && !k.of(e.Chain[last].ID).orphan
	}
	return links, whole
}
