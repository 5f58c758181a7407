package sourcetest

import (
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// evidence is what a source could tell and could not, during one scene.
type evidence struct {
	exactIDs    int        // that tell apart whatever a tick cannot
	tickID      process.ID // one that does not
	created     int        // creators that were known
	uncreated   []string   // who had none
	exitsSeen   int
	exitsUnseen []string
	born        int // short lives, and those of them that were known
	known       int
	unmoved     []string // who was moved and not told to be
	moved       int
	inherited   []string // who was told to have had the memory of its creator
	large       bool     // the scene has a large process that makes a small program
	adoptions   bool     // the scene has children that their creator left
	late        bool     // the source was opened when the processes were there
}

// met notes an identity. It may be called from any goroutine.
func (r *run) met(id process.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &r.seen
	if id.Inode != 0 || id.Precision == process.Exact {
		e.exactIDs++
	} else {
		e.tickID = id
	}
}

// checkLimits holds the limits that the source names to what it did: no more
// and no fewer.
func (r *run) checkLimits() {
	e := &r.seen
	if r.heard.losses > 0 {
		return // it has lost more than it must
	}
	r.checkLimit(source.TicksOnly, e.tickID.Known(), e.exactIDs > 0, "an identity is only "+e.tickID.String())
	if !e.late {
		r.checkLimit(source.CreatorsUnseen, len(e.uncreated) > 0, e.created > 0 && e.adoptions, first(e.uncreated)+" has no creator")
	}
	r.checkLimit(source.ExitsUnseen, len(e.exitsUnseen) > 0, e.exitsSeen > 0, first(e.exitsUnseen)+" ended unseen")
	r.checkLimit(source.MovesUnseen, len(e.unmoved) > 0, e.moved > 0, first(e.unmoved)+" was moved unseen")
	r.checkLimit(source.PeaksInherited, len(e.inherited) > 0, e.large, first(e.inherited)+" has the memory of its creator")
	r.checkLimit(source.ShortLivedUnseen, e.known < e.born, e.born > 0, "a short life was missed")
}

// checkLimit holds one limit to whether the source needed it, or else showed
// that it has no need of it.
func (r *run) checkLimit(l source.Limit, needed, shown bool, why string) {
	switch claimed := r.limits[l]; {
	case needed && !claimed:
		r.errorf("Limits does not name %q, but %s", l, why)
	case !needed && shown && claimed:
		r.errorf("Limits names %q, but nothing here fell short of that", l)
	}
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}
