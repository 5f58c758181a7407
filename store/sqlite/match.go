package sqlite

import (
	"context"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A matcher says which processes of one file a filter means. What it has found of
// a text it does not work out again.
type matcher struct {
	s   *Store
	d   *day
	now time.Time

	numbers, pids, settings, programs store.Filter
	bySetting, byProgram              *verdicts
	one                               store.Process // with what numbers and pids look at
}

// Verdicts are what was found of pairs of texts last.
type verdicts [1 << verdictBits]struct {
	first, second int64
	known, is     bool
}

const verdictBits = 14

func (v *verdicts) at(first, second int64) uint64 {
	return (uint64(first)*0x9e3779b97f4a7c15 + uint64(second)) * 0xd6e8feb86659fd93 >> (64 - verdictBits)
}

func (v *verdicts) find(first, second int64) (is, known bool) {
	e := &v[v.at(first, second)]
	return e.is, e.known && e.first == first && e.second == second
}

func (v *verdicts) set(first, second int64, is bool) {
	e := &v[v.at(first, second)]
	e.first, e.second, e.known, e.is = first, second, true, is
}

func (s *Store) matcher(d *day, f store.Filter, now time.Time) *matcher {
	m := &matcher{s: s, d: d, now: now}
	for _, t := range f {
		switch t.Field {
		case store.PID:
			m.pids = append(m.pids, t)
		case store.ExitStatus, store.Lived, store.StateIs:
			m.numbers = append(m.numbers, t)
		case store.Text, store.Match, store.Name:
			m.programs = append(m.programs, t)
		default:
			m.settings = append(m.settings, t)
		}
	}
	return m
}

// may reports whether the block may have one.
func (m *matcher) may(e *entry) bool {
	for i := range m.pids {
		pid, _ := m.pids[i].Number()
		if m.pids[i].Op == store.Equal && (pid < e.pid[0] || pid > e.pid[1]) && (pid < e.inner[0] || pid > e.inner[1]) {
			return false
		}
	}
	return true
}

// holds reports whether the filter holds of the process at the place, with what the
// wall clock showed when it began and ended.
func (m *matcher) holds(ctx context.Context, b *block, i int, began, ended int64) (bool, error) {
	p := &m.one
	if len(m.numbers) > 0 {
		p.Began, p.Ended = timeOf(began), timeOf(ended)
		start := b.col(colStart)[i]
		p.ID.Start = process.Instant(start)
		if p.Exit.Evidence = process.Evidence(flag(b.col(colFlags)[i], flagExit)); p.Exit.Evidence != process.Unknown {
			p.Exit.At = process.Instant(start + b.col(colEnd)[i])
			p.Exit.Status = waitStatus(b.col(colStatus)[i])
		}
		if !m.numbers.Holds(p, m.now) {
			return false, nil
		}
	}
	if len(m.pids) > 0 {
		p.ID.PID, p.NamespacePIDs = int(b.col(colPID)[i]), nil
		if n := b.col(colNamespaces)[i]; n > 0 {
			p.NamespacePIDs = []int{int(b.restOf(i)[n-1])}
		}
		if !m.pids.Holds(p, m.now) {
			return false, nil
		}
	}
	if len(m.settings) > 0 {
		if ok, err := m.setting(ctx, b.col(colSetting)[i]); !ok || err != nil {
			return false, err
		}
	}
	if len(m.programs) > 0 {
		return m.program(ctx, b.col(colName)[i], b.col(colCommand)[i])
	}
	return true, nil
}

func (m *matcher) setting(ctx context.Context, id int64) (bool, error) {
	if m.bySetting == nil {
		m.bySetting = &verdicts{}
	}
	ok, known := m.bySetting.find(id, 0)
	if known {
		return ok, nil
	}
	text, err := m.s.text(ctx, m.d, id)
	if err != nil {
		return false, err
	}
	var p store.Process
	if !parseSetting(text, &p) {
		return false, named(m.d.path, errBlock)
	}
	p.Stored = m.s.container(p.Container)
	ok = m.settings.Holds(&p, m.now)
	m.bySetting.set(id, 0, ok)
	return ok, nil
}

func (m *matcher) program(ctx context.Context, name, command int64) (bool, error) {
	if m.byProgram == nil {
		m.byProgram = &verdicts{}
	}
	ok, known := m.byProgram.find(name, command)
	if known {
		return ok, nil
	}
	text, err := m.s.text(ctx, m.d, name)
	if err != nil {
		return false, err
	}
	p := store.Process{Name: string(text)}
	if command != 0 {
		if text, err = m.s.text(ctx, m.d, command); err != nil {
			return false, err
		}
		c, parsed := parseCommand(text)
		if !parsed {
			return false, named(m.d.path, errBlock)
		}
		p.Execs = []process.Command{c}
	}
	ok = m.programs.Holds(&p, m.now)
	m.byProgram.set(name, command, ok)
	return ok, nil
}
