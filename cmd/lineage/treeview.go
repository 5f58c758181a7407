package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
)

// treeView draws a forest.
type treeView struct {
	flags     treeFlags
	forest    *forest
	describer *answer.Describer
	screen    *screen
	detailed  []*Object       // by place; nil where no details were asked for
	inner     map[int32][]int // by place, the PIDs in each PID namespace of those in containers
	kernel    int             // how many threads of the kernel are left out
	deeper    int             // how many processes are deeper than --depth

	branch []byte // what stands to the left of a process
}

// row is a line of the drawing: one process, or several that look the same.
type row struct {
	at    int32
	twins []int32 // the others
}

// looks is how a leaf looks, but for its PID.
type looks struct {
	name, user, args string
	state            process.State
	end              string
	kernel, hit      bool
}

// object returns the details of a process, nil where none were asked for.
func (v *treeView) object(i int32) *Object {
	if v.detailed == nil {
		return nil
	}
	return v.detailed[i]
}

func (v *treeView) write(groves []grove) {
	for i := range groves {
		g := &groves[i]
		if g.title != "" {
			if i > 0 {
				v.screen.line()
			}
			about := "  " + join(g.about, plural(g.size, "process", "processes"))
			v.screen.line(span{v.screen.fitIDs(g.title, columns(about)), place}, span{about, dim})
			v.branch = append(v.branch[:0], "  "...)
		}
		for _, r := range v.rows(g.roots, 0) {
			v.draw(r, 0, "", "")
		}
	}
}

// rows puts leaves that look the same in one row, at the place of the oldest.
func (v *treeView) rows(list []int32, depth int) []row {
	rows := make([]row, 0, len(list))
	var seen map[looks]int
	for n, i := range list {
		if v.flags.all || len(list) == 1 || v.forest.first[i] != none {
			rows = append(rows, row{at: i})
			continue
		}
		key := v.looks(i)
		if depth == 0 { // told apart by the parents that are not shown
			key.args += "\x00" + v.parentText(i)
		}
		if seen == nil {
			seen = make(map[looks]int, len(list)-n)
		}
		if at, ok := seen[key]; ok {
			rows[at].twins = append(rows[at].twins, i)
			continue
		}
		seen[key] = len(rows)
		rows = append(rows, row{at: i})
	}
	return rows
}

func (v *treeView) looks(i int32) looks {
	p := &v.forest.procs[i]
	k := looks{name: p.Name, state: p.State, kernel: p.Kernel, hit: v.forest.hit[i]}
	if p.State == process.Ended {
		k.end = endMark(p.Exit)
	}
	if o := v.object(i); o != nil {
		if v.flags.user {
			k.user = shownUser(o)
		}
		if v.flags.args {
			k.args = strings.Join(o.Args, "\x00")
		}
	}
	return k
}

// draw draws a row and all below it. The corner is what joins it to its
// parent, and below what stands under the corner.
func (v *treeView) draw(r row, depth int, corner, below string) {
	children := 0
	for c := v.forest.first[r.at]; c != none; c = v.forest.next[c] {
		children++
	}
	hidden := 0
	if v.flags.depth > 0 && depth+1 >= v.flags.depth && children > 0 {
		hidden = v.forest.below(r.at)
		v.deeper += hidden
	}
	v.drawLine(r, depth, corner, hidden)
	if children == 0 || hidden > 0 {
		return
	}
	list := make([]int32, 0, children)
	for c := v.forest.first[r.at]; c != none; c = v.forest.next[c] {
		list = append(list, c)
	}
	outer := len(v.branch)
	v.branch = append(v.branch, below...)
	rows := v.rows(list, depth+1)
	for n, child := range rows {
		if n < len(rows)-1 {
			v.draw(child, depth+1, "├─ ", "│  ")
		} else {
			v.draw(child, depth+1, "└─ ", "   ")
		}
	}
	v.branch = v.branch[:outer]
}

func (v *treeView) drawLine(r row, depth int, corner string, hidden int) {
	p := &v.forest.procs[r.at]
	name := plain
	switch {
	case v.forest.hit[r.at]:
		name = bold
	case v.flags.match != "":
		name = dim
	}
	spans := make([]span, 0, 8)
	spans = append(spans, span{string(v.branch) + corner, dim}, span{processName(p), name})
	switch p.State {
	case process.Zombie:
		spans = append(spans, span{" <zombie>", alarm})
	case process.Unseen, process.Alive, process.Ended:
	}
	if len(r.twins) > 0 {
		spans = append(spans, span{" ×" + strconv.Itoa(len(r.twins)+1), bold})
	}
	if v.flags.pids {
		spans = append(spans, span{v.pids(r), name})
	}
	if p.State == process.Ended {
		st := dim
		if failed(p.Exit) {
			st = alarm
		}
		spans = append(spans, span{" " + dead + " " + endMark(p.Exit), st})
	}
	o := v.object(r.at)
	if o != nil && v.flags.user {
		spans = append(spans, span{" " + shownUser(o), dim})
	}
	if depth == 0 {
		if text := v.parentText(r.at); text != "" {
			spans = append(spans, span{"  ← " + text, dim})
		}
	}
	if hidden > 0 {
		spans = append(spans, span{fmt.Sprintf("  (+%d below)", hidden), dim})
	}
	if o != nil && v.flags.args && len(o.Args) > 0 { // last, as it may be cut
		spans = append(spans, span{"  " + commandLine(o.Args), dim})
	}
	v.screen.line(spans...)
}

func (v *treeView) pids(r row) string {
	b := v.pid(nil, r.at)
	for _, i := range r.twins {
		b = v.pid(b, i)
	}
	return string(b)
}

// pid appends the PID, and in brackets that in the container.
func (v *treeView) pid(b []byte, i int32) []byte {
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(v.forest.procs[i].ID.PID), 10)
	if pids := v.inner[i]; len(pids) > 1 {
		b = append(b, " ("...)
		b = strconv.AppendInt(b, int64(pids[len(pids)-1]), 10)
		b = append(b, ')')
	}
	return b
}

// parentText names the parent of a process that stands at the root here,
// empty if it has none.
func (v *treeView) parentText(i int32) string {
	link := v.forest.procs[i].Parent
	up := v.forest.parent[i]
	switch {
	case link.ID.PID == 0 && link.Evidence != process.Unknown:
		return ""
	case link.Evidence == process.Unknown:
		return "?"
	case up == none:
		return strconv.Itoa(link.ID.PID)
	default:
		return processName(&v.forest.procs[up]) + " " + strconv.Itoa(link.ID.PID)
	}
}

// processName is the name of a process in a tree.
func processName(p *process.Process) string {
	name := nameOrUnknown(p.Name)
	if p.Kernel {
		return "[" + name + "]"
	}
	return name
}
