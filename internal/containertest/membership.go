package containertest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
)

// membership returns the directories of the cgroups below the named one that a
// process is in, by the text of its /proc/PID/cgroup, with blanks between them.
func membership(hierarchies []string, text, group string) (string, error) {
	var dirs []string
	for line, err := range cgroup.Lines(text) {
		if err != nil {
			return "", err
		}
		if !strings.HasPrefix(line.Path, "/"+group) {
			continue
		}
		for _, h := range hierarchies {
			if holds(h, line) {
				dirs = append(dirs, filepath.Join(h, line.Path))
			}
		}
	}
	return strings.Join(dirs, " "), nil
}

// cgroupMembers returns the processes in the cgroup at the directory and in
// those below it. There are none where there is no such cgroup.
func cgroupMembers(top string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(top, func(dir string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
			return nil // removed meanwhile
		}
		for f := range strings.FieldsSeq(string(text)) {
			pid, perr := strconv.Atoi(f)
			err = errors.Join(err, perr)
			pids = append(pids, pid)
		}
		return err
	})
	return pids, err
}

// holds reports whether the hierarchy at the directory is the line's. The one
// of v2 is either all there is or has a name that no controller has.
func holds(dir string, line cgroup.Line) bool {
	base := filepath.Base(dir)
	if line.Unified() {
		return base == filepath.Base(cgroupRoot) || base == "unified"
	}
	return line.Has(base) || line.Has("name="+base)
}
