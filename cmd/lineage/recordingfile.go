package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/proclineage/lineage/record"
)

// recordingFile is where a recording goes. Until the command has been started it
// is not written to: what is in it stays where there is nothing to record.
type recordingFile struct {
	*os.File
	name   string // that the user gets
	made   bool   // there was none of the name
	temp   string // where the recording is until it is turned into something else
	locked bool   // see [record.Lock]

	begun  bool
	before []byte // what was written until then
	err    error  // why that could not be done
}

// createRecording creates the file for the recording of a command.
func createRecording(flags *recordFlags, command string, now time.Time) (*recordingFile, error) {
	f := &recordingFile{name: flags.file}
	var err error
	format := flags.format.value
	switch {
	case f.name == "":
		f.File, err = createNew(newBase(command, now), formatSuffix(format))
		if err == nil {
			f.name = f.Name()
		}
		f.made = true
	case format == "lineage":
		err = f.open()
	}
	if err == nil && format != "lineage" {
		err = f.openTemp()
	}
	switch regular := err == nil && f.isRegular(); {
	case regular:
		f.locked, err = record.Lock(f.File)
	case err == nil && flags.summary:
		err = errors.New("with --summary it has to be a file that can be read again")
	}
	if err != nil {
		if f.File != nil {
			_ = f.remove() // the error that matters is the first
		}
		return nil, fmt.Errorf("creating the recording: %w", err)
	}
	return f, nil
}

// open opens the file that the user named. Of a pipe it waits for the reader, as
// all who write to one do.
func (f *recordingFile) open() error {
	var err error
	if f.File, err = os.OpenFile(f.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); err == nil {
		f.made = true
	} else if errors.Is(err, fs.ErrExist) {
		how := os.O_RDWR | os.O_CREATE // what a link that leads nowhere is to lead to
		if info, err := os.Stat(f.name); err == nil && !info.Mode().IsRegular() {
			how = os.O_WRONLY
		}
		f.File, err = os.OpenFile(f.name, how, 0o644)
	}
	return err
}

// openTemp opens a new file for what is to be turned into something else, beside
// that.
func (f *recordingFile) openTemp() error {
	if f.File != nil { // the name is taken
		if err := f.Close(); err != nil {
			return err
		}
	}
	var err error
	if f.File, err = createNew(f.name, "lineage"); err == nil {
		f.temp = f.Name()
	}
	return err
}

func (f *recordingFile) isRegular() bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// Write keeps what is written before the recording has begun.
func (f *recordingFile) Write(b []byte) (int, error) {
	switch {
	case f.err != nil:
		return 0, f.err
	case !f.begun:
		f.before = append(f.before, b...)
		return len(b), nil
	}
	return f.File.Write(b)
}

// begin empties the file and writes what was kept.
func (f *recordingFile) begin() error {
	f.begun = true
	if f.isRegular() {
		f.err = f.Truncate(0)
	}
	if f.err == nil {
		_, f.err = f.File.Write(f.before)
	}
	if f.err != nil {
		f.err = fmt.Errorf("writing the recording: %w", f.err)
	}
	return f.err
}

// remove removes what was made for a recording that there is not.
func (f *recordingFile) remove() error {
	err := f.Close()
	if f.temp != "" {
		err = errors.Join(err, os.Remove(f.temp))
	}
	if f.made {
		err = errors.Join(err, os.Remove(f.name))
	}
	return err
}

// turn writes what was recorded in another format, in the place of the recording.
func (f *recordingFile) turn(format string, rec *record.Recording) error {
	if err := exportTo(f.name, format, rec); err != nil {
		f.name = f.temp
		return fmt.Errorf("what was recorded is kept as %s: %w", safe(f.temp), err)
	}
	return os.Remove(f.temp)
}

// newBase returns what the name of a recording begins with.
func newBase(command string, now time.Time) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-", r) {
			return r
		}
		return '_'
	}, filepath.Base(command))
	const most = 40
	return "lineage-" + clean[:min(len(clean), most)] + now.Format("-20060102-150405")
}

// createNew creates a file of a name that there is not yet: base.suffix, or else
// base-2.suffix and so on.
func createNew(base, suffix string) (*os.File, error) {
	name := base + "." + suffix
	for n := 2; ; n++ {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if !errors.Is(err, fs.ErrExist) || n == 1000 {
			return f, err
		}
		name = fmt.Sprintf("%s-%d.%s", base, n, suffix)
	}
}
