package bpf

import (
	"errors"
	"testing"

	"github.com/proclineage/lineage/process"
)

// records returns one of each kind, as the programs write them.
func records() [][]byte {
	of := func(kind, size int, set map[int]uint32) []byte {
		b := make([]byte, size)
		native.PutUint32(b, uint32(kind))
		for at, v := range set {
			native.PutUint32(b[at:], v)
		}
		return b
	}
	exec := append(of(recordExec, execSize, map[int]uint32{32: 7, 80: 2, 84: 2, 88: 4, 92: 4}), "/aa\x00b\x00"...)
	line := append(of(recordLine, lineSize, map[int]uint32{16: 9, 32: 1, lineLength: 4}), "b\x00a\x00"...)
	return [][]byte{
		of(recordFork, processSize+8, map[int]uint32{32: 7, processInners: 2, processSize: 3, processSize + 4: 1}),
		exec,
		of(recordExited, exitedSize, map[int]uint32{32: 7, 64: 256}),
		of(recordMoved, movedSize, map[int]uint32{32: 7}),
		of(recordSeen, processSize+4, map[int]uint32{32: 7, processInners: 1}),
		line,
		of(recordRenamed, headSize, nil),
		of(recordSelf, selfSize, nil),
	}
}

func TestRecords(t *testing.T) {
	s := newSets([]hierarchy{{id: 0, prefix: "0::"}})
	d := newDecoder(0, s.cgroup)
	var e process.Event
	for _, b := range records() {
		switch native.Uint32(b) {
		case recordLine:
			if err := s.line(b); err != nil || s.cgroup(9).Membership != "0::/a/b\n" {
				t.Errorf("%+v, %v", s.cgroup(9), err)
			}
		case recordRenamed, recordSelf:
		default:
			if _, err := d.event(b, &e); err != nil || e.ID.PID != 7 {
				t.Errorf("kind %d: %+v, %v", native.Uint32(b), e, err)
			}
		}
		for n := range len(b) {
			if _, err := d.event(b[:n], &e); err == nil && n < headSize {
				t.Errorf("%d bytes of %d are an event", n, len(b))
			}
			if native.Uint32(b) != recordLine {
				continue
			}
			if err := s.line(b[:n]); !errors.Is(err, errRecord) {
				t.Errorf("%d bytes of %d are a line", n, len(b))
			}
		}
	}
}

// What is only a part of what a process used is not said to be all.
func TestPartOfUsage(t *testing.T) {
	d := newDecoder(0, nil)
	b := make([]byte, exitedSize)
	native.PutUint32(b, recordExited)
	native.PutUint32(b[32:], 7)
	native.PutUint32(b[64:], 256)
	native.PutUint64(b[88:], 1e9)
	var e process.Event
	for _, whole := range []bool{true, false} {
		if !whole {
			native.PutUint32(b[4:], flagPart)
		}
		if _, err := d.event(b, &e); err != nil || e.Status.ExitStatus() != 1 || e.Usage.Known != whole || !whole && e.Usage != (process.Usage{}) {
			t.Errorf("whole %t: %+v, %v", whole, e, err)
		}
	}
}

func FuzzRecords(f *testing.F) {
	for _, b := range records() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newSets([]hierarchy{{id: 0, prefix: "0::"}})
		d := newDecoder(0, s.cgroup)
		var e process.Event
		if _, err := d.event(b, &e); err == nil && (e.Kind == 0 || e.ID.PID < 0) {
			t.Errorf("%+v", e)
		}
		if n, err := recordSize(b); err == nil && (n <= 0 || n > len(b)) {
			t.Errorf("a record of %d bytes in %d", n, len(b))
		}
		if err := s.line(b); err == nil && len(b) < lineSize {
			t.Error("a line without its head")
		}
	})
}

func TestPaths(t *testing.T) {
	for _, test := range []struct {
		root, path, want string
	}{
		{"", "", "0::/\n"},
		{"", "a\x00", "0::/a\n"},
		{"a\x00", "a\x00", "0::/\n"},
		{"a\x00", "b\x00a\x00", "0::/b\n"},
		{"b\x00a\x00", "a\x00", "0::/..\n"},
		{"b\x00a\x00", "c\x00a\x00", "0::/../c\n"},
		{"b\x00a\x00", "", "0::/../..\n"},
	} {
		s := newSets([]hierarchy{{id: 0, prefix: "0::", root: splitPath([]byte(test.root))}})
		got := s.membership(map[int32][]string{0: splitPath([]byte(test.path)), 5: nil})
		if got.Membership != test.want {
			t.Errorf("%q seen from %q is %q, want %q", test.path, test.root, got.Membership, test.want)
		}
	}
	s := newSets([]hierarchy{{id: 0, prefix: "0::"}, {id: 3, prefix: "3:cpu:"}})
	if got := s.membership(map[int32][]string{0: nil}); got != (process.Cgroup{}) {
		t.Errorf("a membership with a line missing is %q", got.Membership)
	}
}

func TestHierarchies(t *testing.T) {
	got, err := parseHierarchies("12:name=systemd:/a:b\n4:cpu,cpuacct:/\n0::/x\n")
	if err != nil || len(got) != 3 || got[0].prefix != "12:name=systemd:" || got[1].id != 4 || got[2].prefix != "0::" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"x\n", "1:a\n", "x:a:/\n"} {
		if got, err := parseHierarchies(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestBufferSize(t *testing.T) {
	for n, want := range map[int]int{0: DefaultBuffer, -1: DefaultBuffer, 1: 4096, 4096: 4096, 4097: 8192, 1 << 20: 1 << 20} {
		if got := bufferSize(n); got < want || got&(got-1) != 0 {
			t.Errorf("%d bytes for %d, want %d", got, n, want)
		}
	}
}
