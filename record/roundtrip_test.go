package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

func statuses() *rapid.Generator[syscall.WaitStatus] {
	return rapid.OneOf(rapid.SampledFrom([]syscall.WaitStatus{0, 0x100, 0xff00, 9, 11 | coreFlag, 0x7f, 0x57f, 0xffff, 0x80, 0x109}),
		rapid.Map(rapid.Uint32(), func(n uint32) syscall.WaitStatus { return syscall.WaitStatus(n) }))
}

func TestReadGivesWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := recordings().Draw(t, "recording")
		got, err := Read(bytes.NewReader(file(t, want)), ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("read\n%+v\nwant\n%+v", got, want)
		}
	})
}

func TestTornAtEveryByte(t *testing.T) {
	want := build(15)
	var whole bytes.Buffer
	w, err := NewWriter(&whole, want.Header)
	if err != nil {
		t.Fatal(err)
	}
	// Of many batches, and of two frames.
	for i := range want.Processes {
		part := *want
		part.Processes, part.Ended, part.Losses = want.Processes[i:i+1], 0, nil
		fill(t, w, &part)
		if i%3 == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if i == 8 {
			w.frame = frameSize
		}
	}
	if err := errors.Join(w.End(want.Ended), w.Close()); err != nil {
		t.Fatal(err)
	}
	last := -1
	for n := range whole.Len() + 1 {
		got, err := Read(bytes.NewReader(whole.Bytes()[:n]), ReadOptions{})
		if err != nil {
			if got != nil || !errors.Is(err, ErrFormat) || last >= 0 {
				t.Fatalf("%d bytes: %v", n, err)
			}
			continue
		}
		if len(got.Processes) < last {
			t.Fatalf("%d bytes have %d processes, and one less has %d", n, len(got.Processes), last)
		}
		last = len(got.Processes)
		if checksum := 4; got.Ended != 0 && n < whole.Len()-checksum || got.Ended == 0 && n == whole.Len() {
			t.Fatalf("%d bytes of %d: ended at %d", n, whole.Len(), got.Ended)
		}
		if !reflect.DeepEqual(got.Header, want.Header) {
			t.Fatalf("%d bytes: header %+v", n, got.Header)
		}
		if last > 0 && !reflect.DeepEqual(got.Processes, want.Processes[:last]) {
			t.Fatalf("%d bytes: not a prefix: %+v", n, got.Processes)
		}
	}
	if last != len(want.Processes) {
		t.Errorf("%d processes of %d", last, len(want.Processes))
	}
}

func TestDamageIsTold(t *testing.T) {
	want := build(20)
	whole := file(t, want)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x55
		got, err := Read(bytes.NewReader(b), ReadOptions{})
		if err == nil && reflect.DeepEqual(got, want) && i < len(whole)-4 && i > 5 {
			continue // a bit of the frame's header that means nothing to us
		}
		if err == nil && got.Ended != 0 {
			t.Errorf("byte %d: nothing wrong was found", i)
		}
	}
}

type failing struct {
	bytes.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		err = f.err
	}
	return n, err
}

