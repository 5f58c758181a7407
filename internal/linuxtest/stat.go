package linuxtest

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Stat is what tests need of /proc/PID/stat, read the slow and plain way.
type Stat struct {
	PID     int
	Name    string // whatever bytes it has
	State   byte   // as in ps(1)
	PPID    int
	PGRP    int
	Session int
	TTY     int
	Flags   uint64
	Threads int
	Start   uint64 // in clock ticks since boot
}

// ReadStat reads /proc/PID/stat.
func ReadStat(pid int) (Stat, error) { return readStat(fmt.Sprintf("/proc/%d/stat", pid)) }

func readStat(name string) (Stat, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Stat{}, err
	}
	s, err := ParseStat(string(text))
	if err != nil {
		return Stat{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// ParseStat reads the text of /proc/PID/stat. The name may have any bytes, the
// ")" that follows it too, so that it ends at the last one.
func ParseStat(text string) (Stat, error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Stat{}, fmt.Errorf("no name in %q", text)
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 20 {
		return Stat{}, fmt.Errorf("%d fields in %q", len(f), text)
	}
	s := Stat{Name: text[open+1 : end], State: f[0][0]}
	var errs [8]error
	s.PID, errs[0] = strconv.Atoi(strings.TrimSpace(text[:open]))
	s.PPID, errs[1] = strconv.Atoi(f[1])
	s.PGRP, errs[2] = strconv.Atoi(f[2])
	s.Session, errs[3] = strconv.Atoi(f[3])
	s.TTY, errs[4] = strconv.Atoi(f[4])
	s.Flags, errs[5] = strconv.ParseUint(f[6], 10, 64)
	s.Threads, errs[6] = strconv.Atoi(f[17])
	s.Start, errs[7] = strconv.ParseUint(f[19], 10, 64)
	for _, err := range errs {
		if err != nil {
			return Stat{}, fmt.Errorf("%w in %q", err, text)
		}
	}
	return s, nil
}

func waitStatus(b []byte) syscall.WaitStatus {
	return syscall.WaitStatus(binary.NativeEndian.Uint32(b))
}
