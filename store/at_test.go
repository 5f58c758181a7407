package store_test

import (
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

func TestAt(t *testing.T) {
	p := store.Process{
		Key: store.Key{ID: process.ID{PID: 7, Start: 100e9}}, Began: now.Add(-time.Minute), Ended: now, Name: "sleep",
		Execs: []process.Command{
			{File: "/usr/local/bin/a-name-of-many-bytes", Args: []string{"first"}, At: 101e9}, {File: "sleep", Args: []string{"sleep"}, At: 110e9},
		},
		ExecCount: 2, Exit: process.Exit{Evidence: process.Observed, At: 160e9, Status: 9},
	}
	for _, c := range []struct {
		after time.Duration // its start
		name  string
		execs int
		ended bool
	}{
		{0, "", 0, false},
		{time.Second, "a-name-of-many-", 1, false},
		{10*time.Second - 1, "a-name-of-many-", 1, false},
		{10 * time.Second, "sleep", 2, false},
		{time.Minute - 1, "sleep", 2, false},
		{time.Minute, "sleep", 2, true},
	} {
		o := p.At(p.Began.Add(c.after))
		if o.Name != c.name || len(o.Execs) != c.execs || o.ExecCount != c.execs || (o.Exit.Evidence != process.Unknown) != c.ended || o.Ended.IsZero() == c.ended {
			t.Errorf("%v after its start it is %+v", c.after, o)
		}
	}
	if len(p.Execs) != 2 || p.Ended.IsZero() {
		t.Errorf("the process itself has changed: %+v", p)
	}

	// Of many the first and the last ones are kept.
	p.Execs = p.Execs[:1]
	for i := range 39 {
		p.Execs = append(p.Execs, process.Command{File: "many", At: 110e9 + process.Instant(i)})
	}
	k := store.Kept(&p, process.ID{})
	if o := k.At(p.Began.Add(5 * time.Second)); o.Execs != nil || o.Name != "" || o.ExecCount != 40-(store.MaxExecs-1) {
		t.Errorf("what it ran then is not kept, and it is %+v", o)
	}
	if o := k.At(p.Ended.Add(-1)); len(o.Execs) != store.MaxExecs || o.ExecCount != 40 || o.Name != "sleep" {
		t.Errorf("at its end it is %+v", o)
	}
	unknown := store.Process{Name: "x", Execs: p.Execs, Exit: process.Exit{Evidence: process.Observed}}
	if o := unknown.At(now); o.Name != "x" || len(o.Execs) != len(p.Execs) || o.Exit.Evidence == process.Unknown {
		t.Errorf("without a start it is %+v", o)
	}
}
