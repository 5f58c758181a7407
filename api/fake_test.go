package api_test

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// boot and host are those that the fakes are of.
const boot, host = "11111111-2222-3333-4444-555555555555", "0123456789abcdef0123456789abcdef"

// booted is when the boot clock of the fakes was zero.
var booted = time.Now().Add(-24 * time.Hour).Truncate(time.Microsecond)

// idOf is the ID of a process that began so many seconds after the boot.
func idOf(pid int, seconds float64) process.ID {
	return process.ID{PID: pid, Start: process.Instant(seconds * 1e9), Inode: uint64(pid) + 1<<32, Precision: process.Exact}
}

// link is one that was observed.
func link(id process.ID) process.Link { return process.Link{ID: id, Evidence: process.Observed} }

func owner(uid int) process.Owner {
	return process.Owner{Known: true, UID: uid, EffectiveUID: uid, GID: uid, EffectiveGID: uid}
}

// fakeTree is a live view of what the test says.
type fakeTree struct {
	mu     sync.Mutex
	procs  []process.Process // the ended ones too
	exes   map[int]string
	events chan lineage.Event // nil for none
	source string
	err    error // of Processes
}

func (f *fakeTree) Details(id process.ID) (process.Details, error) {
	p, err := f.ProcessByID(id)
	if err != nil || p.State == process.Ended {
		return process.Details{}, lineage.ErrNotFound
	}
	return process.Details{
		Exe: f.exes[id.PID], Args: p.Exec.Args, UID: p.Owner.UID, EffectiveUID: p.Owner.EffectiveUID,
		GID: p.Owner.GID, EffectiveGID: p.Owner.EffectiveGID, NamespacePIDs: p.NamespacePIDs,
	}, nil
}

func (f *fakeTree) Time(i process.Instant) time.Time { return booted.Add(time.Duration(i)) }

func (f *fakeTree) find(is func(*process.Process) bool) (process.Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.procs {
		if is(&p) {
			return p, nil
		}
	}
	return process.Process{}, lineage.ErrNotFound
}

func (f *fakeTree) Process(pid int) (process.Process, error) {
	return f.find(func(p *process.Process) bool { return p.ID.PID == pid && p.State != process.Ended })
}

func (f *fakeTree) ProcessByID(id process.ID) (process.Process, error) {
	return f.find(func(p *process.Process) bool { return p.ID.Same(id) })
}

func (f *fakeTree) AncestorsByID(id process.ID) ([]process.Process, error) {
	var all []process.Process
	p, err := f.ProcessByID(id)
	for err == nil && p.Parent.ID.PID != 0 {
		if p, err = f.ProcessByID(p.Parent.ID); err == nil {
			all = append(all, p)
		}
	}
	return all, err
}

func (f *fakeTree) LineageByID(id process.ID) ([]process.Step, error) {
	p, err := f.ProcessByID(id)
	if err != nil {
		return nil, err
	}
	steps := []process.Step{{Process: p}}
	for {
		l, gap := p.Creator, false
		if l.Evidence == process.Unknown {
			l, gap = p.Parent, true
		}
		up, lost := f.ProcessByID(l.ID)
		if lost != nil {
			return steps, nil //nolint:nilerr // it ends there
		}
		p = up
		steps = append(steps, process.Step{Process: p, Gap: gap})
	}
}

func (f *fakeTree) Processes() ([]process.Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []process.Process
	for _, p := range f.procs {
		if p.State != process.Ended {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b process.Process) int { return a.ID.PID - b.ID.PID })
	return all, f.err
}

func (f *fakeTree) Events(ctx context.Context) (<-chan lineage.Event, error) {
	if f.events == nil {
		return nil, lineage.ErrUnsupported
	}
	return f.events, nil
}

func (f *fakeTree) Source() lineage.SourceInfo {
	return lineage.SourceInfo{Name: cmp.Or(f.source, "bpf"), Passed: []lineage.PassedSource{{Name: "other", Err: lineage.ErrUnsupported}}}
}
func (f *fakeTree) Stats() lineage.Stats          { return lineage.Stats{} }
func (f *fakeTree) Host() (hostID, bootID string) { return host, boot }
func (f *fakeTree) Entrance(*process.Process) (process.Link, bool) {
	return link(idOf(2, 2)), true
}

// memory is a history of what the test says.
type memory struct {
	procs []store.Process
	gaps  []store.Gap
	last  time.Time
	names map[string]string // of hosts
	err   error
}

func (m *memory) Last(_ context.Context, h string) (store.Mark, error) {
	if m.last.IsZero() || !slices.ContainsFunc(m.procs, func(p store.Process) bool { return p.Host == h }) {
		return store.Mark{}, cmp.Or(m.err, store.ErrNotFound)
	}
	return store.Mark{Boot: boot, Wall: m.last}, m.err
}

