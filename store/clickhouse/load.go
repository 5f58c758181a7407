package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// hourSeconds are the seconds of an hour.
const hourSeconds = int64(time.Hour / time.Second)

// hourOf is the full hour, in seconds since the epoch, zero for a zero time.
func hourOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	s := t.Unix()
	return max(s-s%hourSeconds, 0)
}

// nanos is the time in nanoseconds since the epoch, zero for a zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// timeOf is the inverse.
func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// of is the condition that it is of the boot.
func (k bootKey) of() string {
	return "host = " + quote(k.host) + " AND boot = " + quote(k.boot)
}

// ofHost is the condition that a row is of the host, of any where that is empty.
func ofHost(host string) string {
	if host == "" {
		return "1"
	}
	return "host = " + quote(host)
}

// living is the condition that a process has not ended.
func (s *Store) living() string { return "ended = " + s.wall(0) + " AND exit = 'unknown'" }

// clock reads the clock of a boot.
func (s *Store) clock(ctx context.Context, k bootKey) (store.Clock, error) {
	var c store.Clock
	err := s.rows(ctx, "SELECT since, ahead FROM "+s.table("clocks")+" FINAL WHERE "+k.of()+" ORDER BY since", func(scan func(...any) error) error {
		var since uint64
		var ahead int64
		if err := scan(&since, &ahead); err != nil {
			return err
		}
		c.Steps = append(c.Steps, store.Step{From: process.Instant(since), Offset: time.Duration(ahead)})
		return nil
	})
	return c, err
}

// fewWindows is up to how many windows are looked at one by one, and not all between the
// first and the last.
const fewWindows = 64

