package record

import (
	"bytes"
	"io"
	"time"

	"pgregory.net/rapid"

	"github.com/proclineage/lineage/process"
)

// instants draws moments: mostly those of a recording, also none and any.
func instants() *rapid.Generator[process.Instant] {
	return rapid.OneOf(rapid.Just(process.Instant(0)), rapid.Map(rapid.Uint64Range(0, 1e12), func(n uint64) process.Instant { return began + process.Instant(n) }),
		rapid.Map(rapid.Uint64(), func(n uint64) process.Instant { return process.Instant(n) }))
}

const began = process.Instant(17_123_450_000_000)

// texts draws what processes call themselves: any bytes.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom([]string{"", "make", "/usr/bin/cc1", "a b", "\xff\x80x", "\u00e9\U0001f600", `"\`, "\x00\x1f\x7f\n", "\ud7ff\ue000\ufffd", "\xed\xb2\x80"}),
		rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
}

// lists draws argument lists, none as nil.
func lists() *rapid.Generator[[]string] {
	return rapid.Map(rapid.SliceOfN(texts(), 0, 5), func(all []string) []string {
		if len(all) == 0 {
			return nil
		}
		return all
	})
}

func evidences() *rapid.Generator[process.Evidence] {
	return rapid.SampledFrom([]process.Evidence{process.Unknown, process.Inferred, process.Scanned, process.Observed})
}

// recordings draws any recording, its processes in order of their starts.
func recordings() *rapid.Generator[*Recording] {
	return rapid.Custom(func(t *rapid.T) *Recording {
		r := &Recording{Header: Header{
			Version: Version, Command: lists().Draw(t, "command"), Dir: texts().Draw(t, "dir"),
			Began: time.Unix(rapid.Int64Range(0, 1e10).Draw(t, "s"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns")).UTC(), BeganAt: instants().Draw(t, "at"),
			Host: texts().Draw(t, "host"), Kernel: texts().Draw(t, "kernel"), BootID: texts().Draw(t, "boot"),
			CPUs: rapid.IntRange(0, 1000).Draw(t, "cpus"), Source: texts().Draw(t, "source"), Limits: lists().Draw(t, "limits"),
		}}
		start := process.Instant(0)
		for i := range rapid.IntRange(0, 30).Draw(t, "processes") {
			if i > 0 {
				start += process.Instant(rapid.Uint64Range(0, 1e9).Draw(t, "later"))
			} else {
				start = instants().Draw(t, "start") % (1 << 62)
			}
			p := Process{
				ID:      process.ID{PID: rapid.IntRange(1, 1<<22).Draw(t, "pid"), Inode: rapid.SampledFrom([]uint64{0, 1, 90122, 1 << 63}).Draw(t, "inode")},
				Creator: rapid.IntRange(-1, i-1).Draw(t, "creator"), CreatorEvidence: evidences().Draw(t, "evidence"),
				Start: start, End: instants().Draw(t, "end"), Name: texts().Draw(t, "name"),
				Container: texts().Draw(t, "container"), UID: rapid.IntRange(-1, 1<<31-2).Draw(t, "uid"),
				Found: rapid.Bool().Draw(t, "found"),
			}
			p.ID.Precision = rapid.SampledFrom([]process.Precision{process.StartUnknown, process.ToTick, process.Exact}).Draw(t, "precision")
			p.ID.Start = rapid.OneOf(rapid.Just(start), instants()).Draw(t, "id start")
			for range rapid.IntRange(0, 3).Draw(t, "execs") {
				p.Execs = append(p.Execs, Exec{
					At: instants().Draw(t, "at"), File: texts().Draw(t, "file"), Args: lists().Draw(t, "args"), ArgsCut: rapid.Bool().Draw(t, "cut"),
					UID: rapid.Ptr(rapid.IntRange(0, 1<<31-2), true).Draw(t, "new uid"),
				})
			}
			p.Exit = process.Exit{Evidence: evidences().Draw(t, "evidence"), At: rapid.OneOf(rapid.Just(p.End), instants()).Draw(t, "known"), Status: statuses().Draw(t, "status")}
			if rapid.Bool().Draw(t, "usage") {
				p.Exit.Usage = process.Usage{Known: true, User: time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "user")), System: time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "system")),
					MaxRSS: rapid.Uint64().Draw(t, "rss"), ReadBytes: rapid.Uint64().Draw(t, "read"), WrittenBytes: rapid.Uint64().Draw(t, "written")}
			}
			r.Processes = append(r.Processes, p)
		}
		for range rapid.IntRange(0, 2).Draw(t, "losses") {
			r.Losses = append(r.Losses, Loss{instants().Draw(t, "since"), instants().Draw(t, "until")})
		}
		r.Ended = instants().Draw(t, "ended")
		return r
	})
}

// write writes the recording, all that is told of a process at once.
func write(t interface{ Fatal(...any) }, out io.Writer, r *Recording) {
	w, err := NewWriter(out, r.Header)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, r)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill adds the recording, but for the header.
func fill(t interface{ Fatal(...any) }, w *Writer, r *Recording) {
	for i := range r.Processes {
		p := &r.Processes[i]
		n, err := w.Fork(p)
		for k := 0; err == nil && k < len(p.Execs); k++ {
			err = w.Exec(n, &p.Execs[k], "")
		}
		if err == nil && p.Exit != (process.Exit{}) || p.End != 0 {
			err = w.Exit(n, p.End, &p.Exit, "")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range r.Losses {
		if err := w.Lose(l); err != nil {
			t.Fatal(err)
		}
	}
	if r.Ended != 0 {
		if err := w.End(r.Ended); err != nil {
			t.Fatal(err)
		}
	}
}

func file(t interface{ Fatal(...any) }, r *Recording) []byte {
	var b bytes.Buffer
	write(t, &b, r)
	return b.Bytes()
}
