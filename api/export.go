package api

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/chrome"
	"github.com/proclineage/lineage/record/html"
	"github.com/proclineage/lineage/record/perfetto"
	"github.com/proclineage/lineage/store"
)

// An exporter writes a recording in a format.
type exporter struct {
	kind, suffix string
	write        func(io.Writer, *record.Recording) error
}

func exporterOf(format string) exporter {
	switch format {
	case "perfetto":
		return exporter{"application/x-protobuf", "pftrace", perfetto.Write}
	case "html":
		return exporter{"text/html; charset=utf-8", "html", html.Write}
	}
	return exporter{"application/json", "json", chrome.Write}
}

// export answers with a window of time as a trace or a page.
func (s *Server) export(w http.ResponseWriter, r *http.Request) error {
	p := s.paramsOf(r, "since", "until", "q", "host", "format")
	q := p.query()
	if q.Since.IsZero() {
		p.fail(malformed("since is missing: say from when on"))
	}
	s.window(p, q, p.now)
	e := exporterOf(p.choice("format", "chrome", "perfetto", "html"))
	if p.err != nil {
		return p.err
	}
	c, err := s.aboutPast(r.Context(), q.Host)
	if err != nil {
		return err
	}
	q.Host = c.id()
	var procs []store.Process
	var gaps []store.Gap
	more, note, err := s.each(r.Context(), sees(r), q, s.o.Limits.Rows, func(page *store.Page) {
		procs = append(procs, page.Processes...)
		gaps = append(gaps, page.Gaps...)
	})
	if err != nil {
		return err
	}
	a := s.pastOf(&c, q)
	a.gaps(gaps)
	if note != "" {
		a.lack(note)
	}
	if more {
		a.lack(fmt.Sprintf("there were more than %d processes; those that started last were taken", s.o.Limits.Rows))
	}
	rec := recording(procs, gaps, q, &a)
	if len(rec.Processes) == 0 {
		return problem(http.StatusNotFound, "take another window", "there was no such process in that window")
	}
	if c.here {
		rec.Header.Kernel = linux.Release()
	}
	var body bytes.Buffer
	if err := e.write(&body, rec); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="lineage-%s.%s"`, q.Since.UTC().Format("20060102T150405Z"), e.suffix))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'") // for who opens it here all the same
	h.Set("Lineage-Complete", fmt.Sprint(a.Complete))
	if a.Note != "" {
		h.Set("Lineage-Note", a.Note)
	}
	return s.send(w, r, e.kind, body.Bytes())
}

// recording is the processes of one boot as a recording of the window, that of the
// latest of them; of others it says that they are left out.
func recording(procs []store.Process, gaps []store.Gap, q *store.Query, a *Answer) *record.Recording {
	r := &record.Recording{Header: record.Header{
		Version: record.Version, Command: []string{"lineage", "export"}, Began: q.Since, Source: a.Source.Name,
		Limits: []string{"what was there before the window is drawn from its beginning on"},
	}}
	if len(procs) == 0 {
		return r
	}
	last := slices.MaxFunc(procs, func(x, y store.Process) int { return x.Began.Compare(y.Began) })
	others := len(procs)
	procs = slices.DeleteFunc(procs, func(p store.Process) bool { return p.Boot != last.Boot || p.Host != last.Host })
	if others -= len(procs); others > 0 {
		a.lack(fmt.Sprintf("%d processes of other boots or hosts are left out", others))
	}
	r.Header.Limits = append(r.Header.Limits, a.Source.CannotTell...)
	if a.Note != "" {
		r.Header.Limits = append(r.Header.Limits, a.Note)
	}
	r.Header.Host, r.Header.BootID = last.Host, last.Boot
	// The boot clock at a time of the wall clock as it stood then, but for steps of it
	// within the window.
	instant := func(t time.Time) process.Instant {
		return process.Instant(max(t.Sub(last.Began)+time.Duration(last.ID.Start), 1))
	}
	begin, end := instant(q.Since), instant(q.Until)
	if q.Since.Before(last.Began.Add(-time.Duration(last.ID.Start))) { // before the boot
		r.Header.Began = last.Began.Add(-time.Duration(last.ID.Start))
	}
	r.Header.BeganAt, r.Ended = begin, end

	slices.SortFunc(procs, func(x, y store.Process) int { return orderOf(&x, &y) })
	g := newGrove(false)
	for i := range procs {
		p := &procs[i]
		g.add(p, stateOf(p), true)
		one := record.Process{
			ID: p.ID, Creator: -1, CreatorEvidence: p.Creator.Evidence, Start: max(p.ID.Start, begin), End: p.Exit.At, Name: p.Name,
			Exit: p.Exit, Container: p.Container, UID: -1,
		}
		if at := g.place(store.Key{Host: p.Host, Boot: p.Boot, ID: p.Creator.ID}); p.Creator.Evidence != process.Unknown && at >= 0 && at < i {
			one.Creator = at
		}
		if p.Stored != nil && p.Stored.Name != "" {
			one.Container = p.Stored.Name
		}
		if p.Owner.Known {
			one.UID = p.Owner.UID
		}
		for _, c := range p.Execs {
			one.Execs = append(one.Execs, record.Exec{At: max(c.At, one.Start), File: c.File, Args: c.Args, ArgsCut: c.ArgsCut})
		}
		r.Processes = append(r.Processes, one)
	}
	for _, g := range gaps {
		if g.Boot == last.Boot && g.Host == last.Host {
			r.Losses = append(r.Losses, record.Loss{Since: g.Since, Until: g.Until})
		}
	}
	return r
}

func orderOf(x, y *store.Process) int {
	switch {
	case x.ID.Start != y.ID.Start:
		return int(min(max(int64(x.ID.Start)-int64(y.ID.Start), -1), 1))
	default:
		return x.ID.PID - y.ID.PID
	}
}
