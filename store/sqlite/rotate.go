package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// unfinished is in the name of a file that is being made.
const unfinished = ".unfinished"

// turn makes the file that the batch belongs to the last one.
func (s *Store) turn(ctx context.Context, b *store.Batch, wall time.Time) error {
	d := s.today()
	if d != nil && d.writer.suspect {
		if err := s.reload(ctx); err != nil {
			return err
		}
		d = s.today()
	}
	date := dateOf(wall)
	if d != nil && d.date == date {
		return nil
	}
	if d != nil {
		if err := s.finish(ctx, b); err != nil {
			return err
		}
	}
	path := filepath.Join(s.dir, name(s.last+1, date))
	next, err := s.begin(ctx, d, path)
	if err != nil {
		return errors.Join(named(path, err), remove(path+unfinished), remove(path))
	}
	var old *writer
	s.mu.Lock()
	s.last++
	s.days = append(s.days, next)
	if d != nil {
		d.recent = map[int][]*row{}
		old, d.writer = d.writer, nil
	}
	s.mu.Unlock()
	if old == nil {
		return nil
	}
	err = old.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	d.bytes = d.size()
	return err
}

// reload reads the last file again, after an error that does not tell whether the
// last batch is in it.
func (s *Store) reload(ctx context.Context) error {
	old := s.today()
	d, err := newDay(old.path)
	if err != nil {
		return err
	}
	if err := d.openReaders(ctx); err != nil {
		return errors.Join(named(d.path, err), d.close())
	}
	s.mu.Lock()
	replaced, err := d.load(ctx, s)
	s.mu.Unlock()
	if err == nil {
		d.writer, err = openWriter(ctx, d)
	}
	if err != nil {
		return errors.Join(named(d.path, err), d.close())
	}
	s.mu.Lock()
	s.days = slices.Clone(s.days)
	s.days[len(s.days)-1] = d
	for _, p := range replaced {
		s.markReplaced(p)
	}
	s.mu.Unlock()
	s.retire(old)
	return nil
}

// retire closes a day when nobody uses it any more.
func (s *Store) retire(d *day) {
	s.closing.Go(func() {
		d.users.Wait()
		if err := d.close(); s.retired.news(err) {
			s.log.Warn("a day of the history cannot be closed", "file", d.path, "err", err)
		}
	})
}