func (m *memory) Process(_ context.Context, k store.Key) (store.Process, error) {
	for _, p := range m.procs {
		if p.Boot == k.Boot && p.Host == k.Host && p.ID.Same(k.ID) {
			return p, m.err
		}
	}
	return store.Process{}, cmp.Or(m.err, store.ErrNotFound)
}

func (m *memory) Processes(ctx context.Context, keys []store.Key) (all []store.Process, err error) {
	for _, k := range keys {
		if p, err := m.Process(ctx, k); err == nil && !slices.ContainsFunc(all, func(q store.Process) bool { return q.Key == p.Key }) {
			all = append(all, p)
		}
	}
	return all, m.err
}

func (m *memory) Holder(_ context.Context, h string, pid int, at time.Time) (store.Process, error) {
	for _, p := range m.procs {
		if p.ID.PID == pid && p.Host == h && !p.Began.After(at) && (p.Ended.IsZero() || p.Ended.After(at)) {
			return p, m.err
		}
	}
	return store.Process{}, cmp.Or(m.err, store.ErrNotFound)
}

func (m *memory) Ancestors(ctx context.Context, k store.Key) ([]store.Process, error) {
	var all []store.Process
	p, err := m.Process(ctx, k)
	if err != nil {
		return nil, err
	}
	for p.Creator.Evidence != process.Unknown {
		if p, err = m.Process(ctx, store.Key{Host: p.Host, Boot: p.Boot, ID: p.Creator.ID}); err != nil {
			return all, nil //nolint:nilerr // it ends there
		}
		all = append(all, p)
	}
	return all, nil
}

func (m *memory) under(p *store.Process, top process.ID) bool {
	all, _ := m.Ancestors(context.Background(), p.Key)
	return slices.ContainsFunc(all, func(a store.Process) bool { return a.ID.Same(top) })
}

// below reports whether all of the names stand above the process.
func (m *memory) below(p *store.Process, names []string) bool {
	all, _ := m.Ancestors(context.Background(), p.Key)
	return !slices.ContainsFunc(names, func(name string) bool {
		return !slices.ContainsFunc(all, func(a store.Process) bool { return a.Named(name) })
	})
}

func (m *memory) Select(ctx context.Context, q *store.Query) (store.Page, error) {
	if m.err != nil {
		return store.Page{}, m.err
	}
	var hits []store.Process
	for _, p := range m.procs {
		switch {
		case q.Host != "" && p.Host != q.Host,
			!q.Until.IsZero() && p.Began.After(q.Until),
			!q.Since.IsZero() && !p.Ended.IsZero() && p.Ended.Before(q.Since),
			!q.Filter.Holds(&p, time.Now()),
			!q.Under.ID.IsZero() && !m.under(&p, q.Under.ID),
			len(q.Ancestors) > 0 && !m.below(&p, q.Ancestors):
		default:
			hits = append(hits, p)
		}
	}
	slices.SortStableFunc(hits, func(a, b store.Process) int {
		if q.Order == store.Earliest {
			return a.Began.Compare(b.Began)
		}
		return b.Began.Compare(a.Began)
	})
	skip := 0
	if q.After != "" {
		n, err := strconv.Atoi(q.After)
		if err != nil || n < 0 || n > len(hits) {
			return store.Page{}, store.ErrQuery
		}
		skip = n
	}
	page := store.Page{Processes: hits[skip:min(len(hits), skip+q.PageSize())], Gaps: m.gaps}
	page.Processes = slices.Clone(page.Processes)
	if n := skip + len(page.Processes); n < len(hits) {
		page.Next = strconv.Itoa(n)
	}
	return page, ctx.Err()
}

func (m *memory) Stats(context.Context) (store.Stats, error) {
	s := store.Stats{Processes: int64(len(m.procs)), Bytes: 4096}
	if len(m.procs) > 0 {
		s.Oldest, s.Newest = m.procs[0].Began, m.last
	}
	return s, m.err
}

func (m *memory) Hosts(ctx context.Context) ([]store.Host, error) {
	var all []store.Host
	for _, p := range m.procs {
		if slices.ContainsFunc(all, func(h store.Host) bool { return h.ID == p.Host }) {
			continue
		}
		mark, _ := m.Last(ctx, p.Host)
		all = append(all, store.Host{ID: p.Host, Name: m.names[p.Host], Last: mark})
	}
	slices.SortFunc(all, func(a, b store.Host) int { return cmp.Compare(a.ID, b.ID) })
	return all, m.err
}
