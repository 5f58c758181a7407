package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A model has all processes in a list for each boot.
type model struct {
	boots      map[[2]string]*modelBoot
	containers map[[2]string]store.Container // by host and ID
	gaps       []store.Gap
	last       map[string]store.Mark
	names      map[string]string // of hosts
	told       []store.Process   // all, nil where there is more since
	pages      int               // that an answer has at least, if it has as many processes
}

type modelBoot struct {
	clock store.Clock
	kept  map[int][]*modelProcess // by PID
	now   process.Instant
}

type modelProcess struct {
	store.Process
	asOf process.Instant
}

func newModel() *model {
	return &model{boots: map[[2]string]*modelBoot{}, containers: map[[2]string]store.Container{}, last: map[string]store.Mark{}, names: map[string]string{}}
}

func (m *model) append(b *store.Batch) {
	k := [2]string{b.Host, b.Boot}
	at := m.boots[k]
	if at == nil {
		at = &modelBoot{kept: map[int][]*modelProcess{}}
		m.boots[k] = at
	}
	m.told = nil
	at.clock.Set(b.Now, b.Wall)
	for i := range b.Processes {
		p := &b.Processes[i]
		old := at.find(p.ID)
		switch {
		case old == nil:
			at.kept[p.ID.PID] = append(at.kept[p.ID.PID], &modelProcess{Process: store.Kept(p, process.ID{}), asOf: b.Now})
		case old.asOf <= b.Now:
			old.Process, old.asOf = store.Kept(p, old.ID), b.Now
		}
	}
	if b.Now >= at.now {
		for _, c := range b.Containers {
			m.containers[[2]string{b.Host, c.ID}] = c
		}
	}
	for _, g := range b.Gaps {
		g.Host, g.Boot = b.Host, b.Boot
		if !slices.Contains(m.gaps, g) {
			m.gaps = append(m.gaps, g)
		}
	}
	if b.Now > at.now {
		at.now = b.Now
		if b.HostName != "" {
			m.names[b.Host] = b.HostName
		}
		m.last[b.Host] = store.Mark{Boot: b.Boot, Now: b.Now, Wall: b.Wall}
	}
}

func (b *modelBoot) find(id process.ID) *modelProcess {
	for _, p := range b.kept[id.PID] {
		if p.ID.Same(id) {
			return p
		}
	}
	return nil
}

// tell is the process as a store tells of it.
func (m *model) tell(k [2]string, p *modelProcess) store.Process {
	told, at := p.Process, m.boots[k]
	told.Host, told.Boot = k[0], k[1]
	told.Began = at.clock.Wall(p.ID.Start)
	told.Ended = time.Time{}
	if p.Exit.Evidence != process.Unknown {
		told.Ended = at.clock.Wall(p.Exit.At)
	}
	if c, ok := m.containers[[2]string{k[0], p.Container}]; ok {
		told.Stored = &c
	}
	return told
}

func (m *model) all() []store.Process {
	if m.told == nil {
		for k, at := range m.boots {
			for _, held := range at.kept {
				for _, p := range held {
					m.told = append(m.told, m.tell(k, p))
				}
			}
		}
	}
	return m.told
}

// under reports whether the process is below the one by creation.
func (m *model) under(p *store.Process, top store.Key) bool {
	return p.Host == top.Host && p.Boot == top.Boot && m.above(p, func(id process.ID, _ *store.Process) bool { return id.Same(top.ID) })
}

// above reports whether one above the process by creation is meant. Of the last of
// these no more may be known than its ID.
func (m *model) above(p *store.Process, meant func(process.ID, *store.Process) bool) bool {
	at := m.boots[[2]string{p.Host, p.Boot}]
	for l := p.Creator; l.Evidence != process.Unknown && !l.ID.IsZero(); {
		c := at.find(l.ID)
		if c == nil {
			return meant(l.ID, &store.Process{})
		}
		if meant(l.ID, &c.Process) {
			return true
		}
		l = c.Creator
	}
	return false
}