// finish puts all that has ended into blocks.
func (s *Store) finish(ctx context.Context, b *store.Batch) error {
	t := s.stage(b, timeOf(s.today().newest))
	t.clock, t.last, t.now, t.name = nil, t.boot.last, t.boot.last.now, ""
	t.fill(1)
	if len(t.made) == 0 {
		return nil
	}
	if err := t.writer.transact(ctx, func() error { return t.writeBlocks(ctx) }); err != nil {
		return failed(ctx, t.day, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.publish()
	if t.newBoot { // it is not in the file
		delete(t.boots, t.boot)
	}
	return nil
}

// begin makes the file that comes after the day, nil for none.
func (s *Store) begin(ctx context.Context, from *day, path string) (*day, error) {
	d, err := newDay(path)
	if err != nil {
		return nil, err
	}
	if from != nil {
		d.previous = from.sequence
	}
	file, err := os.OpenFile(path+unfinished, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := s.takeOver(ctx, d, from); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close(), os.Rename(path+unfinished, path), syncDir(s.dir)); err != nil {
		return nil, err
	}
	// From here on it is what a restart would find.
	if err := d.openReaders(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	s.mu.Lock()
	_, err = d.load(ctx, s)
	s.mu.Unlock()
	if err == nil {
		d.writer, err = openWriter(ctx, d)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// takeOver fills the new file with what lives, what stands above that, their
// containers and the clocks.
func (s *Store) takeOver(ctx context.Context, d, from *day) (err error) {
	db, err := sql.Open("sqlite", dsn(d.path+unfinished, "mode=rw", "_pragma=page_size(8192)", "_pragma=journal_mode(MEMORY)", "_pragma=synchronous(OFF)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w := &writer{db: db, interner: newInterner(1)}
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(migrate(ctx, c), c.Close()); err != nil {
		return err
	}
	if err := w.prepare(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.conn.Close()) }()
	return w.transact(ctx, func() error {
		if from != nil {
			m := mover{s: s, ctx: ctx, w: w, boots: map[*boot]int64{}, texts: map[textKey]int64{}, containers: map[string]bool{}}
			if err := m.move(from); err != nil {
				return err
			}
		}
		return do(ctx, w.covered, d.previous, 0, 0)
	})
}

// A mover takes processes over into another file.
type mover struct {
	s   *Store
	ctx context.Context //nolint:containedctx // it lives as long as one call
	w   *writer

	boots      map[*boot]int64
	texts      map[textKey]int64
	containers map[string]bool
}

type above struct {
	boot *boot
	id   process.ID
}

func (m *mover) move(from *day) error {
	done := map[above]bool{}
	for _, b := range m.s.lastBoots() {
		if _, err := m.boot(b); err != nil {
			return err
		}
	}
	for id, name := range m.s.names {
		if err := do(m.ctx, m.w.host, []byte(id), []byte(name)); err != nil {
			return err
		}
	}
	for _, rows := range from.recent {
		for _, r := range rows {
			if err := m.row(&held{row: r, day: from}, 0); err != nil {
				return err
			}
		}
	}
	for _, rows := range from.recent {
		for _, r := range rows {
			for up := r.creator; up != nil && r.creatorKnown() && !done[above{r.boot, up.id}]; up = r.creator {
				done[above{r.boot, up.id}] = true
				h, err := m.s.find(m.ctx, r.boot, up.id)
				if errors.Is(err, store.ErrNotFound) {
					break
				}
				if err != nil {
					return err
				}
				r = h.row
				h.done() // the writer alone removes days
				living := h.day == from && h.place.block == 0 && h.origin == 0
				if living || done[above{r.boot, r.id()}] && r.id() != up.id {
					break
				}
				done[above{r.boot, r.id()}] = true
				origin := h.origin
				if origin == 0 {
					origin = h.day.sequence
				}
				if err := m.row(h, origin); err != nil {
					return err
				}
			}
		}
	}
	first, pages := m.w.interner.pages()
	for i, page := range pages {
		if err := do(m.ctx, m.w.text, first[i], page); err != nil {
			return err
		}
	}
	return nil
}

// row takes one process over.
func (m *mover) row(h *held, origin int64) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	r := *h.row
	r.rest = append([]int64(nil), r.rest...)
	var err error
	r.texts(func(id *int64) {
		if err == nil {
			*id, err = m.text(h.day, *id)
		}
	})
	if err != nil {
		return err
	}
	id, err := m.boot(r.boot)
	if err != nil {
		return err
	}
	if err := m.container(h); err != nil {
		return err
	}
	m.w.nextHome++
	return do(m.ctx, m.w.recent, m.w.nextHome, id, origin, sealed(appendRow(nil, &r)))
}

func (m *mover) text(of *day, id int64) (int64, error) {
	k := textKey{of.sequence, id}
	moved, ok := m.texts[k]
	if !ok {
		text, err := m.s.text(m.ctx, of, id)
		if err != nil {
			return 0, err
		}
		moved = m.w.interner.id(text)
		m.texts[k] = moved
	}
	return moved, nil
}

// boot returns the number of the boot in the new file.
func (m *mover) boot(b *boot) (int64, error) {
	id, ok := m.boots[b]
	if ok {
		return id, nil
	}
	id = int64(len(m.boots)) + 1
	m.boots[b] = id
	if err := m.w.writeBoot(m.ctx, b, stay{id: id, since: b.last.now}, b.last); err != nil {
		return 0, err
	}
	for _, step := range b.clock.Load().Steps {
		if err := do(m.ctx, m.w.step, id, int64(step.From), int64(step.Offset)); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// container takes over what is known of the process's container.
func (m *mover) container(h *held) error {
	var p store.Process
	text, err := m.s.text(m.ctx, h.day, h.cell[colSetting])
	if err != nil {
		return err
	}
	if !parseSetting(text, &p) {
		return named(h.day.path, errBlock)
	}
	c := m.s.facts(p.Container)
	if c == nil || m.containers[c.ID] {
		return nil
	}
	m.containers[c.ID] = true
	id := int64(0)
	if c.boot != nil {
		if id, err = m.boot(c.boot); err != nil {
			return err
		}
	}
	return do(m.ctx, m.w.container, []byte(c.ID), appendContainer(nil, &c.Container), id, int64(c.asOf))
}
