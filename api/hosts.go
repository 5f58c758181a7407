package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A scope is which hosts a question is about.
type scope struct {
	one  *store.Host  // nil where it is about all
	all  []store.Host // that are known
	here bool         // the one is that of the live view
}

// id is the host, empty where there are more.
func (c *scope) id() string {
	if c.one == nil {
		return ""
	}
	return c.one.ID
}

// name is what a host is called, empty where that is not known.
func (c *scope) name(id string) string {
	for i := range c.all {
		if c.all[i].ID == id {
			return c.all[i].Name
		}
	}
	return ""
}

// hosts returns the hosts that are known: those of the history, and that of the live
// view.
func (s *Server) hosts(ctx context.Context) (list []store.Host, err error) {
	if s.o.History != nil {
		if list, err = s.o.History.Hosts(ctx); err != nil {
			return nil, err
		}
	}
	if !s.live {
		return list, nil
	}
	own := s.own()
	i := slices.IndexFunc(list, func(h store.Host) bool { return h.ID == s.host })
	if i < 0 {
		return append(list, own), nil
	}
	own.Last.Now, own.Last.Wall = list[i].Last.Now, list[i].Last.Wall
	list[i] = own
	return list, nil
}

// aboutPast is about, where there is a history.
func (s *Server) aboutPast(ctx context.Context, text string) (scope, error) {
	if s.o.History == nil {
		return scope{}, errNoHistory
	}
	return s.about(ctx, text)
}

// about returns the hosts that a question to the history is about, which the text may
// name: every one where it does not.
func (s *Server) about(ctx context.Context, text string) (scope, error) {
	c := scope{}
	var err error
	if c.all, err = s.hosts(ctx); err != nil {
		return c, err
	}
	switch {
	case text != "":
		if c.one, err = hostOf(c.all, text); err != nil {
			return c, err
		}
	case len(c.all) == 1:
		c.one = &c.all[0]
	}
	c.here = s.live && c.one != nil && c.one.ID == s.host
	return c, nil
}

// aboutOne returns the host that a question about one is about: that of the live view
// unless the text names another one.
func (s *Server) aboutOne(ctx context.Context, text string) (scope, error) {
	if text == "" && s.live {
		text = s.host
	}
	c, err := s.about(ctx, text)
	if err == nil && c.one == nil {
		if len(c.all) == 0 {
			return c, problem(http.StatusNotFound, "it is written by lineage serve --store", "the history has nothing yet")
		}
		err = problem(http.StatusBadRequest, "give host (--host): there are "+hostList(c.all), "which host is meant is not said")
	}
	return c, err
}

// aboutNow is aboutOne, and asks nobody where it is the host of the live view.
func (s *Server) aboutNow(ctx context.Context, text string) (scope, error) {
	if !s.live || text != "" && text != s.host {
		return s.aboutOne(ctx, text)
	}
	c := scope{all: []store.Host{s.own()}, here: true}
	c.one = &c.all[0]
	return c, nil
}

// own is the host of the live view.
func (s *Server) own() store.Host {
	name, _ := os.Hostname() // it reads uname(2), which cannot fail
	return store.Host{ID: s.host, Name: cmp.Or(s.o.HostName, name), Last: store.Mark{Boot: s.boot}}
}

// leastPrefix is how many letters of an ID name its host at the least.
const leastPrefix = 4

