package process_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proclineage/lineage/internal/simkernel"
	"github.com/proclineage/lineage/process"
)

// The programs below are random and shrink when they fail. More of them than
// by default: go test ./process -run Model -rapid.checks=10000

var (
	anyOp = rapid.Custom(func(t *rapid.T) simkernel.Op {
		return simkernel.Op{
			Verb: simkernel.Verb(rapid.IntRange(0, int(simkernel.Verbs)-1).Draw(t, "verb")),
			Who:  rapid.Byte().Draw(t, "who"),
			Arg:  rapid.Byte().Draw(t, "arg"),
		}
	})
	anyProgram = rapid.SliceOfN(anyOp, 0, 40)

	keepAll = process.Retention{Age: 1 << 62, Count: 1 << 30}
)

// check runs ten times as many programs as rapid does by default.
func check(t *testing.T, prop func(*rapid.T)) {
	for range 10 {
		rapid.Check(t, prop)
	}
}

const began = process.Instant(5e9) // on the clock of the model

// anyView draws what the source can see. Inside lets it be in a namespace that
// the kernel has by now.
func anyView(t *rapid.T, k *simkernel.Kernel) simkernel.View {
	v := simkernel.View{
		NoFlags:   rapid.Bool().Draw(t, "no flags"),
		NoCreator: rapid.Bool().Draw(t, "no creator"),
		NoAdopter: rapid.Bool().Draw(t, "no adopter"),
		NoDetails: rapid.Bool().Draw(t, "no details"),
	}
	if rapid.Bool().Draw(t, "ticks") {
		v.Precision = process.ToTick
	} else {
		v.NoInode = rapid.Bool().Draw(t, "no inode")
	}
	if rapid.Bool().Draw(t, "inside") {
		all := k.Holders()
		p := all[rapid.IntRange(0, len(all)-1).Draw(t, "namespace of")]
		if p.NS.Parent != nil {
			v.NS = p.NS
		}
	}
	return v
}

func boot(t *rapid.T) *simkernel.Kernel {
	return simkernel.New(rapid.IntRange(6, 40).Draw(t, "pid_max"), began)
}

func apply(tab *process.Table, events []process.Event) {
	for i := range events {
		applyOne(tab, events[i])
	}
}

// applyOne takes back the slices of an event after it was applied.
func applyOne(tab *process.Table, e process.Event) {
	e.Args, e.NamespacePIDs = slices.Clone(e.Args), slices.Clone(e.NamespacePIDs)
	tab.Apply(&e)
	clear(e.Args)
	clear(e.NamespacePIDs)
}

