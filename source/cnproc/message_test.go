package cnproc

import (
	"testing"
)

// datagramOf is what the kernel sends of one event.
func datagramOf(what uint32, data ...uint32) []byte {
	event := native.AppendUint32(nil, what)
	event = native.AppendUint32(event, 1)    // cpu
	event = native.AppendUint64(event, 1e12) // timestamp_ns
	for _, d := range data {
		event = native.AppendUint32(event, d)
	}
	for len(event) < 40 {
		event = append(event, 0)
	}
	b := native.AppendUint32(nil, uint32(36+len(event)))
	b = append(b, make([]byte, 12)...)
	for _, n := range []uint32{indexProc, valueProc, 7, 9} {
		b = native.AppendUint32(b, n)
	}
	b = native.AppendUint16(b, uint16(len(event)))
	return append(append(b, 0, 0), event...)
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name string
		b    []byte
		want message
	}{
		{"fork", datagramOf(whatFork, 10, 11, 12, 13), message{what: whatFork, at: 1e12, parent: 11, tid: 12, pid: 13, ack: 9}},
		{"exec", datagramOf(whatExec, 12, 13), message{what: whatExec, at: 1e12, tid: 12, pid: 13, ack: 9}},
		{"exit", datagramOf(whatExit, 12, 13, 0x8b, 17), message{what: whatExit, at: 1e12, tid: 12, pid: 13, code: 0x8b, ack: 9}},
		{"answer", datagramOf(whatNone, 1), message{what: whatNone, at: 1e12, code: 1, ack: 9}},
	} {
		m, ok, rest := parse(test.b)
		if !ok || m != test.want || len(rest) != 0 {
			t.Errorf("%s: %+v, %t, %d bytes left", test.name, m, ok, len(rest))
		}
		if m, ok, rest := parse(append(test.b, test.b...)); !ok || m != test.want || len(rest) != len(test.b) {
			t.Errorf("two of %s: %+v, %t, %d bytes left", test.name, m, ok, len(rest))
		}
		for n := range test.b {
			if m, ok, rest := parse(test.b[:n]); ok || len(rest) != 0 {
				t.Errorf("%s, cut to %d bytes: %+v", test.name, n, m)
			}
		}
	}
	for _, b := range [][]byte{
		datagramOf(whatFork, 1, 1, 0, 0),
		datagramOf(markOverrun, 1, 1, 1, 1),
		datagramOf(markOverrunEnd, 1, 1, 1, 1),
		datagramOf(4, 1, 1, 1, 1),
		datagramOf(whatExit, 1<<31, 1<<31),
	} {
		if m, ok, _ := parse(b); ok {
			t.Errorf("taken: %+v", m)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, what := range []uint32{whatNone, whatFork, whatExec, whatExit, markOverrun, 4} {
		b := datagramOf(what, 1, 2, 3, 4)
		f.Add(b)
		f.Add(b[:50])
		f.Add(append(b, b...))
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			m, ok, rest := parse(b)
			if len(rest) >= len(b) {
				t.Fatalf("%d bytes left of %d", len(rest), len(b))
			}
			if ok && m.what != whatNone && (m.pid <= 0 || m.tid <= 0 || m.parent < 0 || m.what != whatFork && m.what != whatExec && m.what != whatExit) {
				t.Fatalf("taken: %+v", m)
			}
			b = rest
		}
	})
}

func BenchmarkParse(b *testing.B) {
	d := datagramOf(whatFork, 10, 11, 12, 13)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, _ := parse(d); !ok {
			b.Fatal("not taken")
		}
	}
}
