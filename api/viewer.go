package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/redact"
	"github.com/proclineage/lineage/store"
)

// A viewer is who asks, and so what may be seen.
type viewer struct {
	all      bool // there is nothing that may not
	uid, gid int  // of one over the Unix socket
	client   string
}

type viewerKey struct{}

func withViewer(r *http.Request, v *viewer) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), viewerKey{}, v))
}

var errUnknown = problem(http.StatusUnauthorized,
	"send the daemon's token as 'Authorization: Bearer TOKEN', or open /?token=TOKEN", "who asks is not known")

// viewerOf returns who asks. It fails where that is not known.
func viewerOf(r *http.Request) (*viewer, error) {
	v, ok := r.Context().Value(viewerKey{}).(*viewer)
	if !ok {
		return nil, errUnknown
	}
	return v, nil
}

// sees is viewerOf for a request that was let in.
func sees(r *http.Request) *viewer {
	v, err := viewerOf(r)
	if err != nil {
		return &viewer{uid: -1, gid: -1}
	}
	return v
}

// clientOf names who asks, for limits.
func clientOf(r *http.Request) string { return sees(r).client }

// owns reports whether the viewer sees what /proc tells the owner of a process alone.
// Of what __ptrace_may_access (kernel/ptrace.c) looks at, the real and effective IDs
// are known and compared; the saved ones, whether the process is dumpable and the
// capabilities of both are not known.
func (v *viewer) owns(o process.Owner) bool {
	return v.all || o.Known && o.UID == v.uid && o.EffectiveUID == v.uid && o.GID == v.gid && o.EffectiveGID == v.gid
}

// shows reports whether the viewer may know of the process.
func (s *Server) shows(v *viewer, o process.Owner) bool {
	return s.o.HidePID < HideProcess || v.owns(o)
}

// veil takes out of what is said of a process what the viewer may not see of it, and
// what looks like a secret.
func (s *Server) veil(v *viewer, owner process.Owner, o *answer.Process) {
	if !v.owns(owner) {
		if o.Exe != nil || o.Args != nil && s.o.HidePID >= HideArgs {
			o.Missing = hidden
		}
		o.Exe, o.File, o.Listens = nil, nil, nil
		if o.Exit != nil {
			x := *o.Exit
			x.ReadBytes, x.WrittenBytes = nil, nil
			o.Exit = &x
		}
		if n := len(o.Execs); n > 0 {
			o.Execs[n-1].File = nil
		}
		if s.o.HidePID >= HideArgs {
			o.Args, o.ArgsCut, o.Execs = nil, false, nil
		}
	}
	if n := len(o.Execs); n > 1 && !v.all {
		for i := range o.Execs[:n-1] {
			e := &o.Execs[i]
			*e = answer.Exec{Time: e.Time, BootTime: e.BootTime}
		}
		o.Missing = cmp.Or(o.Missing, earlier)
	}
	o.Args, o.Redacted = s.cover(o.Args)
	for i := range o.Execs {
		o.Execs[i].Args, o.Execs[i].Redacted = s.cover(o.Execs[i].Args)
	}
}

// ownerOf is as whom a process of the history ran, for viewers of this host: another
// one's users are others, whatever their numbers.
func (s *Server) ownerOf(p *store.Process) process.Owner {
	if !s.live || p.Host != s.host {
		return process.Owner{}
	}
	return p.Owner
}

// told describes a process from the history of which conceal has left what the viewer
// may see.
func (s *Server) told(v *viewer, d *answer.Describer, c *scope, p *store.Process) answer.Process {
	o := d.Stored(p)
	switch {
	case !c.here:
		o.HostName = c.name(p.Host)
	case p.Boot == c.boot():
		o.Host, o.BootID = "", ""
	default:
		o.Host = ""
	}
	if c := p.Command(); !v.all && len(p.Execs) > 0 && c.Args == nil && c.File == "" {
		o.Missing = earlier
		if !v.owns(s.ownerOf(p)) && s.o.HidePID >= HideArgs {
			o.Missing = hidden
		}
	}
	s.veil(v, s.ownerOf(p), &o)
	return o
}

const (
	// hidden is why something of a process is missing.
	hidden = "it may not be read by this user"
	// earlier is why something of its execs is: as whom it made them is not kept.
	earlier = "what it ran before may not be read by this user"
)

// cover replaces secrets, and reports whether any was, here or on the way to disk.
func (s *Server) cover(args []string) ([]string, bool) {
	args = s.redact(args)
	return args, slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, redact.Mark) })
}

// conceal returns what a filter may look at of a process, so that a question tells
// nothing that its answer may not: the viewer's view of it, as it was at an instant
// unless that is zero. It reports false for a process that is not to be known of.
func (s *Server) conceal(v *viewer, p *store.Process, at time.Time) bool {
	owns := v.owns(s.ownerOf(p))
	if s.o.HidePID >= HideProcess && !owns {
		return false
	}
	bare := s.o.HidePID >= HideArgs && !owns
	last := len(p.Execs) - 1 // of those before, it is not kept as whom they were made
	if !at.IsZero() {
		*p = p.At(at)
	}
	if len(p.Execs) == 0 {
		return true
	}
	execs := slices.Clone(p.Execs)
	for i := range execs {
		if i != last && !v.all {
			execs[i] = process.Command{At: execs[i].At}
			continue
		}
		if !owns {
			execs[i].File = ""
		}
		if bare {
			execs[i].Args, execs[i].ArgsCut = nil, false
		} else {
			execs[i].Args = s.redact(execs[i].Args)
		}
	}
	p.Execs = execs
	return true
}

// restrict has a question to the history be about what its answer may tell. The
// store has not been told who asks: a question about arguments that are not to be
// seen is asked of the viewer's own processes alone, and it reports why.
func (s *Server) restrict(v *viewer, q *store.Query) (note string, err error) {
	if v.all || s.o.HidePID == HideNothing {
		return "", nil
	}
	searched := slices.ContainsFunc(q.Filter, func(t store.Term) bool {
		return t.Field == store.Text || t.Field == store.Match || t.Field == store.Name
	})
	if s.o.HidePID < HideProcess && !searched {
		return "", nil
	}
	own, err := store.ParseTerm(store.User, store.Equal, strconv.Itoa(v.uid))
	if err != nil {
		return "", fmt.Errorf("the user %d: %w", v.uid, err)
	}
	q.Filter = append(slices.Clone(q.Filter), own)
	return "what other users run is not to be seen by this one", nil
}
