package sqlite_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
)

// TestMoved takes the files away under a store.
func TestMoved(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+".old") },
		"lock":    func(dir string) error { return os.Remove(filepath.Join(dir, "lock")) },
		"day":     func(dir string) error { return os.Remove(filepath.Join(dir, "000001-2026-11-26.db")) },
		"copied": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.CopyFS(dir, os.DirFS(dir+".old")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := made(t, noon)
			s := opened(t, dir)
			if err := take(dir); err != nil {
				t.Fatal(err)
			}
			// Of the same day and of the next one.
			for _, days := range []int{0, 1} {
				if err := s.Append(t.Context(), batch(2, noon.AddDate(0, 0, days))); !errors.Is(err, sqlite.ErrMoved) || !strings.Contains(err.Error(), dir) {
					t.Errorf("a batch of %d days later: %v", days, err)
				}
			}
			if err := s.Expire(t.Context(), noon.AddDate(1, 0, 0)); !errors.Is(err, sqlite.ErrMoved) {
				t.Errorf("expire: %v", err)
			}
			if n := count(t, s, &store.Query{}); n != 3 {
				t.Errorf("%d processes, and not 3", n)
			}
		})
	}
}

// TestMovedAndBack has a directory that another store takes, and that is given back.
func TestMovedAndBack(t *testing.T) {
	dir := made(t, noon)
	s := opened(t, dir)
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	other := opened(t, dir)
	for n := range 3 {
		if err := other.Append(t.Context(), batch(n+1, noon.AddDate(0, 0, n))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Append(t.Context(), batch(2, noon)); !errors.Is(err, sqlite.ErrMoved) {
		t.Errorf("with another store there: %v", err)
	}
	if err := s.Expire(t.Context(), noon.AddDate(1, 0, 0)); !errors.Is(err, sqlite.ErrMoved) || len(days(t, dir)) != 3 {
		t.Errorf("expire: %v; the other store's files are %q", err, days(t, dir))
	}
	if n := count(t, other, &store.Query{}); n != 9 {
		t.Errorf("the other store has %d processes, and not 9", n)
	}
	if err := errors.Join(other.Close(), os.RemoveAll(dir), os.Rename(dir+".old", dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), batch(2, noon)); err != nil {
		t.Errorf("with the files back: %v", err)
	}
	if n := count(t, s, &store.Query{}); n != 6 {
		t.Errorf("%d processes, and not 6", n)
	}
}

// TestFullDiskIsToldOnce appends to a full disk again and again.
func TestFullDiskIsToldOnce(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	var log bytes.Buffer
	s, err := sqlite.Open(dir, sqlite.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for n := 1; failed < 10; n++ {
		b := batch(n, noon)
		b.Processes[0].Execs = []process.Command{{File: "/bin/true", Args: []string{strings.Repeat("a", 1<<16-n)}, At: b.Now}}
		switch err := s.Append(t.Context(), b); {
		case errors.Is(err, unix.ENOSPC):
			failed++
		case err != nil:
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil { // waits for what is closed meanwhile
		t.Error(err)
	}
	if n := strings.Count(log.String(), "\n"); n > 1 {
		t.Errorf("the log has %d lines: %s", n, log.String())
	}
}