// rowsOf is the condition for the rows of the processes of a boot, and some more.
func rowsOf(k bootKey, clock *store.Clock, ids []process.ID) string {
	var hours []int64
	var pids []int
	var windows []window
	anywhere := false // as the start is not known
	for _, id := range ids {
		pids = append(pids, id.PID)
		if id.Precision == process.StartUnknown {
			anywhere = true
			continue
		}
		w := windowOf(id)
		windows = append(windows, w)
		hours = append(hours, hourOf(clock.Wall(max(w.from, 1))), hourOf(clock.Wall(w.to-1)))
	}
	where := k.of() + " AND pid IN (" + list(sorted(pids), func(pid int) string { return fmt.Sprint(pid) }) + ")"
	if anywhere {
		return where
	}
	slices.SortFunc(windows, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	if len(windows) > fewWindows {
		windows = []window{{windows[0].from, windows[len(windows)-1].to}}
	}
	between := make([]string, len(windows))
	for i, w := range windows {
		from, to := w.keys()
		between[i] = "id >= " + from + " AND id < " + to
	}
	return where + fmt.Sprintf(" AND (hour IN (%s) AND (%s) OR hour = 0)", numerals(sorted(hours)), strings.Join(between, " OR "))
}

func numerals(of []int64) string { return list(of, func(n int64) string { return fmt.Sprint(n) }) }

func sorted[T int | int64](of []T) []T {
	slices.Sort(of)
	return slices.Compact(of)
}

// known are the columns by which a process is found, and what stands above it.
const known = "id, toUInt32(hour), version, pid, start, inode, precision, ancestors, toInt8(ancestors_end)"

// A found is a row of these.
type found struct {
	key     key
	hour    int64
	version uint64
	id      process.ID
	above   []key
	end     int8
}

func (f *found) scan(scan func(...any) error) error {
	var k string
	var hour uint32
	var id rowID
	var above []string
	if err := scan(&k, &hour, &f.version, &id.pid, &id.start, &id.inode, &id.precision, &above, &f.end); err != nil {
		return err
	}
	f.key, f.hour, f.id, f.above = key(k), int64(hour), id.id(), keysOf(above)
	return nil
}

// A rowID is an ID as it is read.
type rowID struct {
	pid          int64
	start, inode uint64
	precision    uint8
}

func (r *rowID) id() process.ID {
	return process.ID{PID: int(r.pid), Start: process.Instant(r.start), Inode: r.inode, Precision: process.Precision(r.precision)}
}

func keysOf(texts []string) []key {
	keys := make([]key, len(texts))
	for i, t := range texts {
		keys[i] = key(t)
	}
	return keys
}

// load returns what the writer knows of a boot, and reads it the first time.
func (s *Store) load(ctx context.Context, k bootKey) (*boot, error) {
	if b := s.boots[k]; b != nil {
		return b, nil
	}
	b := &boot{bootKey: k, nodes: map[key]*node{}, byPID: map[int][]*node{}}
	err := s.rows(ctx, "SELECT boot, batch, now, host_name FROM "+s.table("marks")+" FINAL WHERE host = "+quote(k.host)+" ORDER BY batch", func(scan func(...any) error) error {
		var boot string
		var batch, now uint64
		if err := scan(&boot, &batch, &now, &b.name); err != nil {
			return err
		}
		s.batch = max(s.batch, int64(batch))
		if boot == k.boot {
			b.mark, b.last = process.Instant(now), int64(batch)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if b.clock, err = s.clock(ctx, k); err != nil {
		return nil, err
	}
	// The first thing that is written of a boot is its clock.
	if b.stored = len(b.clock.Steps) > 0; b.stored {
		if err := s.takeLiving(ctx, b); err != nil {
			return nil, err
		}
		if err := s.takeUnmarked(ctx, b); err != nil {
			return nil, err
		}
	}
	s.boots[k] = b
	return b, nil
}

// takeLiving lets the writer know of the processes that live and of those above them.
func (s *Store) takeLiving(ctx context.Context, b *boot) error {
	var more []link
	err := s.links(ctx, b.of()+" AND "+goesOn, func(l *link) {
		n := b.nodes[l.key]
		if !l.instead && (n == nil || !n.settled) {
			more = append(more, *l)
			return
		}
		n = b.at(l.key)
		n.up, n.settled = nil, false
		b.above(n, l.above, reachUnknown)
		n.settled = true
	})
	if err == nil {
		err = s.take(ctx, b, b.of()+" AND "+s.living())
	}
	for again := err == nil; again; {
		again = false
		for _, l := range more {
			if n := b.nodes[l.key]; n != nil && n.up == nil && !n.settled && len(l.above) > 0 {
				b.above(n, l.above, reachUnknown)
				again = again || n.up != nil
			}
		}
	}
	return err
}

// takeUnmarked lets the writer know of those that began after the last batch, as the
// store tells of that: there are some where the writer before ended while it wrote.
func (s *Store) takeUnmarked(ctx context.Context, b *boot) error {
	after := process.ID{Start: b.mark, Precision: process.Exact}
	where := b.of() + " AND id >= " + keyOf(process.ID{Start: b.mark}).fixed()
	if err := s.take(ctx, b, where+fmt.Sprintf(" AND (hour >= %d OR hour = 0)", earliest(&b.clock, after))); err != nil {
		return err
	}
	return s.links(ctx, where, func(l *link) { b.named(l) })
}

// take lets the writer know of the processes for which the condition holds.
func (s *Store) take(ctx context.Context, b *boot, where string) error {
	return s.rows(ctx, "SELECT "+known+" FROM "+s.table("processes")+" FINAL WHERE "+where, func(scan func(...any) error) error {
		var f found
		if err := f.scan(scan); err != nil {
			return err
		}
		n := b.at(f.key)
		if n.version != 0 {
			return nil // the batch may have told more since
		}
		n.hour, n.version, n.old = f.hour, f.version, true
		b.know(n, f.id)
		b.above(n, f.above, f.end)
		return nil
	})
}

// lookUp lets the writer know of the processes, as far as they are in the store.
func (s *Store) lookUp(ctx context.Context, b *boot, ids []process.ID) error {
	const most = 1000
	for part := range slices.Chunk(ids, most) {
		where := rowsOf(b.bootKey, &b.clock, part)
		if err := s.take(ctx, b, where); err != nil {
			return err
		}
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id process.ID) bool { return b.find(id) != nil })
	for part := range slices.Chunk(missing, most) {
		if err := s.takeNamed(ctx, b, part); err != nil {
			return err
		}
	}
	return nil
}

// takeNamed does the same for those that are known as the creators of others alone.
func (s *Store) takeNamed(ctx context.Context, b *boot, ids []process.ID) error {
	pids := make([]int64, len(ids))
	for i, id := range ids {
		pids[i] = int64(id.PID)
	}
	return s.links(ctx, b.of()+" AND pid IN ("+numerals(sorted(pids))+")", func(l *link) {
		if slices.ContainsFunc(ids, l.id.Same) {
			b.named(l)
		}
	})
}

// named takes in who is known by the ID.
func (b *boot) named(l *link) {
	n := b.at(l.key)
	n.old = true
	if n.id.IsZero() {
		b.know(n, l.id)
	}
}

// A link is a row of the table links.
type link struct {
	bootKey
	key     key
	id      process.ID
	above   []key
	instead bool
}

// links calls each with the links for which the condition holds, in the order in which
// they were written.
func (s *Store) links(ctx context.Context, where string, each func(*link)) error {
	const columns = "host, boot, id, pid, start, inode, precision, above, instead"
	return s.rows(ctx, "SELECT "+columns+" FROM "+s.table("links")+" FINAL WHERE "+where+" ORDER BY version, instead DESC", func(scan func(...any) error) error {
		var l link
		var k string
		var id rowID
		var above []string
		var instead uint8
		if err := scan(&l.host, &l.boot, &k, &id.pid, &id.start, &id.inode, &id.precision, &above, &instead); err != nil {
			return err
		}
		l.key, l.id, l.above, l.instead = key(k), id.id(), keysOf(above), instead != 0
		each(&l)
		return nil
	})
}
