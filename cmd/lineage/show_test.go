package main

import (
	"cmp"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// smallBuild is a recording of a build that fails.
func smallBuild() *record.Recording {
	at := func(ms int) process.Instant { return process.Instant(100*time.Second) + process.Instant(ms)*1e6 }
	used := func(ms int, rss uint64) process.Usage {
		return process.Usage{Known: true, User: time.Duration(ms) * time.Millisecond, MaxRSS: rss << 20, ReadBytes: 4096}
	}
	rec := &record.Recording{
		Header: record.Header{
			Version: 1, Command: []string{"make", "-j2"}, Dir: "/src", Began: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC),
			BeganAt: at(0), Host: "elsewhere", Kernel: "6.18", CPUs: 2, Source: "bpf",
		},
		Ended: at(2000),
	}
	add := func(creator, from, to int, name string, status syscall.WaitStatus, u process.Usage, args ...string) {
		p := record.Process{
			ID: process.ID{PID: 101 + len(rec.Processes), Start: at(from), Precision: process.Exact}, Creator: creator,
			CreatorEvidence: process.Observed, Start: at(from), Name: name, UID: 0,
		}
		if len(args) > 0 {
			p.Execs = []record.Exec{{At: at(from + 1), File: "/usr/bin/" + args[0], Args: args}}
		}
		if to > 0 {
			p.End = at(to)
			p.Exit = process.Exit{Evidence: process.Observed, At: at(to), Status: status, Usage: u}
		}
		rec.Processes = append(rec.Processes, p)
	}
	add(-1, 1, 1900, "make", 2<<8, used(20, 0), "make", "-j2")
	add(0, 10, 900, "gcc", 0, used(5, 3), "gcc", "-c", "a.c")
	add(1, 20, 890, "cc1", 0, used(800, 60), "cc1", "a.c")
	add(0, 12, 1890, "gcc", 1<<8, used(5, 3), "gcc", "-c", "b c.c")
	add(3, 22, 1880, "cc1", 11, used(1500, 90), "cc1", "b c.c")
	add(0, 905, 910, "true", 0, used(1, 1), "true")
	add(0, 915, 920, "true", 0, used(1, 1), "true")
	add(0, 925, 0, "make", 0, process.Usage{})
	return rec
}

// shownRecording returns what show draws of the small build.
func shownRecording(t *testing.T, width int, flags showFlags) string {
	t.Helper()
	flags.sort.value = cmp.Or(flags.sort.value, "none")
	return drawn(width, func(s *screen) {
		a := &app{stdout: s.w, columns: func() int { return width }, getenv: func(string) string { return "" }}
		a.output.value = "text"
		v, err := newRecordView(a, smallBuild(), &flags)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case flags.why != "":
			if err := v.why(); err != nil {
				t.Fatal(err)
			}
			return
		case flags.sort.value != "none":
			v.list()
		default:
			v.tree()
		}
		v.foot()
	})
}

func TestShowGolden(t *testing.T) {
	t.Setenv("TZ", "UTC")
	goldenText(t, "show.txt", shownRecording(t, 0, showFlags{}))
	goldenText(t, "show_pids_40.txt", shownRecording(t, 40, showFlags{pids: true, all: true}))
	goldenText(t, "show_failed.txt", shownRecording(t, 0, showFlags{failed: true}))
	goldenText(t, "show_under.txt", shownRecording(t, 0, showFlags{under: "gcc"}))
	goldenText(t, "show_list.txt", shownRecording(t, 80, showFlags{sort: choice{value: "cpu"}}))
	goldenText(t, "show_why_many.txt", shownRecording(t, 80, showFlags{why: "cc1"}))
	golden(t, "show_summary_80.txt", 80, func(s *screen) { writeSummary(s, smallBuild()) })
}

// TestShowOneProcess has all about one, but for the local time.
func TestShowOneProcess(t *testing.T) {
	text := shownRecording(t, 0, showFlags{why: "105"})
	for _, want := range []string{
		"cc1 105\n", "  command     cc1 'b c.c'\n", "  program     /usr/bin/cc1\n", "ended       SIGSEGV after 1.9 s\n",
		"  chain       make 101 → gcc 104 → cc1 105\n", "CPU 1.5 s (1.5 s user, 0 ms system), memory 90 MiB at most",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestDiffSays compares the small build with one that went well.
func TestDiffSays(t *testing.T) {
	a, b := smallBuild(), smallBuild()
	for _, n := range []int{0, 3, 4} {
		b.Processes[n].Exit.Status = 0
	}
	b.Processes[5].Execs[0].Args = []string{"date"}
	b.Processes[5].Execs[0].File = "/usr/bin/date"
	d := record.Compare(a, b)
	text := drawn(100, func(s *screen) {
		v := diffView{screen: s, recs: [2]*record.Recording{a, b}, diff: &d, most: diffShown}
		v.write()
	})
	for _, want := range []string{"processes   8 → 8: 7 the same, 1 new, 1 gone\n", "at work     1.9 → 1.9 on average, 2 → 2 at most\n", "failed      3 → 0\n", "cc1 'b c.c'  SIGSEGV → status 0\n", "  + date", "  - true"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestShowBrokenPipe shows a recording to a reader that has gone.
func TestShowBrokenPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.lineage")
	if err := recordCommand(t, file, nil, "true").Run(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"show", file}, {"show", file, "-o", "json"}, {"show", file, "-o", "ndjson"}, {"show", file, "--summary"},
		{"show", file, "--format", "html"}, {"show", file, "--follow"}, {"show", file, "--follow", "-o", "ndjson"}, {"diff", file, file},
	} {
		stderr, status := toNobody(t, args...)
		if stderr != "" || status.Signal() != syscall.SIGPIPE {
			t.Errorf("%v ends with %v, %q", args, status, stderr)
		}
	}
}
