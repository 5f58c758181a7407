package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A found is the process that a request is about: of now, or from the history.
type found struct {
	live   process.Process
	stored *store.Process // nil for one of now
	scope  scope          // of a stored one
	at     time.Time      // when, zero for now or for one that an id names
	note   string         // why less is known of it, empty if not
}

// find returns the process that the path of a request names. What is about now and
// another host than that of the live view is of its last batch.
func (s *Server) find(r *http.Request, p *params, at time.Time) (found, error) {
	who, err := subjectOf(r.PathValue("id"))
	if err != nil {
		return found{}, err
	}
	v := sees(r)
	boot, host := p.text("boot"), p.text("host")
	if host == "" && !s.live && !who.id.IsZero() {
		if host, err = s.hostWith(r.Context(), who.id, boot); err != nil {
			return found{}, err
		}
	}
	c, err := s.aboutNow(r.Context(), host)
	if err != nil {
		return found{}, err
	}
	if at.IsZero() && c.here && (boot == "" || boot == s.boot) {
		f := found{}
		if f.live, err = s.living(v, who); err == nil {
			return f, nil
		}
		if errors.Is(err, lineage.ErrIncomplete) {
			f.note = answer.OneLine(err)
			return f, nil
		}
		if who.id.IsZero() || s.o.History == nil || !errors.Is(err, lineage.ErrNotFound) {
			return f, err
		}
	}
	if s.o.History == nil {
		return found{}, errNoHistory
	}
	if c.here { // and when it was written last is not known yet
		if c, err = s.aboutOne(r.Context(), s.host); err != nil {
			return found{}, err
		}
	}
	var past store.Process
	switch {
	case !who.id.IsZero():
		if boot == "" {
			if boot, err = s.bootOf(r.Context(), &c, who.id, at); err != nil {
				return found{}, err
			}
		}
		past, err = s.o.History.Process(r.Context(), store.Key{Host: c.id(), Boot: boot, ID: who.id})
	case at.IsZero() && (c.here || boot != ""):
		return found{}, malformed("of another boot, ask for an id, or for a PID at a time")
	default:
		if at.IsZero() {
			at = c.last()
		}
		past, err = s.o.History.Holder(r.Context(), c.id(), who.pid, at)
	}
	if err != nil {
		return found{}, err
	}
	if !s.shows(v, s.ownerOf(&past)) {
		return found{}, store.ErrNotFound
	}
	return found{stored: &past, scope: c, at: at}, nil
}

// hostWith returns the one host that has a process with the ID, of its last boot where
// none is said. It is empty where there is but one host.
func (s *Server) hostWith(ctx context.Context, id process.ID, boot string) (string, error) {
	c, err := s.about(ctx, "")
	if err != nil || len(c.all) < 2 {
		return "", err
	}
	keys := make([]store.Key, len(c.all))
	for i := range c.all {
		keys[i] = store.Key{Host: c.all[i].ID, Boot: cmp.Or(boot, c.all[i].Last.Boot), ID: id}
	}
	has := map[string]bool{}
	for part := range slices.Chunk(keys, mostAtOnce) {
		list, err := s.o.History.Processes(ctx, part)
		if err != nil {
			return "", err
		}
		for i := range list {
			has[list[i].Host] = true
		}
	}
	of := slices.DeleteFunc(c.all, func(h store.Host) bool { return !has[h.ID] })
	switch len(of) {
	case 0:
		return "", problem(http.StatusNotFound, "of an earlier boot, give the host (--host) and the time (--at)", "no host has it")
	case 1:
		return of[0].ID, nil
	}
	return "", problem(http.StatusBadRequest, "give host (--host): there are "+hostList(of), "more than one host has it")
}

// living returns a process that the live view knows, if the viewer may know of it.
// The error of one that is known in part wraps ErrIncomplete.
func (s *Server) living(v *viewer, who subject) (p process.Process, err error) {
	if who.id.IsZero() {
		p, err = s.o.Tree.Process(who.pid)
	} else {
		p, err = s.o.Tree.ProcessByID(who.id)
	}
	if err != nil && !errors.Is(err, lineage.ErrIncomplete) {
		return p, err
	}
	s.complete(&p)
	if !s.shows(v, p.Owner) {
		return process.Process{}, lineage.ErrNotFound
	}
	return p, err
}
