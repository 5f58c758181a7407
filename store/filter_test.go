package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

func TestFilter(t *testing.T) {
	ended := store.Process{Name: "nginx: worker", User: "www-data", Unit: "nginx.service", UserUnit: "app.service", Session: "3", Container: "0123456789abcdef"}
	ended.ID = process.ID{PID: 42, Start: 1e9, Precision: process.Exact}
	ended.NamespacePIDs = []int{42, 7}
	ended.Owner = process.Owner{Known: true, EffectiveUID: 33}
	ended.Execs = []process.Command{{File: "/bin/sh", Args: []string{"sh"}}, {File: "/usr/sbin/nginx", Args: []string{"nginx", "-g", "Daemon off;"}}}
	ended.Stored = &store.Container{Name: "web", PodName: "front-1", PodUID: "uid-1", Namespace: "shop"}
	ended.Exit = process.Exit{Evidence: process.Observed, At: 3e9, Status: 2 << 8}
	// The wall clock was set by an hour while it lived.
	ended.Began, ended.Ended = now.Add(-time.Hour), now.Add(2*time.Second)
	killed := ended
	killed.Exit.Status = 9
	living := ended
	living.Exit, living.Ended, living.Owner, living.Stored = process.Exit{}, time.Time{}, process.Owner{}, nil
	found := ended
	found.Exit.Evidence = process.Inferred

	for _, c := range []struct {
		p           *store.Process
		holds, fail string
	}{
		{&ended, "text:NGINX|text:daemon|text:'-g d'|match:^nginx|match:off;$|pid:42|pid:7|name:nginx|name:'nginx: worker'|container:web|container:0123|container:0123456789abcdef",
			"text:sh|match:^Nginx:|pid:3|name:sh|name:worker|container:we|container:1234|container:nginx"},
		{&ended, "pod:front-1|pod:uid-1|namespace:shop|unit:nginx|unit:nginx.service|unit:app|session:3|user:www-data|user:33|pid!=1|unit!=ssh",
			"pod:front|namespace:sho|unit:ngin|unit:app.servic|session:4|user:www|user:0|pid!=42|unit!=nginx"},
		{&ended, "exit:2|exit!=0|exit>1|exit>=2|exit<3|exit<=2|exit<SIGHUP|exit!=SIGKILL|state:ended|lived:2s|lived>=2s|lived<1m", "exit:0|exit!=2|exit>2|exit<2|exit:SIGINT|state:running|lived>2s|state!=ended"},
		{&killed, "exit:SIGKILL|exit:kill|exit!=9|exit!=0|exit>255|exit>=SIGKILL|exit<SIGTERM", "exit:9|exit:SIGTERM|exit<255|exit!=SIGKILL"},
		{&living, "state:running|lived>59m|lived<61m|user:www-data|user!=33", "exit!=0|exit:0|exit<9|state:ended|user:33|container:web|pod:front-1"},
		{&found, "state:ended", "exit:2|exit!=0|exit!=2|exit:0"},
	} {
		for want, terms := range map[bool]string{true: c.holds, false: c.fail} {
			for _, text := range splitTerms(terms) {
				var q store.Query
				if err := store.ParseQuery(&q, text, now); err != nil {
					t.Fatal(err)
				}
				if got := q.Filter.Holds(c.p, now); got != want {
					t.Errorf("%s: %v of %+v", text, got, *c.p)
				}
			}
		}
	}
}

// splitTerms divides terms at |, with ' for the quotes.
func splitTerms(text string) []string {
	return strings.Split(strings.ReplaceAll(text, "'", `"`), "|")
}

func TestLived(t *testing.T) {
	at := func(start, end process.Instant, ev process.Evidence) store.Process {
		return store.Process{Key: store.Key{ID: process.ID{Start: start}}, Began: now.Add(-time.Minute), Exit: process.Exit{Evidence: ev, At: end}}
	}
	for _, c := range []struct {
		p    store.Process
		want time.Duration
	}{
		{at(5, 9, process.Observed), 4},
		{at(5, 0, process.Unknown), time.Minute},
		{at(0, 9, process.Observed), 0},
		{at(0, 0, process.Unknown), 0},
		{at(5, 0, process.Scanned), 0},
	} {
		if got := c.p.Lived(now); got != c.want {
			t.Errorf("%+v lived for %v, and not %v", c.p, got, c.want)
		}
	}
}

func TestCovers(t *testing.T) {
	at := func(s int) time.Time {
		if s < 0 {
			return time.Time{}
		}
		return now.Add(time.Duration(s) * time.Second)
	}
	for _, c := range []struct {
		since, until, began, ended int // seconds, -1 for zero
		want                       bool
	}{
		{-1, -1, 5, 9, true},
		{5, 9, 1, 5, false}, // it ended at the first instant
		{5, 9, 1, 6, true},
		{5, 9, 9, 10, false}, // it began at the end
		{5, 9, 8, 20, true},
		{5, 9, 1, 20, true},
		{5, 9, 1, -1, true},
		{5, 9, 5, 5, true}, // it ended as it began
		{5, -1, 20, 21, true},
		{-1, 9, 1, 2, true},
		{5, 5, 5, 6, true},
		{5, 5, 4, 5, false},
		{5, 5, 5, 5, true},
		{5, 5, 6, 7, false},
		{5, 5, 1, -1, true},
	} {
		q := store.Query{Since: at(c.since), Until: at(c.until)}
		if got := q.Covers(at(c.began), at(c.ended)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestKept(t *testing.T) {
	p := store.Process{Key: store.Key{ID: process.ID{PID: 1, Start: 1e9, Precision: process.ToTick}}}
	for i := range 40 {
		p.Execs = append(p.Execs, process.Command{At: process.Instant(i)})
	}
	k := store.Kept(&p, process.ID{PID: 1, Start: 1e9 + 5, Inode: 7, Precision: process.Exact})
	if want := (process.ID{PID: 1, Start: 1e9 + 5, Inode: 7, Precision: process.Exact}); k.ID != want {
		t.Errorf("it is kept as %v, not %v", k.ID, want)
	}
	if k.ExecCount != 40 || len(k.Execs) != store.MaxExecs || k.Execs[0].At != 0 || k.Execs[1].At != 25 || k.Execs[store.MaxExecs-1].At != 39 || len(p.Execs) != 40 {
		t.Errorf("%d of %d execs are kept: %v", len(k.Execs), k.ExecCount, k.Execs)
	}
	if k := store.Kept(&k, process.ID{}); k.ID.Inode != 7 || len(k.Execs) != store.MaxExecs || k.ExecCount != 40 {
		t.Errorf("kept again it is %+v", k)
	}
}
