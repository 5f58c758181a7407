package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/proclineage/lineage/store"
)

var now = time.Date(2026, 11, 26, 14, 30, 0, 0, time.FixedZone("CET", 3600))

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"10m":                       "2026-11-26T14:20:00+01:00",
		"0s":                        "2026-11-26T14:30:00+01:00",
		"36h":                       "2026-11-25T02:30:00+01:00",
		"7d":                        "2026-11-19T14:30:00+01:00",
		"2w":                        "2026-11-12T14:30:00+01:00",
		"08:15":                     "2026-11-26T08:15:00+01:00",
		"08:15:30.5":                "2026-11-26T08:15:30.5+01:00",
		"2026-01-31":                "2026-01-31T00:00:00+01:00",
		"2026-01-31 08:15":          "2026-01-31T08:15:00+01:00",
		"2026-01-31T08:15":          "2026-01-31T08:15:00+01:00",
		"2026-01-31 08:15:30":       "2026-01-31T08:15:30+01:00",
		"2026-01-31T08:15:00Z":      "2026-01-31T08:15:00Z",
		"2026-01-31T08:15:00-05:00": "2026-01-31T08:15:00-05:00",
	} {
		got, err := store.ParseTime(text, now)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q is %v, %v, and not %s", text, got.Format(time.RFC3339Nano), err, want)
		}
	}
	for _, text := range []string{"", "-5m", "yesterday", "25:00", "2026-13-01", "7 d", "d", "-1d", "1d2h", "99999999999d", "36500d", "5215w", "+7d", "2026-01-31T08:15:00X"} {
		if got, err := store.ParseTime(text, now); !errors.Is(err, store.ErrQuery) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestParseQuery(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"  nginx ":                         "text=nginx",
		"nginx container:web exit!=0":      "text=nginx container=web exit!=0",
		"pid:42":                           "pid=42",
		`"two words" user:"John Doe"`:      "text=two words user=John Doe",
		`"pid:42"`:                         "text=pid:42",
		`""`:                               "",
		"exit:SIGKILL exit=kill exit>=127": "exit=SIGKILL exit=kill exit>=127",
		"lived>1.5s lived<=1h":             "lived>1.5s lived<=1h",
		"state:running match:^a=b":         "state=running match=^a=b",
		"--flag=1 /usr/bin/a:b A=b":        "text=--flag=1 text=/usr/bin/a:b text=A=b",
	} {
		var q store.Query
		if err := store.ParseQuery(&q, text, now); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := ""
		for i, f := range q.Filter {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprintf("%s%s%s", f.Field, f.Op, f.Value)
		}
		if got != want {
			t.Errorf("%q asks for %q, and not for %q", text, got, want)
		}
	}
	var q store.Query
	if err := store.ParseQuery(&q, "since:10m until:2026-11-26T14:25 host:h1", now); err != nil || len(q.Filter) > 0 || q.Host != "h1" ||
		!q.Since.Equal(now.Add(-10*time.Minute)) || !q.Until.Equal(now.Add(-5*time.Minute)) {
		t.Errorf("%+v, %v", q, err)
	}
	for _, text := range []string{
		`"open`, "pid:0", "pid:x", "pid:99999999999", "pid>3", "container<a", "exit:SIGNOTHING", "exit:", "lived:soon", "state:asleep", "colour:red", "match:(", "since:later",
		"since>10m", "until!=1d", "user:",
	} {
		var q store.Query
		if err := store.ParseQuery(&q, text, now); !errors.Is(err, store.ErrQuery) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add(`nginx container:web exit!=0 since:10m "a b" lived>1s match:a.*b`)
	f.Add(`"pid:1" user:"x y" until:2026-01-31T08:15:00Z`)
	f.Fuzz(func(t *testing.T, text string) {
		var q store.Query
		err := store.ParseQuery(&q, text, now)
		if err != nil {
			if !errors.Is(err, store.ErrQuery) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		for _, term := range q.Filter {
			if _, err := store.ParseTerm(term.Field, term.Op, term.Value); err != nil {
				t.Errorf("%q: its own term is refused: %v", text, err)
			}
			term.Holds(&store.Process{}, now)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"10m", "7d", "08:15", "2026-01-31", "2026-01-31T08:15:00Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := store.ParseTime(text, now)
		if err == nil && got.IsZero() && text != "0001-01-01T00:00:00Z" || err != nil && !errors.Is(err, store.ErrQuery) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	})
}
