package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/proclineage/lineage/store"
)

// application is the application_id of every file: "lneg".
const application = 0x6c6e6567

// migrations make each version of the format from the one before it. The
// user_version of a file says how many it has had.
var migrations = [...]string{
	// A day. What comes in bulk is in the blobs that block.go, row.go and text.go
	// describe, each with a checksum.
	`CREATE TABLE file (
		one INTEGER PRIMARY KEY CHECK (one = 1),
		previous INTEGER NOT NULL, -- the file that the living processes were taken over from, 0 for none
		oldest INTEGER NOT NULL,   -- the wall clock at the first and at the last batch, in nanoseconds
		newest INTEGER NOT NULL
	) STRICT;
	CREATE TABLE boot (
		id INTEGER PRIMARY KEY,
		host BLOB NOT NULL,
		boot BLOB NOT NULL,
		now INTEGER NOT NULL, -- by both clocks, of the last batch, which was that many'th
		wall INTEGER NOT NULL,
		batch INTEGER NOT NULL,
		UNIQUE (host, boot)
	) STRICT;
	CREATE TABLE step ( -- of the wall clock, see store.Step
		boot INTEGER NOT NULL,
		since INTEGER NOT NULL,
		ahead INTEGER NOT NULL,
		PRIMARY KEY (boot, since)
	) STRICT, WITHOUT ROWID;
	CREATE TABLE gap (
		boot INTEGER NOT NULL,
		since INTEGER NOT NULL,
		until INTEGER NOT NULL,
		reason TEXT NOT NULL,
		lost INTEGER NOT NULL,
		PRIMARY KEY (boot, since, until, reason)
	) STRICT, WITHOUT ROWID;
	CREATE TABLE container (
		id BLOB PRIMARY KEY,
		facts BLOB NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE TABLE text (
		id INTEGER PRIMARY KEY, -- of its first text
		page BLOB NOT NULL
	) STRICT;
	CREATE TABLE recent ( -- living processes, and those that have ended and are in no block yet
		id INTEGER PRIMARY KEY,
		boot INTEGER NOT NULL,
		origin INTEGER NOT NULL, -- of a copy the file that it is from, else 0
		process BLOB NOT NULL
	) STRICT;
	CREATE TABLE block ( -- processes that have ended
		id INTEGER PRIMARY KEY,
		boot INTEGER NOT NULL,
		processes INTEGER NOT NULL,
		first_start INTEGER NOT NULL, last_start INTEGER NOT NULL,
		first_end INTEGER NOT NULL, last_end INTEGER NOT NULL,
		least_pid INTEGER NOT NULL, most_pid INTEGER NOT NULL,
		least_inner_pid INTEGER NOT NULL, most_inner_pid INTEGER NOT NULL,
		longest INTEGER NOT NULL, processor INTEGER NOT NULL, memory INTEGER NOT NULL,
		sought BLOB NOT NULL,
		told BLOB NOT NULL
	) STRICT;
	CREATE TABLE replaced ( -- processes of blocks, also of earlier files, that are in another place now
		day INTEGER NOT NULL,
		block INTEGER NOT NULL,
		place INTEGER NOT NULL,
		PRIMARY KEY (day, block, place)
	) STRICT, WITHOUT ROWID;`,
	// What hosts are called, and which batches things came with, by its instant of
	// the boot: a process by its column of the blob. Of files that were made before,
	// it is told as nearly as they say.
	`CREATE TABLE host (
		id BLOB PRIMARY KEY,
		name BLOB NOT NULL
	) STRICT, WITHOUT ROWID;
	ALTER TABLE boot ADD COLUMN since INTEGER NOT NULL DEFAULT -1; -- the last batch before those of the file, -1 where that is not known
	ALTER TABLE block ADD COLUMN first_as_of INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE block ADD COLUMN last_as_of INTEGER NOT NULL DEFAULT 0;
	UPDATE block SET first_as_of = first_start, last_as_of = (SELECT now FROM boot WHERE boot.id = block.boot);
	ALTER TABLE gap ADD COLUMN as_of INTEGER NOT NULL DEFAULT 0;
	UPDATE gap SET as_of = (SELECT now FROM boot WHERE boot.id = gap.boot);
	ALTER TABLE container ADD COLUMN boot INTEGER NOT NULL DEFAULT 0; -- zero where that is not known
	ALTER TABLE container ADD COLUMN as_of INTEGER NOT NULL DEFAULT 0;`,
}

// errNewer says that the file was written by a later version of this program.
var errNewer = errors.New("it was written by a later version of lineage")

// migrate brings a file to the newest format.
func migrate(ctx context.Context, c *sql.Conn) error {
	version, err := version(ctx, c)
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		change := fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", migrations[version], application, version+1)
		if _, err := c.ExecContext(ctx, change); err != nil {
			_, back := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			return errors.Join(fmt.Errorf("to format %d: %w", version+1, err), back)
		}
	}
	return nil
}

// version is the format of the file, zero for an empty one.
func version(ctx context.Context, c *sql.Conn) (int, error) {
	var v, app, tables int
	if err := c.QueryRowContext(ctx, "SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").Scan(&v, &app, &tables); err != nil {
		return 0, err
	}
	switch {
	case app != application && (app != 0 || v != 0 || tables != 0):
		return 0, fmt.Errorf("%w: it is a database of another program", store.ErrCorrupt)
	case v > len(migrations):
		return 0, fmt.Errorf("%w: format %d, and this one reads up to %d", errNewer, v, len(migrations))
	}
	return v, nil
}

// named says which file an error is about. Of a damaged one it says what to do.
func named(path string, err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB) ||
		errors.Is(err, errChecksum) || errors.Is(err, errBlock) || errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	if e != nil && e.Code()&0xff == sqlite3.SQLITE_FULL {
		err = fmt.Errorf("%w: %w", unix.ENOSPC, err)
	}
	if errors.Is(err, store.ErrCorrupt) {
		return fmt.Errorf("read %s: %w; stop the daemon and move the file away to go on without that day", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}