// descends reports whether above the process stand those that the query names.
func (m *model) descends(p *store.Process, q *store.Query) bool {
	for _, name := range q.Ancestors {
		if !m.above(p, func(_ process.ID, c *store.Process) bool { return c.Named(name) }) {
			return false
		}
	}
	return q.Under == (store.Key{}) || m.under(p, q.Under)
}

func (m *model) selected(q *store.Query, now time.Time) []store.Process {
	var all []store.Process
	for _, p := range m.all() {
		if (q.Host == "" || p.Host == q.Host) && q.Covers(p.Began, p.Ended) && q.Filter.Holds(&p, now) && m.descends(&p, q) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b store.Process) int { return before(q.Order, &a, &b, now) })
	return all
}

// before is negative where a comes before b, and zero where the order leaves that
// open.
func before(o store.Order, a, b *store.Process, now time.Time) int {
	later := b.Began.Compare(a.Began)
	switch o {
	case store.Earliest:
		return -later
	case store.Longest:
		return cmp.Or(cmp.Compare(b.Lived(now), a.Lived(now)), later)
	case store.ByCPU:
		return cmp.Or(cmp.Compare(b.Exit.Usage.User+b.Exit.Usage.System, a.Exit.Usage.User+a.Exit.Usage.System), later)
	case store.ByMemory:
		return cmp.Or(cmp.Compare(b.Exit.Usage.MaxRSS, a.Exit.Usage.MaxRSS), later)
	case store.Latest, "":
	}
	return later
}

// ask puts as many questions at random to both.
func (m *model) ask(t testing.TB, s store.Store, random *rand.Rand, n int) {
	t.Helper()
	all := m.all()
	if len(all) == 0 {
		return
	}
	one := func() *store.Process { return &all[random.IntN(len(all))] }
	for range n {
		if t.Failed() {
			return
		}
		q := &store.Query{Order: store.Orders()[random.IntN(5)]}
		if random.IntN(3) == 0 {
			q.Host = one().Host
		}
		if random.IntN(2) == 0 {
			q.Since = one().Began.Add(time.Duration(random.IntN(3)-1) * time.Second)
		}
		if random.IntN(2) == 0 {
			q.Until = q.Since.Add(time.Duration(random.IntN(100)) * time.Hour)
			if q.Since.IsZero() {
				q.Until = one().Began
			}
		}
		for range random.IntN(3) {
			q.Filter = append(q.Filter, term(t, random, one()))
		}
		if random.IntN(4) == 0 {
			q.Under = one().Key
		}
		if random.IntN(4) == 0 {
			q.Ancestors = append(q.Ancestors, one().Name)
		}
		m.check(t, s, q)
		p := one()
		m.checkHolder(t, s, p.Host, p.ID.PID, p.Began.Add(time.Duration(random.IntN(int(2*time.Second)))))
		m.checkAncestors(t, s, p)
	}
	m.checkLiving(t, s)
	for name, want := range m.last {
		if got, err := s.Last(context.Background(), name); err != nil || got.Boot != want.Boot || got.Now != want.Now || !got.Wall.Equal(want.Wall) {
			t.Errorf("the last batch of %s is %v, %v, not %v", name, got, err, want)
		}
	}
	m.checkHosts(t, s)
	if stats, err := s.Stats(context.Background()); err != nil || stats.Processes != int64(len(all)) {
		t.Errorf("%d processes are counted, %v, not %d", stats.Processes, err, len(all))
	}
}

