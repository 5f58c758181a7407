// Package sqlite keeps a history of processes in files of SQLite, one for each day.
//
// A file has the living processes, and those that ended a moment ago, in a row
// each. The others are in blocks of some 2,000, column by column, each with the
// processes that stand above its own: a row with an index for each question would
// cost several times the time to write, and more to read in bulk. What many
// processes have alike, as command lines, is written once a file. In memory are
// the living processes and the bounds of each block, which say what questions it
// may answer: about 200 bytes for 2,000 processes. Blocks and texts that were used
// last are kept there as well, of all days together at most 64 MiB.
//
// When the day of the wall clock (UTC) is another than that of the file, a new file
// is made, and the living processes are taken over with those that stand above
// them, so that each file answers for its day. Names begin with a number, which
// says the order in which the files were made, whatever the clock showed.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"

	"github.com/proclineage/lineage/store"
)

// Options change how a store works. The zero value is what is usual.
type Options struct {
	// Log is told of damaged files, nil for nobody.
	Log *slog.Logger
}

// ErrInUse is wrapped by the error of [Open] for a directory that another program
// has open.
var ErrInUse = errors.New("another program keeps its history there")

// A Store is a directory with a file for each day. It is a [store.Store].
type Store struct {
	dir  string
	log  *slog.Logger
	lock *os.File

	blocks *cache[place, *block]
	texts  *cache[textKey, []byte]

	writing sync.Mutex // held by who writes
	last    int64      // the greatest number of a file
	closing sync.WaitGroup
	retired trouble

	mu      sync.RWMutex
	closed  bool
	days    []*day // by number
	boots   map[bootKey]*boot
	names   map[string]string // of hosts, by ID, where they are known
	damaged []Damage
}

var _ store.Store = (*Store)(nil)

// A Damage is a file that could not be read when the store was opened.
type Damage struct {
	// Path is the file, and Day the one (UTC) that it is named for.
	Path string
	Day  time.Time
	// Err wraps [store.ErrCorrupt], and says what to do.
	Err error
}

// A place is one in a block.
type place struct {
	day, block int64
	at         int
}

type (
	textKey struct{ day, id int64 }
	bootKey struct{ host, id string }
)

// Open opens the store in the directory, which is made where it is missing. A file
// that is damaged is left out (see [Store.Damaged]); one that a later version of
// this program has written is an error, as is a directory that another one has
// open.
func Open(dir string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{dir: dir, log: o.Log, boots: map[bootKey]*boot{}, names: map[string]string{},
		blocks: newCache[place, *block](cachedBlocks), texts: newCache[textKey, []byte](cachedTexts)}
	if err := s.open(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("open the history in %s: %w", dir, err), s.release())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	s.dir = dir
	lock, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	s.lock = lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrInUse
		}
		return fmt.Errorf("lock: %w", err)
	}
	paths, err := s.paths()
	if err != nil {
		return err
	}
	var replaced []place
	for _, path := range paths {
		more, err := s.openDay(ctx, path)
		if err == nil {
			replaced = append(replaced, more...)
			continue
		}
		if err = named(path, err); !errors.Is(err, store.ErrCorrupt) {
			return err
		}
		_, date, _ := parseName(filepath.Base(path))
		on, _ := time.Parse(time.DateOnly, date) // parseName has looked
		s.damaged = append(s.damaged, Damage{path, on, err})
		s.log.Warn("a day of the history cannot be read", "file", path, "err", err)
	}
	for _, p := range replaced {
		s.markReplaced(p)
	}
	if err := s.dropStale(ctx); err != nil {
		return err
	}
	if n := len(s.days); n > 0 {
		d := s.days[n-1]
		if d.writer, err = openWriter(ctx, d); err != nil {
			return named(d.path, err)
		}
	}
	return nil
}

// dropStale drops what days before the last one have in memory and later ones know
// better.
func (s *Store) dropStale(ctx context.Context) error {
	for i, d := range s.days[:max(len(s.days)-1, 0)] {
		if s.days[i+1].previous == d.sequence {
			clear(d.recent) // all of it was taken over
		}
		for _, kept := range []map[int][]*row{d.recent, d.copies} {
			for _, rows := range kept {
				for _, r := range rows {
					known, err := s.knownAfter(ctx, i, r)
					if err != nil {
						return err
					}
					if known {
						d.remove(r)
					}
				}
			}
		}
	}
	return nil
}

