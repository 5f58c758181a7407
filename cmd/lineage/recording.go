package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/chrome"
	"github.com/proclineage/lineage/record/html"
	"github.com/proclineage/lineage/record/perfetto"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/cnproc"
	"github.com/proclineage/lineage/source/procfs"
)

// recordFormats are what a recording may be written as.
func recordFormats() []string { return []string{"lineage", "perfetto", "chrome", "html"} }

// formatSuffix is how the names of files of the format end.
func formatSuffix(format string) string {
	switch format {
	case "perfetto":
		return "pftrace"
	case "chrome":
		return "json"
	default:
		return format
	}
}

// export writes a recording in a format other than its own.
func export(w io.Writer, format string, rec *record.Recording) error {
	b := bufio.NewWriterSize(w, 64<<10)
	var err error
	switch format {
	case "perfetto":
		err = perfetto.Write(b, rec)
	case "chrome":
		err = chrome.Write(b, rec)
	case "html":
		err = html.Write(b, rec)
	}
	if err == nil {
		err = b.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing the recording as %s: %w", format, err)
	}
	return nil
}

// exportTo does so to a file, and leaves none that has a part of it only.
func exportTo(name, format string, rec *record.Recording) error {
	out, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("writing the recording as %s: %w", format, err)
	}
	info, statErr := out.Stat()
	err = errors.Join(export(out, format, rec), out.Close())
	if err != nil && statErr == nil && info.Mode().IsRegular() {
		_ = os.Remove(name) // the error that matters is the first
	}
	return err
}

// newHeader is what is known when a recording of a command begins.
func newHeader(t *lineage.Tree, args []string) record.Header {
	info := t.Source()
	h := record.Header{
		Command: args, Began: time.Now(), BeganAt: process.Instant(linux.Boottime()),
		Kernel: linux.Release(), CPUs: runtime.NumCPU(), Source: info.Name, Limits: recordLimits(info),
	}
	h.Dir, _ = os.Getwd() // or it is not known
	h.Host, _ = os.Hostname()
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.BootID = strings.TrimSpace(string(id))
	}
	return h
}

// recordLimits is what a recording with the source cannot tell, a sentence each
// that begins with what it is about.
func recordLimits(info lineage.SourceInfo) []string {
	var list []string
	switch info.Name {
	case procfs.Name:
		list = pollLimits()
	case cnproc.Name:
		list = append(list, "names, programs and use: cnproc tells none, so that names and programs are read, which is too late for short lives; as root bpf knows them all; of use only that of the command is known, and what all took that it waited for is in it")
	}
	for _, l := range info.Limits {
		switch l {
		case source.TicksOnly:
			list = append(list, l.String())
		case source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsUnseen, source.PeaksInherited:
			if info.Name != procfs.Name { // which has said so
				list = append(list, l.String())
			}
		case source.ExitsLate, source.MovesUnseen: // nobody asks about them
		}
	}
	return list
}

// lockedMemory returns the limit of memory that may be locked, which the opening
// of a source raises: what is run is to have the one that lineage had.
func lockedMemory() memoryLimit {
	var m memoryLimit
	m.known = unix.Getrlimit(unix.RLIMIT_MEMLOCK, &m.limit) == nil
	return m
}

type memoryLimit struct {
	limit unix.Rlimit
	known bool
}

func (m *memoryLimit) restore() {
	if m.known {
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &m.limit) // at worst the command may lock more
	}
}

// openRecording opens the file of a recording, which is stdin where it is called -.
// It returns how messages are to call it.
func openRecording(name string) (f *os.File, shown string, err error) {
	if name == "-" {
		return os.Stdin, "stdin", nil
	}
	if f, err = os.Open(name); err != nil {
		return nil, "", fmt.Errorf("opening a recording: %w", err)
	}
	return f, safe(name), nil
}