func (m *model) checkHosts(t testing.TB, s store.Store) {
	t.Helper()
	var want []store.Host
	for id, mark := range m.last {
		want = append(want, store.Host{ID: id, Name: m.names[id], Last: mark})
	}
	slices.SortFunc(want, func(a, b store.Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	got, err := s.Hosts(context.Background())
	for i := range got {
		if i < len(want) && got[i].Last.Wall.Equal(want[i].Last.Wall) {
			got[i].Last.Wall = want[i].Last.Wall // by the same location
		}
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the hosts are %v, %v, not %v", got, err, want)
	}
}

// term is one that holds of the process, or its opposite.
func term(t testing.TB, random *rand.Rand, p *store.Process) store.Term {
	t.Helper()
	field, op := store.Fields()[random.IntN(len(store.Fields()))], store.Equal
	if random.IntN(4) == 0 {
		op = store.NotEqual
	}
	value := map[store.Field]string{
		store.Text: "build", store.Match: "^(sh|gcc)|flag", store.PID: strconv.Itoa(p.ID.PID), store.Name: p.Name, store.InContainer: p.Container, store.Pod: "pod-1",
		store.Namespace: "default", store.Unit: "nginx", store.Session: p.Session, store.User: p.User, store.ExitStatus: strconv.Itoa(p.Exit.Status.ExitStatus()),
		store.Lived: "1h", store.StateIs: "running",
	}[field]
	switch field {
	case store.ExitStatus, store.Lived:
		op = []store.Op{store.Equal, store.NotEqual, store.Less, store.AtMost, store.More, store.AtLeast}[random.IntN(6)]
		if p.Exit.Status.Signaled() {
			value = "SIGKILL"
		}
		if field == store.Lived {
			value = fmt.Sprint(time.Duration(random.Int64N(int64(3 * time.Hour))))
		}
	case store.InContainer:
		if p.Stored != nil && random.IntN(2) == 0 {
			value = p.Stored.Name
		}
	case store.StateIs:
		value = []string{"running", "ended"}[random.IntN(2)]
	default:
	}
	if value == "" {
		field, value = store.Text, "web"
		op = store.Equal
	}
	term, err := store.ParseTerm(field, op, value)
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// check compares all pages of the answer.
func (m *model) check(t testing.TB, s store.Store, q *store.Query) {
	t.Helper()
	now := time.Now()
	want := m.selected(q, now)
	q.Limit = max(q.Limit, len(want)/m.pages+1)
	var got []store.Process
	for {
		page, err := s.Select(context.Background(), q)
		if err != nil {
			t.Fatalf("%s: %v", asked(q), err)
		}
		got = append(got, page.Processes...)
		if len(page.Processes) > q.Limit || page.Next != "" && len(page.Processes) < q.Limit {
			t.Fatalf("%s: a page of %d", asked(q), len(page.Processes))
		}
		if q.After == "" {
			m.checkGaps(t, q, page.Gaps)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	byKey := func(all []store.Process) map[store.Key]*store.Process {
		by := make(map[store.Key]*store.Process, len(all))
		for i := range all {
			normalize(&all[i])
			by[all[i].Key] = &all[i]
		}
		return by
	}
	wanted, had := byKey(want), byKey(got)
	for i := range got {
		if p := &got[i]; had[p.Key] != p { // byKey has the last one
			t.Errorf("%s: listed twice are\n%+v\n%+v", asked(q), *p, *had[p.Key])
			return
		}
	}
	for k, p := range wanted {
		switch g := had[k]; {
		case g == nil:
			t.Errorf("%s: %v is missing: %+v", asked(q), k, *p)
			return
		case !reflect.DeepEqual(g, p):
			t.Errorf("%s: it says\n%+v\nof\n%+v", asked(q), *g, *p)
			return
		}
	}
	for k, p := range had {
		if wanted[k] == nil {
			t.Errorf("%s: %+v is not asked for", asked(q), *p)
			return
		}
	}
	for i := range got[:max(len(got)-1, 0)] {
		if before(q.Order, &got[i], &got[i+1], now) > 0 {
			t.Errorf("%s: %+v\ncomes before\n%+v", asked(q), got[i], got[i+1])
			return
		}
	}
}

func asked(q *store.Query) string {
	var b strings.Builder
	fmt.Fprintf(&b, "host %q, %v to %v, under %v, below %q, order %q:", q.Host, q.Since, q.Until, q.Under, q.Ancestors, q.Order)
	for _, f := range q.Filter {
		fmt.Fprintf(&b, " %s%s%q", f.Field, f.Op, f.Value)
	}
	return b.String()
}

// normalize makes alike what means the same.
func normalize(p *store.Process) {
	if len(p.NamespacePIDs) == 0 {
		p.NamespacePIDs = nil
	}
	if len(p.Execs) == 0 {
		p.Execs = nil
	}
	p.Execs = slices.Clone(p.Execs)
	for i := range p.Execs {
		if len(p.Execs[i].Args) == 0 {
			p.Execs[i].Args = nil
		}
	}
	p.Began, p.Ended = p.Began.UTC(), p.Ended.UTC()
}

func (m *model) checkGaps(t testing.TB, q *store.Query, got []store.Gap) {
	t.Helper()
	var want []store.Gap
	for _, g := range m.gaps {
		clock := &m.boots[[2]string{g.Host, g.Boot}].clock
		g.From, g.To = clock.Wall(g.Since), clock.Wall(g.Until)
		if (q.Host == "" || q.Host == g.Host) && q.Covers(g.From, g.To) {
			want = append(want, g)
		}
	}
	for _, g := range want {
		if !slices.Contains(got, g) {
			t.Errorf("%s: the gap %v is missing among %v", asked(q), g, got)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d gaps, not %d", asked(q), len(got), len(want))
	}
}

func (m *model) checkHolder(t testing.TB, s store.Store, name string, pid int, at time.Time) {
	t.Helper()
	q := &store.Query{Host: name, Since: at, Until: at}
	held := slices.DeleteFunc(m.selected(q, at), func(p store.Process) bool { return p.ID.PID != pid })
	got, err := s.Holder(context.Background(), name, pid, at)
	switch {
	case len(held) == 0 && !errors.Is(err, store.ErrNotFound):
		t.Errorf("PID %d of %s at %v was %v, %v, and not nobody", pid, name, at, got, err)
	case len(held) > 0 && (err != nil || !slices.ContainsFunc(held, func(p store.Process) bool { return p.Key == got.Key && p.Began.Equal(held[0].Began) })):
		t.Errorf("PID %d of %s at %v was %v, %v, and not %v", pid, name, at, got.Key, err, held[0].Key)
	}
}

func (m *model) checkAncestors(t testing.TB, s store.Store, p *store.Process) {
	t.Helper()
	k := [2]string{p.Host, p.Boot}
	var want []store.Process
	for l := p.Creator; l.Evidence != process.Unknown && !l.ID.IsZero(); {
		c := m.boots[k].find(l.ID)
		if c == nil {
			break
		}
		told := m.tell(k, c)
		normalize(&told)
		want = append(want, told)
		l = c.Creator
	}
	got, err := s.Ancestors(context.Background(), p.Key)
	for i := range got {
		normalize(&got[i])
	}
	if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("above %v are\n%+v, %v, and not\n%+v", p.Key, got, err, want)
	}
	// The same by their keys, some of them twice and one of nobody.
	keys := []store.Key{{Host: p.Host, Boot: p.Boot, ID: process.ID{PID: p.ID.PID, Start: p.ID.Start + 5e9, Precision: process.Exact}}}
	wanted := map[store.Key]store.Process{}
	for i := range want {
		keys = append(keys, want[i].Key, want[i].Key)
		wanted[want[i].Key] = want[i]
	}
	many, err := s.Processes(context.Background(), keys)
	for i := range many {
		normalize(&many[i])
		if !reflect.DeepEqual(many[i], wanted[many[i].Key]) {
			t.Errorf("it says\n%+v\nof\n%+v", many[i], wanted[many[i].Key])
		}
	}
	if err != nil || len(many) != len(wanted) {
		t.Errorf("there are %d of %d, %v", len(many), len(wanted), err)
	}
}

func (m *model) checkLiving(t testing.TB, s store.Store) {
	t.Helper()
	want := map[store.Key]bool{}
	for _, p := range m.all() {
		if p.Exit.Evidence == process.Unknown {
			want[p.Key] = true
		}
	}
	n := 0
	err := s.Living(context.Background(), "", func(p *store.Process) bool {
		n++
		if !want[p.Key] {
			t.Errorf("%v does not live", p.Key)
		}
		return true
	})
	if err != nil || n != len(want) {
		t.Errorf("%d live, %v, not %d", n, err, len(want))
	}
}