// knownAfter reports whether a day after that one has the process itself.
func (s *Store) knownAfter(ctx context.Context, i int, r *row) (bool, error) {
	later := s.days[i+1:]
	if slices.ContainsFunc(later, func(l *day) bool { return l.held(r.boot, r.id()) != nil }) {
		return true, nil
	}
	h, err := s.inBlocks(ctx, s.snapshot()[i+1:], r.boot, r.id())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err == nil {
		h.done()
	}
	return err == nil, err
}

// paths returns the files of days in the order in which they were made. It
// removes what was not finished.
func (s *Store) paths() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	sequences := map[string]int64{}
	var paths []string
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		if strings.Contains(e.Name(), unfinished) {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
		if n, _, ok := parseName(e.Name()); ok {
			sequences[path] = n
			s.last = max(s.last, n)
			paths = append(paths, path)
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return int(sequences[a] - sequences[b]) })
	return paths, nil
}

// openDay opens a file for reading and adds it.
func (s *Store) openDay(ctx context.Context, path string) (replaced []place, err error) {
	d, err := newDay(path)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, path); err != nil {
		return nil, err
	}
	if err = d.openReaders(ctx); err == nil {
		if replaced, err = d.load(ctx, s); err != nil && !errors.As(err, new(*sqlite.Error)) {
			err = fmt.Errorf("%w: %w", store.ErrCorrupt, err) // a file that was cut short has rows of nothing
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.bytes = d.size()
	s.days = append(s.days, d)
	return replaced, nil
}

// prepare brings a file to the newest format, and takes in what a program that was
// killed has left beside it.
func prepare(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", dsn(path, "mode=rw", "_pragma=busy_timeout(10000)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return migrate(ctx, c)
}

// boot returns the boot of the name.
func (s *Store) boot(host, id string) *boot {
	k := bootKey{host, id}
	b := s.boots[k]
	if b == nil {
		b = &boot{host: host, id: id}
		b.clock.Store(&store.Clock{})
		s.boots[k] = b
	}
	return b
}

// markReplaced takes note that the process at the place is elsewhere.
func (s *Store) markReplaced(p place) {
	for _, d := range s.days {
		if d.sequence != p.day {
			continue
		}
		i, ok := slices.BinarySearchFunc(d.blocks, p.block, func(e *entry, id int64) int { return int(e.id - id) })
		if !ok || contains(d.blocks[i].replaced, p.at) {
			return
		}
		changed := *d.blocks[i]
		changed.replaced = append(slices.Clone(changed.replaced), p.at)
		slices.Sort(changed.replaced)
		d.blocks = slices.Clone(d.blocks)
		d.blocks[i] = &changed
	}
}

// today is the day that is written to, nil for none.
func (s *Store) today() *day {
	if len(s.days) == 0 {
		return nil
	}
	return s.days[len(s.days)-1]
}

// Damaged returns the files that could not be read when the store was opened. For
// their time, pages have a gap.
func (s *Store) Damaged() []Damage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.damaged)
}

// Stats returns how much the store holds.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	if err := ctx.Err(); err != nil {
		return store.Stats{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.Stats{}, store.ErrClosed
	}
	var all store.Stats
	for i, d := range s.days {
		for _, e := range d.blocks {
			all.Processes += int64(e.n - len(e.replaced))
		}
		all.Processes += int64(len(s.listed(i, 0)))
		if d.writer != nil {
			all.Bytes += d.size()
		} else {
			all.Bytes += d.bytes
		}
		if oldest := timeOf(d.oldest); all.Oldest.IsZero() || oldest.Before(all.Oldest) {
			all.Oldest = oldest
		}
		if newest := timeOf(d.newest); newest.After(all.Newest) {
			all.Newest = newest
		}
	}
	return all, nil
}

// Close waits for what is being asked, writes what is left and frees the files.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	for _, d := range s.days {
		d.users.Wait()
	}
	s.closing.Wait()
	if err := s.release(); err != nil {
		return fmt.Errorf("close the history in %s: %w", s.dir, err)
	}
	return nil
}

func (s *Store) release() error {
	var err error
	for _, d := range s.days {
		err = errors.Join(err, d.close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}
