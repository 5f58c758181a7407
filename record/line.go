package record

import (
	"strconv"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/proclineage/lineage/process"
)

// A line appends the JSON object of one line. Fields have to be added in order,
// the first with open.
type line struct {
	b     []byte
	began process.Instant
}

// open begins an object of the kind with a number.
func (l *line) open(kind string, n int64) {
	l.b = append(l.b, '{', '"')
	l.b = append(l.b, kind...)
	l.b = append(l.b, '"', ':')
	l.b = strconv.AppendInt(l.b, n, 10)
}

func (l *line) close() { l.b = append(l.b, '}', '\n') }

func (l *line) key(key string) {
	l.b = append(l.b, ',', '"')
	l.b = append(l.b, key...)
	l.b = append(l.b, '"', ':')
}

func (l *line) int(key string, n int64) {
	l.key(key)
	l.b = strconv.AppendInt(l.b, n, 10)
}

func (l *line) uint(key string, n uint64) {
	l.key(key)
	l.b = strconv.AppendUint(l.b, n, 10)
}

// since returns the moment as the file has it: in nanoseconds since the
// recording began.
func (l *line) since(at process.Instant) int64 { return int64(at - l.began) }

// instant adds a moment, or nothing where it is not known.
func (l *line) instant(key string, at process.Instant) {
	if at != 0 {
		l.int(key, l.since(at))
	}
}

func (l *line) yes(key string, is bool) {
	if is {
		l.key(key)
		l.b = append(l.b, "true"...)
	}
}

func (l *line) text(key, s string) {
	if s != "" {
		l.key(key)
		l.string(s)
	}
}

func (l *line) texts(key string, all []string) {
	if len(all) == 0 {
		return
	}
	l.key(key)
	for i, s := range all {
		if i == 0 {
			l.b = append(l.b, '[')
		} else {
			l.b = append(l.b, ',')
		}
		l.string(s)
	}
	l.b = append(l.b, ']')
}

// string adds a JSON string. A byte that is not UTF-8 is written as one of the
// surrogates U+DC80 to U+DCFF, which no UTF-8 has, so that no name is changed by
// the file (as Python's surrogateescape does).
func (l *line) string(s string) {
	const hex = "0123456789abcdef"
	l.b = append(l.b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			l.b = append(l.b, '\\', c)
		case c < ' ' || c == 0x7f:
			l.b = append(l.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			l.b = append(l.b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				l.b = append(l.b, '\\', 'u', 'd', 'c', hex[c>>4], hex[c&15])
				break
			}
			l.b = append(l.b, s[i:i+n]...)
			i += n
			continue
		}
		i++
	}
	l.b = append(l.b, '"')
}

func (l *line) header(h *Header) {
	l.open("recording", Version)
	l.texts("command", h.Command)
	l.text("dir", h.Dir)
	if !h.Began.IsZero() {
		l.text("began", h.Began.UTC().Format(time.RFC3339Nano))
	}
	l.uint("began_at", uint64(h.BeganAt))
	l.text("host", h.Host)
	l.text("kernel", h.Kernel)
	l.text("boot_id", h.BootID)
	l.int("cpus", int64(h.CPUs))
	l.text("source", h.Source)
	l.texts("limits", h.Limits)
	l.yes("locked", h.Locked)
	l.close()
}

func (l *line) fork(n int, p *Process) {
	l.open("fork", int64(n))
	l.int("pid", int64(p.ID.PID))
	l.instant("t", p.Start)
	if p.ID.Start != p.Start {
		l.uint("id_start", uint64(p.ID.Start))
	}
	switch p.ID.Precision {
	case process.ToTick:
		l.text("precision", "tick")
	case process.StartUnknown:
		l.text("precision", "unknown")
	default:
	}
	if p.ID.Inode != 0 {
		l.uint("inode", p.ID.Inode)
	}
	usual := process.Unknown
	if p.Creator >= 0 {
		l.int("by", int64(p.Creator))
		usual = process.Observed
	}
	if p.CreatorEvidence != usual {
		l.text("by_evidence", p.CreatorEvidence.String())
	}
	l.text("name", p.Name)
	if p.UID >= 0 {
		l.int("uid", int64(p.UID))
	}
	l.text("container", p.Container)
	l.yes("found", p.Found)
	l.close()
}

func (l *line) exec(n int, e *Exec, name string) {
	l.open("exec", int64(n))
	l.instant("t", e.At)
	l.text("name", name)
	l.text("file", e.File)
	l.texts("args", e.Args)
	l.yes("args_cut", e.ArgsCut)
	if e.UID != nil && *e.UID >= 0 {
		l.int("uid", int64(*e.UID))
	}
	l.close()
}

func (l *line) exit(n int, end process.Instant, x *process.Exit, name string) {
	l.open("exit", int64(n))
	l.instant("t", end)
	if x.At != end {
		l.int("known", l.since(x.At))
	}
	l.text("name", name)
	if x.Evidence != process.Observed {
		l.text("evidence", x.Evidence.String())
	}
	l.status(x.Status, x.Evidence == process.Observed)
	if u := &x.Usage; u.Known {
		l.int("user", int64(u.User))
		l.int("system", int64(u.System))
		l.uint("rss", u.MaxRSS)
		if u.ReadBytes != 0 {
			l.uint("read", u.ReadBytes)
		}
		if u.WrittenBytes != 0 {
			l.uint("written", u.WrittenBytes)
		}
	}
	l.close()
}

// coreFlag is set in a wait status where a core was dumped (WCOREFLAG).
const coreFlag = 0x80

// status adds a wait status, as code or signal where it is one of the two.
func (l *line) status(s syscall.WaitStatus, observed bool) {
	switch signal := s &^ coreFlag; {
	case s == 0 && !observed:
	case s>>8<<8 == s && s>>8 <= 0xff:
		l.int("code", int64(s>>8))
	case signal > 0 && signal < 0x7f:
		l.int("signal", int64(signal))
		l.yes("core", s&coreFlag != 0)
	default:
		l.uint("status", uint64(s))
	}
}

func (l *line) loss(s Loss) {
	l.open("loss", l.since(s.Until))
	l.instant("since", s.Since)
	l.close()
}

func (l *line) limit(text string) {
	l.open("limit", 1)
	l.text("text", text)
	l.close()
}

func (l *line) end(at process.Instant) {
	l.open("end", l.since(at))
	l.close()
}
