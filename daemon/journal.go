package daemon

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// NewLog returns a handler that writes a line for each record. For a journal, each
// line has its level before it as sd-daemon(3) has it, and no time.
func NewLog(w io.Writer, journal bool, least slog.Leveler) slog.Handler {
	o := &slog.HandlerOptions{Level: least}
	if !journal {
		return slog.NewTextHandler(w, o)
	}
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}
	j := &journalWriter{to: w}
	return &journalHandler{slog.NewTextHandler(j, o), j}
}

// journalHandler says its writer the level of each line.
type journalHandler struct {
	slog.Handler
	w *journalWriter
}

func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.level = r.Level
	return h.Handler.Handle(ctx, r)
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journalHandler{h.Handler.WithAttrs(attrs), h.w}
}

func (h *journalHandler) WithGroup(name string) slog.Handler {
	return &journalHandler{h.Handler.WithGroup(name), h.w}
}

type journalWriter struct {
	to    io.Writer
	mu    sync.Mutex
	level slog.Level
}

func (w *journalWriter) Write(line []byte) (int, error) {
	prefix := "<7>"
	switch {
	case w.level >= slog.LevelError:
		prefix = "<3>"
	case w.level >= slog.LevelWarn:
		prefix = "<4>"
	case w.level >= slog.LevelInfo:
		prefix = "<6>"
	}
	var b bytes.Buffer
	b.WriteString(prefix)
	b.Write(line)
	if _, err := w.to.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(line), nil
}
