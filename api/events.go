package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// takeEvents keeps what happens in the ring until ctx ends. Where the source is
// another one later on, what happened meanwhile is a loss that the tree tells of.
func (s *Server) takeEvents(ctx context.Context) error {
	defer s.ring.feed(false)
	events, err := s.o.Tree.Events(ctx)
	if err != nil {
		s.log.Info("no events are told", "why", err)
		<-ctx.Done()
		return nil
	}
	s.ring.feed(true)
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok { // no live source is left
				s.ring.feed(false)
				<-ctx.Done()
				return nil
			}
			s.metrics.events.WithLabelValues(e.Kind.String()).Inc()
			s.ring.add(&e)
		}
	}
}

// kinds are the kinds of events that may be asked for.
var kinds = []process.Kind{process.Fork, process.Exec, process.Exited, process.Moved, process.Seen, process.Gone}

const (
	// bpf tells the PIDs in other PID namespaces, and so that there are none; cnproc
	// tells no names.
	bpf, cnproc = "bpf", "cnproc"
	// heartbeat is how often something is sent at the least.
	heartbeat = 15 * time.Second
	// together is how many events are taken from the ring at a time.
	together = 64
)

// A stream is a client that reads events.
type stream struct {
	s      *Server
	w      http.ResponseWriter
	v      *viewer
	d      *answer.Describer
	sse    bool
	kinds  []process.Kind
	filter store.Filter
	// ancestors are the names that must stand above each.
	ancestors []string

	next   uint64
	source string // in use when it was told last
	b      bytes.Buffer
}

// events answers what happens, without an end.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	p := s.paramsOf(r, "q", "kinds", "last_event_id")
	q := p.live()
	t := &stream{s: s, w: w, v: sees(r), filter: q.Filter, ancestors: q.Ancestors, sse: strings.Contains(r.Header.Get("Accept"), "text/event-stream")}
	t.kinds = p.kinds()
	if p.err != nil {
		return p.err
	}
	if !s.live {
		return problem(http.StatusNotImplemented, "ask the daemon of the host", "nothing is watched here: it answers from a store alone")
	}
	if c, err := s.aboutNow(r.Context(), q.Host); err != nil || !c.here {
		if err == nil {
			err = problem(http.StatusNotImplemented, "ask the daemon of that host", "events are told of this host alone")
		}
		return err
	}
	if !s.ring.fed() {
		return problem(http.StatusNotImplemented, "it takes bpf or cnproc; lineage doctor says what is in the way", "nothing tells what happens on this host")
	}
	if !s.streams.take(t.v.client, 1) {
		return problem(http.StatusServiceUnavailable, "close another one", "there are too many streams of events")
	}
	defer s.streams.give(t.v.client, 1)
	d, giveBack := s.describer()
	defer giveBack()
	t.d = d

	cursor := r.Header.Get("Last-Event-ID")
	if cursor == "" {
		cursor = p.text("last_event_id")
	}
	lost := false
	t.next = s.ring.next()
	if cursor != "" {
		at, ok := s.ring.place(cursor)
		if ok {
			t.next = at
		}
		lost = !ok
	}
	kind := "application/x-ndjson"
	if t.sse {
		kind = "text/event-stream"
	}
	w.Header().Set("Content-Type", kind)
	s.allow(w)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	ctx, cancel := untilEnding(r)
	defer cancel()
	t.run(ctx, lost)
	return nil
}

// kinds reads which kinds of events are asked for.
func (p *params) kinds() []process.Kind {
	text := p.text("kinds")
	if text == "" {
		return kinds
	}
	var set []process.Kind
	for name := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(kinds, func(k process.Kind) bool { return k.String() == name })
		if i < 0 {
			p.fail(malformed("kinds: %q is none of fork, exec, exit, move, seen, gone", name))
			return nil
		}
		set = append(set, kinds[i])
	}
	return set
}

// run writes events until the client or the server ends, or no more come.
func (t *stream) run(ctx context.Context, lost bool) {
	t.watching()
	if lost {
		now := process.Instant(linux.Boottime())
		t.put(Event{Event: answer.Event{Schema: Schema, Event: "loss", Time: t.d.WallClock(now), BootTime: answer.BootClock(now)}, Cursor: t.s.ring.cursor(t.next)})
	}
	var last process.Instant // when the last event was that was looked at
	room := make([]*lineage.Event, together)
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for t.flush() && ctx.Err() == nil {
		n, first, more, fed := t.s.ring.from(t.next, room)
		if n == 0 {
			if !fed {
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			case <-ticker.C:
				t.beat()
			}
			continue
		}
		if first > t.next { // the client was too slow, or away for too long
			t.next = first
			t.tell(&lineage.Event{Kind: process.Loss, Time: room[0].Time, Since: last})
		}
		for _, e := range room[:n] {
			t.next++
			last = e.Time
			t.tell(e)
		}
		clear(room)
	}
}

