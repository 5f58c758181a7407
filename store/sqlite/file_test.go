package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// batch is one of three processes: one that lives for ever, one that has ended and
// was made by it, and one that was made by that one and lives.
func batch(n int, wall time.Time) *store.Batch {
	id := func(pid int) process.ID {
		return process.ID{PID: pid, Start: process.Instant(n*1e9 + pid), Precision: process.Exact}
	}
	b := &store.Batch{Host: "h", Boot: "b", Now: process.Instant(n*1e9 + 1e6), Wall: wall}
	for i := range 3 {
		p := store.Process{Key: store.Key{ID: id(10*n + i)}, Name: "p", Creator: process.Link{Evidence: process.Scanned}}
		if i > 0 {
			p.Creator = process.Link{ID: id(10*n + i - 1), Evidence: process.Observed}
		}
		if i == 1 {
			p.Exit = process.Exit{Evidence: process.Observed, At: p.ID.Start + 50}
		}
		b.Processes = append(b.Processes, p)
	}
	return b
}

func days(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		paths[i] = filepath.Base(path)
	}
	return paths
}

// made makes a store with these days in it, and closes it.
func made(t *testing.T, walls ...time.Time) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "history")
	s := opened(t, dir)
	for i, wall := range walls {
		if err := s.Append(t.Context(), batch(i+1, wall)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func opened(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func count(t *testing.T, s store.Store, q *store.Query) int {
	t.Helper()
	page, err := s.Select(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Processes)
}

// TestClockIsWrong has a clock that is set back by a day, ahead by a year and back
// again.
func TestClockIsWrong(t *testing.T) {
	walls := []time.Time{noon, noon.AddDate(0, 0, -1), noon.AddDate(1, 0, 0), noon.Add(time.Minute), noon.AddDate(0, 0, 1)}
	dir := made(t, walls...)
	want := []string{"000001-2026-11-26.db", "000002-2026-11-25.db", "000003-2027-11-26.db", "000004-2026-11-26.db", "000005-2026-11-27.db"}
	if got := days(t, dir); !slices.Equal(got, want) {
		t.Fatalf("the files are %q, and not %q", got, want)
	}
	s := opened(t, dir)
	if n := count(t, s, &store.Query{}); n != 15 {
		t.Errorf("%d processes, and not 15", n)
	}
	// The year of the wrong clock goes with the day after it.
	if err := s.Expire(t.Context(), noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := days(t, dir); !slices.Equal(got, want[4:]) {
		t.Errorf("the files are %q, and not %q", got, want[4:])
	}
	// All that lives is there, with what stands above it.
	if n := count(t, s, &store.Query{}); n != 15 {
		t.Errorf("%d processes, and not 15", n)
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	s := opened(t, dir)
	if err := s.Append(t.Context(), batch(1, noon)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestInUse(t *testing.T) {
	dir := made(t, noon)
	s := opened(t, dir)
	if _, err := sqlite.Open(dir, sqlite.Options{}); !errors.Is(err, sqlite.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("opened a second time: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, dir)
}

func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestNewerFormat(t *testing.T) {
	dir := made(t, noon)
	path := filepath.Join(dir, days(t, dir)[0])
	change(t, path, "PRAGMA user_version = 99")
	_, err := sqlite.Open(dir, sqlite.Options{})
	if err == nil || errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "later version") {
		t.Errorf("a file of the future: %v", err)
	}
	change(t, path, "PRAGMA user_version = 2")
	if n := count(t, opened(t, dir), &store.Query{}); n != 3 {
		t.Errorf("%d processes, and not 3", n)
	}
}

// TestDamagedDay has one day of three that cannot be read: another program's, cut
// short, or full of noise.
func TestDamagedDay(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"foreign": func(t *testing.T, path string) {
			os.Remove(path)
			change(t, path, "CREATE TABLE other (a)")
		},
		"cut": func(t *testing.T, path string) { os.Truncate(path, 10_000) },
		"noise": func(t *testing.T, path string) {
			os.WriteFile(path, bytes.Repeat([]byte("noise"), 5000), 0o600)
		},
	} {
		for day := range 3 {
			t.Run(name+string(rune('1'+day)), func(t *testing.T) {
				dir := made(t, noon, noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 2))
				path := filepath.Join(dir, days(t, dir)[day])
				damage(t, path)
				var log bytes.Buffer
				s, err := sqlite.Open(dir, sqlite.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				bad := s.Damaged()
				if len(bad) != 1 || bad[0].Path != path || !errors.Is(bad[0].Err, store.ErrCorrupt) || !strings.Contains(bad[0].Err.Error(), path) ||
					!strings.Contains(bad[0].Err.Error(), "move the file away") || !strings.Contains(log.String(), path) {
					t.Fatalf("damaged are %v; the log says %s", bad, log.String())
				}
				page, err := s.Select(t.Context(), &store.Query{})
				if err != nil {
					t.Fatal(err)
				}
				// Of the day, what lived on is in the next one, with those above it.
				want := 9
				if day == 2 {
					want = 6
				}
				if len(page.Processes) != want || len(page.Gaps) != 1 || page.Gaps[0].Reason != store.Damaged {
					t.Errorf("%d processes, and not %d; the gaps are %v", len(page.Processes), want, page.Gaps)
				}
				if err := s.Append(t.Context(), batch(4, noon.AddDate(0, 0, 3))); err != nil {
					t.Fatal(err)
				}
				if n := count(t, s, &store.Query{}); n != want+3 {
					t.Errorf("%d processes with those of a new day, and not %d", n, want+3)
				}
				// It is forgotten like the others.
				if err := s.Expire(t.Context(), noon.AddDate(0, 0, 3)); err != nil {
					t.Fatal(err)
				}
				if left := days(t, dir); len(left) != 1 || len(s.Damaged()) != 0 {
					t.Errorf("left are %q", left)
				}
			})
		}
	}
}

// TestDamagedBlock has a block that is not what was written, of which SQLite knows
// nothing.
func TestDamagedBlock(t *testing.T) {
	dir := made(t, noon, noon.AddDate(0, 0, 1))
	path := filepath.Join(dir, days(t, dir)[0])
	change(t, path, "UPDATE block SET sought = CAST(substr(sought, 1, 20) || x'ff' || substr(sought, 22) AS BLOB)")
	s := opened(t, dir)
	if _, err := s.Select(t.Context(), &store.Query{}); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged block is read: %v", err)
	}
	// All but the one of each day that ended before the clock was set.
	if n := count(t, s, &store.Query{Since: noon.Add(20 * time.Hour)}); n != 4 {
		t.Errorf("on the other day are %d, and not 4", n)
	}
}

// TestUnfinishedDay has what a program leaves that is killed while it makes a day.
func TestUnfinishedDay(t *testing.T) {
	dir := made(t, noon)
	path := filepath.Join(dir, "000002-2026-11-27.db.unfinished")
	for _, name := range []string{path, path + "-journal"} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := opened(t, dir)
	if err := s.Append(t.Context(), batch(2, noon.AddDate(0, 0, 1))); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*unfinished*")); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	if n := count(t, s, &store.Query{}); n != 6 {
		t.Errorf("%d processes, and not 6", n)
	}
}

// TestReaderOfAForgottenDay asks on for pages of days that are removed meanwhile.
func TestReaderOfAForgottenDay(t *testing.T) {
	dir := made(t, noon, noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 2))
	s := opened(t, dir)
	n := 0
	err := s.Living(t.Context(), "h", func(*store.Process) bool {
		if n == 0 {
			if err := s.Expire(t.Context(), noon.AddDate(0, 0, 2)); err != nil {
				t.Fatal(err)
			}
		}
		n++
		return true
	})
	if err != nil || n != 6 || len(days(t, dir)) != 1 {
		t.Errorf("%d live, %v; the files are %q", n, err, days(t, dir))
	}
}