func must(t *rapid.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Nothing is lost: what the table says is true and complete after every step,
// also with a retention that keeps nothing that need not be kept.
func TestModelWithoutLoss(t *testing.T) { check(t, modelWithoutLoss) }

func FuzzModelWithoutLoss(f *testing.F) { f.Fuzz(rapid.MakeFuzz(modelWithoutLoss)) }

func modelWithoutLoss(t *rapid.T) {
	k := boot(t)
	v := simkernel.View{}
	if rapid.Bool().Draw(t, "ticks") {
		v.Precision = process.ToTick
	}
	keep := process.Retention{
		Age:   rapid.SampledFrom([]time.Duration{0, -1, 1e6, 1e9}).Draw(t, "age"),
		Count: rapid.SampledFrom([]int{0, -1, 1, 3}).Draw(t, "count"),
	}
	j := judge{k, v, process.NewTable(keep)}
	scan, _ := v.Scan(k)
	apply(j.t, scan)
	next := 0
	for _, op := range anyProgram.Draw(t, "program") {
		k.Do(op)
		var events []process.Event
		events, next = v.Events(k, next)
		apply(j.t, events)
		if op.Arg%16 == 0 {
			j.t.Shrink()
		}
		must(t, j.sound())
		if op.Arg%2 == 0 { // somebody asks
			must(t, j.settle(), j.complete())
		}
	}
	must(t, j.settle(), j.complete())
}

// The table comes into the middle of a kernel's life, and a scan reads while
// the kernel goes on. Whatever the order of the events and however often each
// comes, the table says the same in the end, and it is true.
func TestModelOrderAndRepetition(t *testing.T) { check(t, modelOrderAndRepetition) }

func FuzzModelOrderAndRepetition(f *testing.F) { f.Fuzz(rapid.MakeFuzz(modelOrderAndRepetition)) }

func modelOrderAndRepetition(t *rapid.T) {
	k := boot(t)
	for _, op := range anyProgram.Draw(t, "before") {
		k.Do(op)
	}
	v := anyView(t, k)
	_, from := v.Events(k, 0)
	for _, op := range rapid.SliceOfN(anyOp, 0, 8).Draw(t, "before the scan") {
		k.Do(op)
	}
	var scan []process.Event
	stamp := k.Stamp()
	for i := 0; i < len(k.Processes()); i++ { // those born under way too
		if e, ok := v.Seen(k.Processes()[i], stamp); ok {
			scan = append(scan, e)
		}
		if v.Precision != process.ToTick && i%4 == 0 { // see Event.Time
			for _, op := range rapid.SliceOfN(anyOp, 0, 3).Draw(t, "while it reads") {
				k.Do(op)
			}
		}
	}
	for _, op := range anyProgram.Draw(t, "after") {
		k.Do(op)
	}
	happened, _ := v.Events(k, from)
	events := append(scan, happened...)

	inOrder := judge{k, v, process.NewTable(keepAll)}
	apply(inOrder.t, events)
	must(t, inOrder.sound())
	shuffled := judge{k, v, process.NewTable(keepAll)}
	again := rapid.SliceOfN(rapid.SampledFrom(append(events, process.Event{})), 0, 20).Draw(t, "doubled")
	for _, e := range rapid.Permutation(append(events, again...)).Draw(t, "order") {
		applyOne(shuffled.t, e)
		must(t, shuffled.t.Check())
	}
	must(t, shuffled.sound())
	if a, b := dump(inOrder.t), dump(shuffled.t); a != b && !ambiguous(k, v) {
		t.Fatalf("in order:\n%s\nin another order:\n%s", a, b)
	}
	if !ambiguous(k, v) {
		must(t, shuffled.settle(), shuffled.current())
	}
}

// Whatever the order, a table that keeps nothing ended for long has all that
// live and says nothing false, and a scan leaves it with nothing else.
func TestModelOrderAndForgetting(t *testing.T) { check(t, modelOrderAndForgetting) }

func FuzzModelOrderAndForgetting(f *testing.F) { f.Fuzz(rapid.MakeFuzz(modelOrderAndForgetting)) }

func modelOrderAndForgetting(t *rapid.T) {
	k := boot(t)
	v := simkernel.View{NoInode: rapid.Bool().Draw(t, "no inode"), NoAdopter: rapid.Bool().Draw(t, "no adopter")}
	scan, _ := v.Scan(k)
	for _, op := range anyProgram.Draw(t, "program") {
		k.Do(op)
	}
	events, _ := v.Events(k, 0)
	j := judge{k, v, process.NewTable(process.Retention{Age: -1, Count: rapid.IntRange(-1, 3).Draw(t, "count")})}
	for _, e := range rapid.Permutation(append(scan, events...)).Draw(t, "order") {
		applyOne(j.t, e)
		must(t, j.t.Check())
	}
	for _, p := range k.Holders() {
		if p.State == simkernel.Alive && j.t.State(j.t.ByID(v.ID(p))) != process.Alive {
			t.Fatalf("%v is not alive", v.ID(p))
		}
	}
	scan, at := v.Scan(k)
	apply(j.t, scan)
	j.t.EndUnseen(at)
	must(t, j.sound(), j.settle(), j.current())
}

// ambiguous reports whether the view gives one name to two processes.
func ambiguous(k *simkernel.Kernel, v simkernel.View) bool {
	for _, p := range k.Processes() {
		if id := v.ID(p); !id.IsZero() && len(v.Named(k, id)) > 1 {
			return true
		}
	}
	return false
}

// Events are dropped: as soon as that is told nothing false is said, and a
// scan heals all that is now.
func TestModelLoss(t *testing.T) { check(t, modelLoss) }

func FuzzModelLoss(f *testing.F) { f.Fuzz(rapid.MakeFuzz(modelLoss)) }

func modelLoss(t *rapid.T) {
	k := boot(t)
	for _, op := range anyProgram.Draw(t, "before") {
		k.Do(op)
	}
	v := anyView(t, k)
	_, next := v.Events(k, 0)
	keep := keepAll
	if rapid.Bool().Draw(t, "forgets") {
		keep = process.Retention{Age: -1, Count: -1}
	}
	j := judge{k, v, process.NewTable(keep)}
	scan, _ := v.Scan(k)
	apply(j.t, scan)
	deliver := func(name string, drop bool) {
		since := k.Stamp()
		for _, op := range anyProgram.Draw(t, name) {
			k.Do(op)
		}
		var events []process.Event
		events, next = v.Events(k, next)
		for i := range events {
			if !drop || rapid.Bool().Draw(t, "comes") {
				applyOne(j.t, events[i])
			}
		}
		if drop {
			e := process.Event{Kind: process.Loss, Time: k.Stamp()}
			if rapid.Bool().Draw(t, "since is known") {
				e.Since = since
			}
			j.t.Apply(&e)
		}
		must(t, j.sound())
	}
	for range rapid.IntRange(1, 3).Draw(t, "losses") {
		deliver("seen", false)
		deliver("lost", true)
		if rapid.Bool().Draw(t, "goes on") {
			deliver("seen before the scan", false)
		}
		scan, at := v.Scan(k)
		apply(j.t, scan)
		j.t.EndUnseen(at)
		must(t, j.sound(), j.scanned(scan))
		if rapid.Bool().Draw(t, "somebody asks") {
			must(t, j.settle(), j.current())
		}
	}
	deliver("healed", false)
}

// What comes late about those that were forgotten does not stay.
func TestModelLateNewsOfTheForgotten(t *testing.T) { check(t, modelLateNewsOfTheForgotten) }

func FuzzModelLateNewsOfTheForgotten(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(modelLateNewsOfTheForgotten))
}

func modelLateNewsOfTheForgotten(t *rapid.T) {
	k := boot(t)
	v := simkernel.View{}
	scan, _ := v.Scan(k)
	for _, op := range anyProgram.Draw(t, "program") {
		k.Do(op)
	}
	events, _ := v.Events(k, 0)
	j := judge{k, v, process.NewTable(process.Retention{Age: -1, Count: -1})}
	apply(j.t, scan)
	apply(j.t, events)
	n := j.t.Len()
	ended := k.Processes()
	for _, e := range rapid.Permutation(events).Draw(t, "again") {
		applyOne(j.t, e)
		must(t, j.sound())
	}
	if j.t.Len() != n {
		t.Fatalf("%d of %d are left, before what came late %d", j.t.Len(), len(ended), n)
	}
}
