package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// readers is how many may read a file at once.
const readers = 3

// A day is one file.
type day struct {
	path     string
	sequence int64
	date     string
	previous int64

	read         *sql.DB
	sought, told *sql.Stmt // the parts of a block
	pages        *sql.Stmt
	writer       *writer // of the last day alone
	users        sync.WaitGroup

	// Under the lock of the store, for others than its writer.
	oldest, newest int64
	boots          map[*boot]stay
	blocks         []*entry
	sealed         map[*boot]bool // those that blocks are of; is replaced, never changed
	recent         map[int][]*row // by PID
	copies         map[int][]*row // of those above others that were taken over, by PID
	containers     map[string]*facts
	gaps           []gap
	bytes          int64 // of a day that is not written to any more
}

// A stay is what a file has of a boot.
type stay struct {
	id int64 // in the file
	// since is of the last batch before those of the file, zero for none, and now of
	// the last one of the file.
	since, now process.Instant
}

// A gap is one with the boot that it is of and the batch that it came with.
type gap struct {
	boot *boot
	asOf process.Instant
	store.Gap
}

func hasGap(gaps []gap, at *boot, g store.Gap) bool {
	return slices.ContainsFunc(gaps, func(o gap) bool { return o.boot == at && o.Gap == g })
}

// Facts are of a container, with the batch that they came with. The boot is nil
// where that is not known.
type facts struct {
	store.Container
	boot *boot
	asOf process.Instant
}

// name is what the file of a day is called.
func name(sequence int64, date string) string {
	return fmt.Sprintf("%06d-%s.db", sequence, date)
}

// parseName is the inverse.
func parseName(name string) (sequence int64, date string, ok bool) {
	number, rest, _ := strings.Cut(name, "-")
	date, isDB := strings.CutSuffix(rest, ".db")
	_, err := time.Parse(time.DateOnly, date)
	sequence, numberErr := strconv.ParseInt(number, 10, 64)
	return sequence, date, isDB && err == nil && numberErr == nil && sequence > 0
}

func dateOf(wall time.Time) string { return wall.UTC().Format(time.DateOnly) }

// dsn is how SQLite is told to open the file.
func dsn(path string, query ...string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: strings.Join(query, "&")}
	return u.String()
}

func newDay(path string) (*day, error) {
	d := &day{path: path, boots: map[*boot]stay{}, recent: map[int][]*row{}, copies: map[int][]*row{}, containers: map[string]*facts{}}
	var ok bool
	if d.sequence, d.date, ok = parseName(filepath.Base(path)); !ok {
		return nil, fmt.Errorf("%s is not the name of a day", path)
	}
	return d, nil
}

// openReaders opens the file for reading, all connections at once: one that is
// opened later would not find a file that has been removed.
func (d *day) openReaders(ctx context.Context) (err error) {
	d.read, err = sql.Open("sqlite", dsn(d.path, "mode=ro", "_pragma=query_only(1)", "_pragma=busy_timeout(10000)", "_pragma=cache_size(-512)"))
	if err != nil {
		return err
	}
	d.read.SetMaxOpenConns(readers)
	d.read.SetMaxIdleConns(readers)
	var all [readers]*sql.Conn
	for i := range all {
		if all[i], err = d.read.Conn(ctx); err == nil {
			_, err = version(ctx, all[i])
		}
		if err != nil {
			break
		}
	}
	for _, c := range all {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	if err != nil {
		return err
	}
	if d.sought, err = d.read.PrepareContext(ctx, "SELECT sought FROM block WHERE id = ?"); err != nil {
		return err
	}
	if d.told, err = d.read.PrepareContext(ctx, "SELECT told FROM block WHERE id = ?"); err != nil {
		return err
	}
	d.pages, err = d.read.PrepareContext(ctx, "SELECT id, page FROM text WHERE id <= ? ORDER BY id DESC LIMIT 1")
	return err
}

func (d *day) close() error {
	var err error
	for _, stmt := range [...]*sql.Stmt{d.sought, d.told, d.pages} {
		if stmt != nil {
			err = errors.Join(err, stmt.Close())
		}
	}
	if d.read != nil {
		err = errors.Join(err, d.read.Close())
	}
	if d.writer != nil {
		err = errors.Join(err, d.writer.close())
	}
	return err
}

// each calls f for each row of an answer of the file.
func (d *day) each(ctx context.Context, query string, f func(*sql.Rows) error) (err error) {
	rows, err := d.read.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// insert adds a row to those in memory, and remove takes it away.
func (d *day) insert(r *row) {
	pid := int(r.cell[colPID])
	if r.origin != 0 {
		d.copies[pid] = append(d.copies[pid], r)
	} else {
		d.recent[pid] = append(d.recent[pid], r)
	}
}

func (d *day) remove(r *row) {
	of, pid := d.recent, int(r.cell[colPID])
	if r.origin != 0 {
		of = d.copies
	}
	left := slices.DeleteFunc(slices.Clone(of[pid]), func(o *row) bool { return o == r })
	if len(left) == 0 {
		delete(of, pid)
	} else {
		of[pid] = left
	}
}

// held returns the row of the process among those in memory that are no copies, nil
// for none.
func (d *day) held(at *boot, id process.ID) *row { return among(d.recent, at, id) }

// copied returns the copy of the process, nil for none.
func (d *day) copied(at *boot, id process.ID) *row { return among(d.copies, at, id) }

func among(rows map[int][]*row, at *boot, id process.ID) *row {
	for _, r := range rows[id.PID] {
		if r.boot == at && r.id().Same(id) {
			return r
		}
	}
	return nil
}

// size is what the file takes on disk, with what belongs to it.
func (d *day) size() int64 {
	n := int64(0)
	for _, path := range d.files() {
		if info, err := os.Stat(path); err == nil {
			n += info.Size()
		}
	}
	return n
}

// files are the paths of the file and of what belongs to it.
func (d *day) files() []string { return []string{d.path, d.path + "-wal", d.path + "-shm"} }