// readRecording reads a recording from a file, as far as it goes. What is wrong
// with the rest of it is tolerated.
func (a *app) readRecording(name string) (*record.Recording, error) {
	f, shown, err := openRecording(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	rec, err := record.Read(f, record.ReadOptions{})
	if rec == nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	if err == nil && rec.Ended == 0 {
		err = errors.New("the recording has no end: it goes on, or was cut short")
	}
	if err != nil {
		a.gaps = append(a.gaps, &lineage.IncompleteError{Err: fmt.Errorf("%s: %w", shown, err)})
	}
	if len(rec.Losses) > 0 {
		a.gaps = append(a.gaps, &lineage.IncompleteError{Err: fmt.Errorf("%s: events were lost while it was recorded", shown)})
	}
	return rec, nil
}

// recordedLibrary is a library of what a recording knows.
type recordedLibrary struct{ header *record.Header }

// Details implements library: no more is known than was recorded.
func (recordedLibrary) Details(process.ID) (process.Details, error) {
	return process.Details{}, lineage.ErrNotFound
}

// Time implements library.
func (l recordedLibrary) Time(i process.Instant) time.Time { return l.header.When(i) }

// processOfRecord is a recorded process as a tree has them.
func processOfRecord(rec *record.Recording, n int) process.Process {
	p := &rec.Processes[n]
	q := process.Process{ID: p.ID, Name: p.Name, State: process.Alive, Exit: p.Exit, Evidence: process.Observed}
	if p.Exit.Evidence != process.Unknown {
		q.State = process.Ended
	}
	if p.End != 0 {
		q.Exit.At = p.End
	}
	if p.Creator >= 0 {
		q.Creator = process.Link{ID: rec.Processes[p.Creator].ID, Evidence: p.CreatorEvidence}
	}
	if x := programOf(rec, n); x != nil {
		q.Exec = process.Command{File: x.File, Args: x.Args, ArgsCut: x.ArgsCut, At: x.At}
	}
	return q
}

// programOf is the last program that a process ran; of one that ran none, what its
// creator did when it made it. It is nil where that is not known.
func programOf(rec *record.Recording, n int) *record.Exec {
	p := &rec.Processes[n]
	if last := len(p.Execs) - 1; last >= 0 {
		return &p.Execs[last]
	}
	if p.Found {
		return nil
	}
	const most = 1 << 12 // generations without a program are no program's
	for range most {
		made := p.Start
		if p.Creator < 0 {
			return nil
		}
		p = &rec.Processes[p.Creator]
		for i := len(p.Execs) - 1; i >= 0; i-- {
			if p.Execs[i].At <= made {
				return &p.Execs[i]
			}
		}
	}
	return nil
}

// timeOf is how long a process was there: until its end, or that of the
// recording. It is not known of one whose end is not.
func timeOf(rec *record.Recording, p *record.Process) (time.Duration, bool) {
	end := p.End
	if end == 0 && p.Exit.Evidence == process.Unknown {
		end = rec.Ended
	}
	if end == 0 || end < p.Start {
		return 0, false
	}
	return time.Duration(end - p.Start), true
}

// commandOf is the command line of a recorded process as a shell takes it, its name
// where that is not known or it ran what its maker did.
func commandOf(rec *record.Recording, n int) string {
	p := &rec.Processes[n]
	last := len(p.Execs) - 1
	switch {
	case last >= 0 && len(p.Execs[last].Args) > 0:
		return argsText(&p.Execs[last])
	case last >= 0 || p.Creator < 0 || p.Found:
		return nameOrUnknown(p.Name)
	default:
		return nameOrUnknown(p.Name) + forkedMark
	}
}

// argsText is the command line of a program as a shell takes it.
func argsText(x *record.Exec) string {
	text := record.Shell(x.Args)
	if x.ArgsCut {
		text += " …"
	}
	return text
}

// forkedMark is what stands behind the name of a process that ran no program of
// its own.
const forkedMark = " (forked)"
