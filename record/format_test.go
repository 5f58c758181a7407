package record

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/proclineage/lineage/process"
)

// The lines are those that docs/recording.md promises: this version goes on
// writing and reading them.
func TestFormat(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, Header{
		Command: []string{"make", "a b"}, Dir: "/src", Began: time.Date(2026, 11, 26, 13, 0, 0, 5, time.UTC), BeganAt: 1000,
		Host: "host", Kernel: "6.18.0", BootID: "1e9c", CPUs: 2, Source: "bpf", Limits: []string{"no usage"}, Locked: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	fork := func(p Process) {
		if _, err := w.Fork(&p); err != nil {
			t.Fatal(err)
		}
	}
	fork(Process{ID: process.ID{PID: 7, Start: 1005, Inode: 90, Precision: process.Exact}, Start: 1005, Creator: -1, Name: "lineage", UID: 1000})
	fork(Process{ID: process.ID{PID: 8, Start: 0, Precision: process.ToTick}, Start: 990, CreatorEvidence: process.Inferred, Name: "\xff\n", UID: -1, Container: "web"})
	fork(Process{ID: process.ID{PID: 9, Start: 1006, Precision: process.Exact}, Start: 1006, CreatorEvidence: process.Observed})
	fork(Process{ID: process.ID{PID: 10, Inode: 91}, Creator: -1, UID: -1, Found: true})
	usage := process.Usage{Known: true, User: 5, System: 6, MaxRSS: 4096, ReadBytes: 7, WrittenBytes: 8}
	err = errors.Join(
		w.Exec(0, &Exec{At: 1010, File: "/usr/bin/make", Args: []string{"make", `"é`}, ArgsCut: true, UID: new(7)}, "make"),
		w.Exit(1, 1020, &process.Exit{Evidence: process.Observed, At: 1020, Status: 0x200, Usage: usage}, "sh"),
		w.Exit(2, 1021, &process.Exit{Evidence: process.Observed, At: 1021, Status: 11 | coreFlag}, ""),
		w.Exit(3, 0, &process.Exit{Evidence: process.Scanned, At: 1022}, ""),
		w.Lose(Loss{Since: 1010, Until: 1020}), w.Lose(Loss{Until: 1021}), w.Limit("no ends"),
		w.Exit(0, 1030, &process.Exit{Evidence: process.Observed, At: 1030, Status: 0xffff}, ""),
		w.End(1040), w.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	text, err := io.ReadAll(dec)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"recording":1,"command":["make","a b"],"dir":"/src","began":"2026-11-26T13:00:00.000000005Z","began_at":1000,"host":"host","kernel":"6.18.0","boot_id":"1e9c","cpus":2,"source":"bpf","limits":["no usage"],"locked":true}`,
		`{"fork":0,"pid":7,"t":5,"inode":90,"name":"lineage","uid":1000}`,
		`{"fork":1,"pid":8,"t":-10,"id_start":0,"precision":"tick","by":0,"by_evidence":"inferred","name":"\udcff\u000a","container":"web"}`,
		`{"fork":2,"pid":9,"t":6,"by":0,"uid":0}`,
		`{"fork":3,"pid":10,"precision":"unknown","inode":91,"found":true}`,
		`{"exec":0,"t":10,"name":"make","file":"/usr/bin/make","args":["make","\"é"],"args_cut":true,"uid":7}`,
		`{"exit":1,"t":20,"name":"sh","code":2,"user":5,"system":6,"rss":4096,"read":7,"written":8}`,
		`{"exit":2,"t":21,"signal":11,"core":true}`,
		`{"exit":3,"known":22,"evidence":"scanned"}`,
		`{"loss":20,"since":10}`,
		`{"loss":21}`,
		`{"limit":1,"text":"no ends"}`,
		`{"exit":0,"t":30,"status":65535}`,
		`{"end":40}`,
	}
	got := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("there is no %s", want[i])
		case i >= len(want):
			t.Errorf("there is also %s", got[i])
		case got[i] != want[i]:
			t.Errorf("line %d is\n%s\nwant\n%s", i, got[i], want[i])
		}
	}
	r, err := Read(bytes.NewReader(compressed(t, strings.Join(want, "\n")+"\n")), ReadOptions{})
	if err != nil || len(r.Processes) != 4 || len(r.Losses) != 2 || len(r.Header.Limits) != 2 || r.Ended != 1040 {
		t.Fatalf("%v: %+v", err, r)
	}
	p := r.Processes
	// The second was known to the tick only, and is no older than its creator.
	if p[0].Name != "make" || p[0].UID != 1000 || p[0].LastUID() != 7 || p[1].LastUID() != -1 || p[2].Found || !p[3].Found || !r.Header.Locked || p[0].Exit.Status != 0xffff || p[1].Name != "sh" || p[2].Name != "" || p[3].ID.PID != 10 {
		t.Errorf("%+v", p)
	}
	if at := r.Header.When(1005); !at.Equal(time.Date(2026, 11, 26, 13, 0, 0, 10, time.UTC)) {
		t.Errorf("it began at %v", at)
	}
}
