package storetest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// small mounts a disk of the size and fills a part of it, which is given back by
// the function.
func small(t *testing.T, size string, ballast int) (dir string, giveBack func()) {
	linuxtest.Need(t, linuxtest.Root)
	dir = t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size))
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(path, make([]byte, ballast), 0o600))
	return dir, func() { must(t, os.Remove(path)) }
}

// wide is a numbered batch with long command lines.
func wide(n int) *store.Batch {
	b := numbered(n)
	for i := range b.Processes {
		p := &b.Processes[i]
		p.Execs[0].Args = append(p.Execs[0].Args, strings.Repeat(p.ID.String(), 10))
	}
	return b
}

func (o Options) fullDisk(t *testing.T) {
	dir, giveBack := small(t, "8m", 3<<20)
	s := o.open(t, dir)
	n := 0
	var err error
	for ; n < 90; n++ {
		if err = s.Append(t.Context(), wide(n)); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("after %d batches: %v", n, err)
	}
	must(t, whole(t, s, n))
	if again := s.Append(t.Context(), wide(n)); !errors.Is(again, unix.ENOSPC) {
		t.Fatalf("the same batch, with no more room: %v", again)
	}
	must(t, whole(t, s, n))
	giveBack()
	must(t, s.Append(t.Context(), wide(n)))
	must(t, whole(t, s, n+1))
	must(t, s.Close())
	s = o.open(t, dir)
	must(t, whole(t, s, n+1))
}

// fullDiskAtMidnight has no room for the next day.
func (o Options) fullDiskAtMidnight(t *testing.T) {
	dir, giveBack := small(t, "8m", 2<<20)
	s := o.open(t, dir)
	must(t, s.Append(t.Context(), wide(0)))
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	must(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	must(t, f.Close())
	next := emptyBatch(numbered(0).Now + process.Instant(24*time.Hour))
	next.Processes = []store.Process{{Key: store.Key{ID: process.ID{PID: 9999, Start: next.Now - 5, Precision: process.Exact}}, Name: "tomorrow"}}
	if err := s.Append(t.Context(), next); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("a new day without room: %v", err)
	}
	must(t, whole(t, s, 1))
	giveBack()
	must(t, s.Append(t.Context(), next))
	must(t, s.Close())
	s = o.open(t, dir)
	page, err := s.Select(t.Context(), &store.Query{Limit: store.MaxLimit})
	must(t, err)
	if len(page.Processes) != perBatch+1 {
		t.Errorf("%d processes, and not %d", len(page.Processes), perBatch+1)
	}
}