// flush sends what was written, and reports whether the client takes it.
func (t *stream) flush() bool {
	if t.b.Len() > 0 {
		t.s.allow(t.w)
		_, err := t.w.Write(t.b.Bytes())
		if t.b.Reset(); t.b.Cap() > chunk {
			t.b = bytes.Buffer{}
		}
		if err == nil {
			err = http.NewResponseController(t.w).Flush()
		}
		if err != nil {
			t.s.metrics.dropped.Inc()
			return false
		}
	}
	return true
}

// creators is who made the process of an event, who made that one and so on, nearest
// first, and whether there is nobody above them.
func (s *Server) creators(e *lineage.Event) (links []answer.Link, whole bool) {
	top := e.Process
	for i := range e.Chain {
		a := &e.Chain[i]
		links = append(links, answer.Link{PID: a.ID.PID, ID: a.ID.String(), Name: a.Name, State: a.State.String(), Gap: a.Evidence == process.Unknown})
	}
	if n := len(e.Chain); n > 0 {
		p, err := s.o.Tree.ProcessByID(e.Chain[n-1].ID)
		if err != nil || e.ChainCut {
			return links, false
		}
		top = p
	}
	return links, !orphan(&top)
}

// beat writes something that is nothing, so that both ends see that the other is
// there.
func (t *stream) beat() {
	if t.sse {
		t.b.WriteString(":\n\n")
	} else {
		t.b.WriteByte('\n')
	}
}

// watching says with which source is watched from now on.
func (t *stream) watching() {
	now := process.Instant(linux.Boottime())
	source := sourceOf(t.s.o.Tree.Source())
	t.source = source.Name
	t.put(Event{
		Event: answer.Event{
			Schema: Schema, Event: "watching", Time: t.d.WallClock(now), BootTime: answer.BootClock(now), Source: &source,
		},
		Cursor: t.s.ring.cursor(t.next),
	})
}

// tell writes an event if the client asked for it and may see it.
func (t *stream) tell(e *lineage.Event) {
	if e.Kind == process.Loss {
		o := t.s.event(t.d, e)
		t.put(Event{Event: o, Cursor: t.s.ring.cursor(t.next)})
		if t.s.o.Tree.Source().Name != t.source {
			t.watching()
		}
		return
	}
	if !slices.Contains(t.kinds, e.Kind) {
		return
	}
	own := *e // which is completed
	t.s.completeEvent(&own, t.source)
	p := t.s.stored(&own.Process, t.d)
	if !t.s.conceal(t.v, &p, time.Time{}) || !t.filter.Holds(&p, t.s.now()) {
		return
	}
	if len(t.ancestors) > 0 { // whose names change: nothing is remembered of them
		if is, _ := t.s.descentNow(t.v, t.d, t.ancestors).of(&p); !is {
			return
		}
	}
	o := t.s.event(t.d, &own)
	if t.source == bpf && o.NamespacePIDs == nil { // which says so of those in other namespaces
		o.NamespacePIDs = []int{o.PID}
	}
	t.s.veil(t.v, own.Process.Owner, o.Process)
	if t.v.all || t.s.o.HidePID < HideProcess { // of others, nothing tells whose they are
		links, whole := t.s.creators(e)
		o.Creators, o.CreatorsComplete = links, &whole
	}
	t.put(Event{Event: o, Cursor: t.s.ring.cursor(t.next)})
}

// put writes an event.
func (t *stream) put(e Event) {
	if t.sse {
		fmt.Fprintf(&t.b, "id: %s\nevent: %s\ndata: ", e.Cursor, e.Event.Event)
	}
	j := json.NewEncoder(&t.b)
	j.SetEscapeHTML(false)
	_ = j.Encode(&e) // into memory, and of a struct that can be
	if t.sse {
		t.b.WriteByte('\n')
	}
}

// completeEvent reads what the source in use does not tell of a process that was made
// or runs another program.
func (s *Server) completeEvent(e *lineage.Event, source string) {
	if e.Kind != process.Fork && e.Kind != process.Exec {
		return
	}
	if e.Process.Name == "" || source == cnproc {
		if p, err := s.o.Tree.ProcessByID(e.Process.ID); err == nil {
			e.Process.Name, e.Process.Cgroup = p.Name, p.Cgroup
		}
	}
	if e.Kind == process.Exec && e.Process.Exec.Args == nil {
		x, _ := s.o.Tree.Details(e.Process.ID) // or it has ended
		e.Process.Exec.Args = x.Args
	}
}

// event describes an event.
func (s *Server) event(d *answer.Describer, e *lineage.Event) answer.Event {
	o := answer.Event{Schema: Schema, Event: e.Kind.String(), Time: d.WallClock(e.Time), BootTime: answer.BootClock(e.Time)}
	if e.Kind == process.Loss {
		if e.Since != 0 {
			o.Since, o.SinceBoot = new(d.WallClock(e.Since)), new(answer.BootClock(e.Since))
		}
		return o
	}
	p := d.Process(&e.Process)
	o.Process = &p
	if e.Kind == process.Moved {
		o.Membership, o.FromMembership = answer.Optional(e.Process.Cgroup.Membership), answer.Optional(e.From.Membership)
	}
	if !e.Adopter.IsZero() {
		o.AdopterPID = &e.Adopter.PID
		if e.Adopter.Known() {
			o.AdopterID = new(e.Adopter.String())
		}
	}
	return o
}