func TestErrorOfTheFileIsNoEnd(t *testing.T) {
	f := &failing{err: syscall.EIO}
	f.Reset(file(t, build(10))[:200])
	if _, err := Read(f, ReadOptions{}); !errors.Is(err, syscall.EIO) {
		t.Errorf("error is %v", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	whole := file(t, build(1000))
	got, err := Read(bytes.NewReader(whole), ReadOptions{Memory: 100_000})
	if !errors.Is(err, ErrTooLarge) || got == nil || len(got.Processes) < 50 || len(got.Processes) > 500 {
		t.Errorf("%v", err)
	}
}

// compressed returns the lines as a file.
func compressed(t interface{ Fatal(...any) }, lines ...string) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{})
	if err != nil {
		t.Fatal(err)
	}
	b.Reset()
	w.mu.Lock()
	w.enc.Reset(&w.batch)
	for _, l := range lines {
		w.line.b = append(w.line.b, l...)
		if err := w.add(); err != nil {
			t.Fatal(err)
		}
	}
	w.mu.Unlock()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLines(t *testing.T) {
	const header = `{"recording":1,"began_at":100}` + "\n"
	for _, test := range []struct {
		lines string
		err   error
		n     int
	}{
		{"", ErrFormat, 0},
		{"\n", ErrFormat, 0},
		{"{}\n", ErrFormat, 0},
		{`{"fork":0}` + "\n", ErrFormat, 0},
		{`{"recording":2}` + "\n", ErrVersion, 0},
		{`{"recording":0}` + "\n", ErrFormat, 0},
		{`{"recording":1,"began":"yesterday"}` + "\n", ErrFormat, 0},
		{header, nil, 0},
		{header + header, ErrFormat, 0},
		{header + "\n \t\n" + `{"fork":0}` + "\n", nil, 1},
		{header + `{"fork":0}`, nil, 0}, // half a line
		{header + ` { "fork" : 0 , "pid" : 7 , "later" : [ { "a" : -1.5e3 , "b" : null } , true , [ ] , { } ] } ` + "\n", nil, 1},
		{header + `{"fork":0,"by":0}` + "\n", ErrFormat, 0},
		{header + `{"fork":1}` + "\n", ErrFormat, 0},
		{header + `{"fork":0}` + "\n" + `{"fork":0}` + "\n", ErrFormat, 1},
		{header + `{"exec":0}` + "\n", ErrFormat, 0},
		{header + `{"exit":99999999999999999999}` + "\n", ErrFormat, 0},
		{header + `{"fork":0}` + "\n" + `{"exit":0,"user":-1}` + "\n", ErrFormat, 1},
		{header + `{"fork":0}` + "\n" + `{"exit":0,"evidence":"guessed"}` + "\n", nil, 1},
		{header + `{"new kind":["\ud83d\ude00\ud83d"]}` + "\n" + `{"fork":0}` + "\n", nil, 1},
		{header + `{"new kind":tru}` + "\n", ErrFormat, 0},
		{header + `{"fork":0}}` + "\n", ErrFormat, 0},
		{header + `{"fork":0` + "\n", ErrFormat, 0},
		{header + `{"fork":0,}` + "\n", ErrFormat, 0},
		{header + `{"x":` + string(bytes.Repeat([]byte("["), 1000)) + "\n", ErrFormat, 0},
		{header + `{"fork":0,"name":"` + "\x01" + `"}` + "\n", ErrFormat, 0},
		{header + `{"fork":0,"name":"\u12"}` + "\n", ErrFormat, 0},
		{header + `{"fork":0,"name":"\q"}` + "\n", ErrFormat, 0},
		{header + "[]\n", ErrFormat, 0},
		{header + "null\n", ErrFormat, 0},
	} {
		r, err := Read(bytes.NewReader(compressed(t, test.lines)), ReadOptions{})
		if !errors.Is(err, test.err) {
			t.Errorf("%s: error is %v, want %v", test.lines, err, test.err)
		}
		if r != nil && len(r.Processes) != test.n {
			t.Errorf("%s: %d processes, want %d", test.lines, len(r.Processes), test.n)
		}
	}
}

func TestLongLine(t *testing.T) {
	r := build(1)
	r.Processes[0].Execs[0].Args = []string{string(bytes.Repeat([]byte("x"), 1<<20)), "\x00"}
	got, err := Read(bytes.NewReader(file(t, r)), ReadOptions{})
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Error(err)
	}
	endless := compressed(t, `{"recording":1,"host":"`, string(bytes.Repeat([]byte("x"), maxLine)))
	if _, err := Read(bytes.NewReader(endless), ReadOptions{}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestBlankTextEnds(t *testing.T) {
	blank := bytes.Repeat([]byte("\n"), 1<<20)
	lines := []string{`{"recording":1}` + "\n"}
	for range 2 {
		lines = append(lines, string(blank))
	}
	if _, err := Read(bytes.NewReader(compressed(t, lines...)), ReadOptions{Memory: 1 << 16}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// What is told late, as by a source that reads, is read in the order of starts.
func TestOrder(t *testing.T) {
	lines := []string{`{"recording":1,"began_at":100}` + "\n"}
	for i, p := range []struct{ t, by int }{{50, -1}, {90, 0}, {70, 0}, {80, 2}, {60, 1}, {70, 0}} {
		by := ""
		if p.by >= 0 {
			by = fmt.Sprintf(`,"by":%d`, p.by)
		}
		lines = append(lines, fmt.Sprintf(`{"fork":%d,"pid":%d,"t":%d%s}`+"\n", i, i, p.t, by))
	}
	r, err := Read(bytes.NewReader(compressed(t, lines...)), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got [][2]int
	for i, p := range r.Processes {
		if p.Creator >= i {
			t.Errorf("%d was made by %d", i, p.Creator)
		}
		got = append(got, [2]int{p.ID.PID, p.Creator})
	}
	// The one at 60 is known to be no older than its creator at 90.
	if want := [][2]int{{0, -1}, {2, 0}, {5, 0}, {3, 1}, {1, 0}, {4, 4}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
