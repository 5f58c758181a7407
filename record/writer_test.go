package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// storm adds n processes that run /bin/true, and returns how far it came.
func storm(w *Writer, n int, each func(i int)) error {
	if _, err := w.Fork(&Process{ID: process.ID{PID: 100, Start: began, Precision: process.Exact}, Start: began, Creator: -1, UID: 1000, Name: "sh"}); err != nil {
		return err
	}
	args := []string{"/bin/true"}
	random := uint64(1)
	later := func(least, most uint64) process.Instant { // as irregular as a real one
		random = random*6364136223846793005 + 1442695040888963407
		return process.Instant(least + random>>33%(most-least))
	}
	for now, i := began, 0; i < n; i++ {
		now += later(150_000, 400_000)
		p := Process{ID: process.ID{PID: 101 + i%32000, Start: now, Inode: uint64(1000 + i), Precision: process.Exact}, Start: now, CreatorEvidence: process.Observed, Name: "sh", UID: 1000}
		k, err := w.Fork(&p)
		if err != nil {
			return err
		}
		run := now + later(50_000, 150_000)
		end := run + later(200_000, 500_000)
		x := process.Exit{Evidence: process.Observed, At: end, Usage: process.Usage{Known: true, User: time.Duration(later(100_000, 300_000)), System: time.Duration(later(100_000, 300_000)), MaxRSS: uint64(later(200, 300)) << 12}}
		if err := errors.Join(w.Exec(k, &Exec{At: run, File: args[0], Args: args}, "true"), w.Exit(k, end, &x, "")); err != nil {
			return err
		}
		if each != nil {
			each(i)
		}
	}
	return nil
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// A million processes fit in 100 bytes each, and the writer remembers none.
func TestStorm(t *testing.T) {
	n := 1_000_000
	if raceEnabled {
		n /= 10
	}
	before, most := heapBytes(), uint64(0)
	var out counter
	w, err := NewWriter(&out, build(1).Header)
	if err != nil {
		t.Fatal(err)
	}
	err = storm(w, n, func(i int) {
		if i%(n/10) == 0 {
			most = max(most, heapBytes())
		}
	})
	if err := errors.Join(err, w.End(began+1), w.Close()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f bytes a process, %d KiB of memory", float64(out.n)/float64(n), (most-before)>>10)
	if out.n > 100*int64(n) {
		t.Errorf("%d bytes for %d processes", out.n, n)
	}
	if used := int64(most - before); used > 16<<20 {
		t.Errorf("%d bytes are in use", used)
	}
}

// A build, of which something is written every second, fits too.
func TestBytesOfBuild(t *testing.T) {
	r := build(5000)
	var out counter
	w, err := NewWriter(&out, r.Header)
	if err != nil {
		t.Fatal(err)
	}
	second := began
	for i := range r.Processes {
		part := Recording{Processes: r.Processes[i : i+1]}
		fill(t, w, &part)
		if r.Processes[i].Start > second+1e9 {
			second = r.Processes[i].Start
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f bytes a process", float64(out.n)/5000)
	if out.n > 100*5000 {
		t.Errorf("%d bytes for 5000 processes", out.n)
	}
}

// shared is a file in memory that is written and read at once.
type shared struct {
	mu   sync.Mutex
	b    []byte
	from int
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = append(s.b, b...)
	return len(b), nil
}

func (s *shared) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(b, s.b[s.from:])
	s.from += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (s *shared) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b)
}

func TestWrittenWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out shared
		want := build(3)
		w, err := NewWriter(&out, want.Header)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Processes {
			part := Recording{Processes: want.Processes[i : i+1]}
			fill(t, w, &part)
			<-time.After(time.Second)
			synctest.Wait()
			got, err := Read(bytes.NewReader(out.bytes()), ReadOptions{})
			if err != nil || !reflect.DeepEqual(got.Processes, want.Processes[:i+1]) {
				t.Errorf("after a second, %v: %+v", err, got)
			}
		}
		size := len(out.bytes())
		<-time.After(10 * time.Second)
		if n := len(out.bytes()); n != size {
			t.Errorf("%d bytes were written although nothing was told", n-size)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWriterRefuses(t *testing.T) {
	w, err := NewWriter(io.Discard, Header{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Fork(&Process{Creator: 0}); !errors.Is(err, ErrNumber) {
		t.Error(err)
	}
	if err := w.Exec(0, &Exec{}, ""); !errors.Is(err, ErrNumber) {
		t.Error(err)
	}
	if err := w.Exit(-1, 0, &process.Exit{}, ""); !errors.Is(err, ErrNumber) {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := w.Lose(Loss{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// full is a disk with room for so many bytes.
type full struct {
	b         []byte
	room      int
	truncated bool
}

func (f *full) Write(b []byte) (int, error) {
	n := min(len(b), f.room-len(f.b))
	f.b = append(f.b, b[:n]...)
	if n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (f *full) Truncate(size int64) error {
	f.b, f.truncated = f.b[:size], true
	return nil
}

func TestFullDisk(t *testing.T) {
	want := build(2000)
	for room := 0; room < 100_000; room += 9999 {
		f := full{room: room}
		w, err := NewWriter(&f, want.Header)
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) || room > 0 {
				t.Errorf("room for %d: %v", room, err)
			}
			continue
		}
		for i := range want.Processes {
			p := &want.Processes[i]
			n, _ := w.Fork(p)
			if n != i {
				t.Fatalf("%d has number %d", i, n)
			}
			_ = w.Exec(n, &p.Execs[0], "")
			_ = w.Exit(n, p.End, &p.Exit, "")
		}
		if err := w.Close(); !errors.Is(err, syscall.ENOSPC) || !errors.Is(w.Err(), syscall.ENOSPC) {
			t.Errorf("room for %d: %v, %v", room, err, w.Err())
		}
		got, err := Read(bytes.NewReader(f.b), ReadOptions{})
		if err != nil || !f.truncated || int64(len(f.b)) != w.size {
			t.Fatalf("room for %d: %v", room, err)
		}
		whole := got.Processes[:max(0, len(got.Processes)-1)]
		if len(whole) > 0 && !reflect.DeepEqual(whole, want.Processes[:len(whole)]) || len(whole) == 0 && room > 50_000 {
			t.Errorf("room for %d: not a prefix of %d", room, len(whole))
		}
	}
}

func TestFullFilesystem(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	dir := t.TempDir()
	runtime.LockOSThread() // for good: the mount is this thread's alone
	err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("none", dir, "tmpfs", 0, "size=256k"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	name := filepath.Join(dir, "recording")
	out, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := NewWriter(out, build(1).Header)
	if err != nil {
		t.Fatal(err)
	}
	if err := storm(w, 1_000_000, nil); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error is %v", err)
	}
	if err := w.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("closed with %v", err)
	}
	in, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	got, err := Read(in, ReadOptions{})
	if err != nil || got.Ended != 0 || len(got.Processes) < 1500 {
		t.Errorf("%v", err)
	}
	if st, err := in.Stat(); err != nil || st.Size() != w.size {
		t.Errorf("the file has %d bytes and should have %d", st.Size(), w.size)
	}
}

func TestConcurrentWriters(t *testing.T) {
	var out counter
	w, err := NewWriter(&out, Header{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				n, err := w.Fork(&Process{Creator: -1})
				if err == nil {
					err = errors.Join(w.Exit(n, 1, &process.Exit{}, ""), w.Flush(), w.Err())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n, err := w.Fork(&Process{Creator: -1}); n != 4000 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func BenchmarkWriter(b *testing.B) {
	var out counter
	w, err := NewWriter(&out, build(1).Header)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	if err := storm(w, b.N, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(out.n)/float64(b.N), "B/process")
}

func BenchmarkWriterBuild(b *testing.B) {
	var out counter
	r := build(5000)
	w, err := NewWriter(&out, r.Header)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += 5000 {
		part := Recording{Processes: r.Processes[:min(5000, b.N-n)]}
		fill(b, w, &part)
	}
	b.ReportMetric(float64(out.n)/float64(b.N), "B/process")
}

func BenchmarkReader(b *testing.B) {
	const n = 100_000
	var out bytes.Buffer
	w, err := NewWriter(&out, build(1).Header)
	if err == nil {
		err = errors.Join(storm(w, n, nil), w.Close())
	}
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(out.Bytes()), ReadOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/n, "ns/process")
}
