package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
)

// A writer is the one connection that changes a file.
type writer struct {
	db   *sql.DB
	conn *sql.Conn

	begin, commit, rollback                      *sql.Stmt
	text, recent, forget, block, boot, step, gap *sql.Stmt
	container, replaced, covered, host           *sql.Stmt

	interner *interner
	nextHome int64
	// ended are the rows in memory that have.
	ended map[pool][]*row
	// suspect says that nobody knows whether the last transaction is in the file.
	suspect bool
	// file is the one that it writes to.
	file os.FileInfo
}

// A pool is processes that go into blocks together: those that lived for long are
// kept from the others, which are in few blocks of any time then.
type pool struct {
	boot *boot
	long bool
}

// longNanos is how long.
const longNanos = 60e9

func poolOf(r *row) pool { return pool{r.boot, r.cell[colEnd] >= longNanos} }

func openWriter(ctx context.Context, d *day) (w *writer, err error) {
	w = &writer{ended: map[pool][]*row{}}
	w.db, err = sql.Open("sqlite", dsn(d.path, "mode=rw", "_pragma=busy_timeout(10000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(NORMAL)",
		"_pragma=cache_size(-4096)", "_pragma=wal_autocheckpoint(2000)", "_pragma=journal_size_limit(33554432)"))
	if err != nil {
		return nil, err
	}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if w.file, err = os.Stat(d.path); err != nil {
		return nil, errors.Join(err, w.close())
	}
	var texts int64
	if err := w.conn.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM recent").Scan(&w.nextHome); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if texts, err = d.lastText(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.interner = newInterner(texts + 1)
	for _, rows := range d.recent {
		for _, r := range rows {
			if r.ended() {
				w.ended[poolOf(r)] = append(w.ended[poolOf(r)], r)
			}
		}
	}
	return w, nil
}

// lastText is the number of the last text of the file.
func (d *day) lastText(ctx context.Context) (last int64, err error) {
	var page []byte
	err = d.read.QueryRowContext(ctx, "SELECT id, page FROM text ORDER BY id DESC LIMIT 1").Scan(&last, &page)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	texts, err := parsePage(page)
	return last + int64(len(texts)) - 1, err
}

func (w *writer) prepare(ctx context.Context) (err error) {
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return err
	}
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.text, "INSERT INTO text VALUES (?, ?)"},
		{&w.recent, "INSERT OR REPLACE INTO recent VALUES (?, ?, ?, ?)"},
		{&w.forget, "DELETE FROM recent WHERE id = ?"},
		{&w.block, "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.boot, "INSERT OR REPLACE INTO boot VALUES (?, ?, ?, ?, ?, ?, ?)"},
		{&w.host, "INSERT OR REPLACE INTO host VALUES (?, ?)"},
		{&w.step, "INSERT OR REPLACE INTO step VALUES (?, ?, ?)"},
		{&w.gap, "INSERT OR REPLACE INTO gap VALUES (?, ?, ?, ?, ?, ?)"},
		{&w.container, "INSERT OR REPLACE INTO container VALUES (?, ?, ?, ?)"},
		{&w.replaced, "INSERT OR IGNORE INTO replaced VALUES (?, ?, ?)"},
		{&w.covered, "INSERT OR REPLACE INTO file VALUES (1, ?, ?, ?)"},
	} {
		if *p.stmt, err = w.conn.PrepareContext(ctx, p.query); err != nil { //nolint:sqlclosecheck // it is closed with the connection
			return err
		}
	}
	return nil
}

// do runs a statement.
func do(ctx context.Context, stmt *sql.Stmt, args ...any) error {
	_, err := stmt.ExecContext(ctx, args...)
	return err
}

// transact runs f in a transaction, which is undone where f or the end of it
// fails.
func (w *writer) transact(ctx context.Context, f func() error) error {
	// A statement that is broken off in its middle is undone, but whether the
	// last one came to its end nobody would know: only f looks at the context.
	ctx = context.WithoutCancel(ctx)
	if err := do(ctx, w.begin); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if err = do(ctx, w.commit); err == nil {
			return nil
		}
		w.suspect = true
	}
	if back := do(ctx, w.rollback); back != nil && !w.suspect {
		w.suspect = true // a full disk has undone it, as a rule
	}
	return err
}

func (w *writer) close() error {
	var err error
	if w.conn != nil {
		if !w.suspect { // else the disk is full, as a rule
			_, err = w.conn.ExecContext(context.Background(), "PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)")
		}
		err = errors.Join(err, w.conn.Close())
	}
	return errors.Join(err, w.db.Close())
}

// writeBoot writes what the file has of a boot, with its last batch.
func (w *writer) writeBoot(ctx context.Context, b *boot, has stay, last mark) error {
	return do(ctx, w.boot, has.id, []byte(b.host), []byte(b.id), int64(last.now), last.wall, last.batch, int64(has.since))
}
