package record

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// follow follows a file to its end and returns what it was told of.
func follow(ctx context.Context, in io.Reader) (*Recording, []Kind, error) {
	var got *Recording
	var kinds []Kind
	err := Follow(ctx, in, ReadOptions{}, func(r *Reader, rec Record) error {
		got = r.Recording()
		kinds = append(kinds, rec.Kind)
		return nil
	})
	return got, kinds, err
}

// Follow sees all of a file that is being written, in order.
func TestFollowWhileWriting(t *testing.T) {
	want := build(3000)
	name := filepath.Join(t.TempDir(), "recording")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go write(errorer{t}, out, want)
	got, kinds, err := follow(t.Context(), in)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: not what was written", err)
	}
	if n := len(kinds); n != 2+3*len(want.Processes) || kinds[0] != Began || kinds[n-1] != Ended {
		t.Errorf("%d records", n)
	}
}

// errorer makes of what is fatal an error, as another goroutine must.
type errorer struct{ *testing.T }

func (e errorer) Fatal(args ...any) { e.Error(args...) }

// dripping gives a byte, and then for once none.
type dripping struct {
	in  io.Reader
	dry bool
}

func (d *dripping) Read(b []byte) (int, error) {
	d.dry = !d.dry
	if d.dry {
		return 0, io.EOF
	}
	return d.in.Read(b[:1])
}

func TestFollowByteByByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := build(30)
		got, _, err := follow(t.Context(), &dripping{in: bytes.NewReader(file(t, want))})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: not what was written", err)
		}
	})
}

// What is in the file is told without more having to come after it.
func TestFollowIsNotBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var f shared
		want := build(50)
		w, err := NewWriter(&f, want.Header)
		if err != nil {
			t.Fatal(err)
		}
		seen, done := 0, make(chan error)
		go func() {
			done <- Follow(ctx, &f, ReadOptions{}, func(r *Reader, _ Record) error {
				seen = len(r.Recording().Processes)
				return nil
			})
		}()
		for i := range want.Processes {
			part := Recording{Processes: want.Processes[i : i+1]}
			fill(t, w, &part)
			if i%20 == 7 { // a frame as well
				w.mu.Lock()
				w.frame = frameSize
				w.mu.Unlock()
			}
			<-time.After(batchAge + followInterval)
			synctest.Wait()
			if seen != i+1 {
				t.Errorf("%d were seen of %d", seen, i+1)
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFollowStops(t *testing.T) {
	enough := errors.New("enough")
	if err := Follow(t.Context(), bytes.NewReader(file(t, build(5))), ReadOptions{}, func(*Reader, Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error is %v", err)
	}
	if err := Follow(t.Context(), bytes.NewReader(bytes.Repeat([]byte("no recording"), 100)), ReadOptions{}, nil); !errors.Is(err, ErrFormat) {
		t.Errorf("error is %v", err)
	}
}

// TestFollowAbandoned follows recordings whose writer goes away, or has gone, without
// an end.
func TestFollowAbandoned(t *testing.T) {
	for name, gone := range map[string]bool{"before": true, "meanwhile": false} {
		t.Run(name, func(t *testing.T) { followAbandoned(t, gone) })
	}
}

func followAbandoned(t *testing.T, gone bool) {
	name := filepath.Join(t.TempDir(), "recording")
	open := func(flags int) *os.File {
		f, err := os.OpenFile(name, flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() }) // it may be closed
		return f
	}
	out := open(os.O_RDWR | os.O_CREATE)
	if locked, err := Lock(out); !locked || err != nil {
		t.Fatal(locked, err)
	}
	if _, err := Lock(open(os.O_RDWR)); !errors.Is(err, ErrLocked) {
		t.Errorf("locked again: %v", err)
	}
	want := build(30)
	want.Header.Locked = true
	w, err := NewWriter(out, want.Header)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, &Recording{Processes: want.Processes})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if gone {
		out.Close()
	}
	var got *Recording
	err = Follow(t.Context(), open(os.O_RDONLY), ReadOptions{}, func(r *Reader, _ Record) error {
		if got = r.Recording(); len(got.Processes) == len(want.Processes) && !gone {
			out.Close()
		}
		return nil
	})
	if !errors.Is(err, ErrAbandoned) || !reflect.DeepEqual(got.Processes, want.Processes) {
		t.Errorf("%v, %d processes", err, len(got.Processes))
	}
}