// hostOf returns the host that a text means: by its ID, its name, the first part or the
// beginning of that, or the beginning of its ID.
func hostOf(all []store.Host, text string) (*store.Host, error) {
	for _, is := range []func(*store.Host) bool{
		func(h *store.Host) bool { return h.ID == text },
		func(h *store.Host) bool { return h.Name == text },
		func(h *store.Host) bool { return strings.HasPrefix(h.Name, text+".") },
		func(h *store.Host) bool {
			return strings.HasPrefix(h.Name, text) || len(text) >= leastPrefix && strings.HasPrefix(h.ID, text)
		},
	} {
		var found []store.Host
		for i := range all {
			if is(&all[i]) {
				found = append(found, all[i])
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return &found[0], nil
		default:
			return nil, problem(http.StatusBadRequest, "say more of its name, or its machine-id: there are "+hostList(found), "%q means more than one host", text)
		}
	}
	hint := "nothing has been written yet"
	if len(all) > 0 {
		like := slices.Clone(all) // the likeliest first
		slices.SortStableFunc(like, func(a, b store.Host) int {
			switch has := strings.Contains(a.Name, text); {
			case has == strings.Contains(b.Name, text):
				return 0
			case has:
				return -1
			}
			return 1
		})
		hint = "there are " + hostList(like)
	}
	return nil, problem(http.StatusNotFound, hint, "the history has nothing of a host %q", text)
}

// mostListed is how many hosts an error names.
const mostListed = 10

// hostList names hosts.
func hostList(all []store.Host) string {
	var names []string
	for i := range all[:min(len(all), mostListed)] {
		h := &all[i]
		id := h.ID[:min(len(h.ID), 12)]
		if h.Name == "" {
			names = append(names, id)
			continue
		}
		names = append(names, fmt.Sprintf("%s (%s)", h.Name, id))
	}
	text := strings.Join(names, ", ")
	if more := len(all) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Hosts are those that are known.
type Hosts struct {
	Answer
	Hosts []Host `json:"hosts"`
}

// A Host is one of the hosts of the history.
type Host struct {
	ID     string  `json:"id"`
	Name   *string `json:"name"`
	BootID string  `json:"boot_id"`
	// Last is when its last batch was made, nil where there is none, and
	// BehindSeconds how long ago that was.
	Last          *string  `json:"last"`
	BehindSeconds *float64 `json:"behind_seconds"`
	// Own says that it is that of the daemon.
	Own bool `json:"own"`
}

// listHosts answers which hosts the history is of.
func (s *Server) listHosts(w http.ResponseWriter, r *http.Request) error {
	if p := s.paramsOf(r); p.err != nil {
		return p.err
	}
	c, err := s.aboutPast(r.Context(), "")
	if err != nil {
		return err
	}
	now := s.now()
	a := Hosts{Answer: s.past(&c, now), Hosts: []Host{}}
	for i := range c.all {
		h := &c.all[i]
		o := Host{ID: h.ID, Name: answer.Optional(h.Name), BootID: h.Last.Boot, Last: moment(h.Last.Wall), Own: s.live && h.ID == s.host}
		if o.Last != nil {
			o.BehindSeconds = new(max(now.Sub(h.Last.Wall), 0).Seconds())
		}
		a.Hosts = append(a.Hosts, o)
	}
	return s.json(w, r, &a)
}

// silence is how long nothing may come of a host before an answer says so: something
// happens on each within that time. After an absence it is taken for one that is no more.
const (
	silence = time.Minute
	absence = 24 * time.Hour
)

// mostSilent is how many silent hosts are named.
const mostSilent = 3

// silent says of which hosts what there was until then has not yet come, empty for none.
func (c *scope) silent(until, now time.Time) string {
	var behind []store.Host
	var newest time.Time
	there := 0
	for i := range c.all {
		last := c.all[i].Last.Wall
		if last.Before(now.Add(-absence)) {
			continue
		}
		there++
		if last.Before(until.Add(-silence)) {
			behind = append(behind, c.all[i])
			if last.After(newest) {
				newest = last
			}
		}
	}
	if len(behind) == 0 {
		return ""
	}
	of := hostList(behind)
	if len(behind) > mostSilent {
		of = fmt.Sprintf("%d of %d hosts", len(behind), there)
	}
	return "nothing newer than " + newest.UTC().Format(time.RFC3339) + " from " + of
}

// boot is the boot of the one host as of its last batch.
func (c *scope) boot() string {
	if c.one == nil {
		return ""
	}
	return c.one.Last.Boot
}

// bootTime is a time on the boot clock of the one host, zero of another boot than its
// last.
func (c *scope) bootTime(at time.Time) process.Instant {
	if c.one == nil || c.one.Last.Wall.IsZero() {
		return 0
	}
	return process.Instant(max(int64(c.one.Last.Now)+int64(at.Sub(c.one.Last.Wall)), 0))
}

// last is when the last batch was made, of the one host or of any.
func (c *scope) last() (t time.Time) {
	if c.one != nil {
		return c.one.Last.Wall
	}
	for i := range c.all {
		if last := c.all[i].Last.Wall; last.After(t) {
			t = last
		}
	}
	return t
}
