package procfs

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"
)

// stat is what lineage needs of /proc/PID/stat, proc_pid_stat(5).
type stat struct {
	name      []byte // comm, which shares the buffer that was parsed
	state     byte
	ppid      int
	pgrp      int
	session   int
	tty       int
	flags     uint64
	threads   int
	startTick uint64
}

// The bits of stat.flags, from the kernel's <linux/sched.h>.
const (
	flagExiting = 0x00000004 // PF_EXITING
	flagKernel  = 0x00200000 // PF_KTHREAD
)

// exiting reports whether the thread that was read is on its way out: the
// kernel shows its v1 cgroups as "/" (proc_cgroup_show).
func (s *stat) exiting() bool { return s.flags&flagExiting != 0 || s.dead() }

// dead reports whether the thread that was read has ended.
func (s *stat) dead() bool { return s.state == 'Z' || s.state == 'X' || s.state == 'x' }

var errStat = errors.New("not of the form of proc_pid_stat(5)")

// parseStat reads the text of /proc/PID/stat. The name may hold any byte but
// NUL, so it ends at the last parenthesis. It fails with ESRCH where the process
// was being reaped: what needs its signal handlers is no longer shown then
// (lock_task_sighand), its parent and its threads among it.
func parseStat(b []byte, s *stat) error {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open || len(b) < end+4 || b[end+1] != ' ' || b[end+3] != ' ' {
		return errStat
	}
	s.name, s.state = b[open+1:end], b[end+2]
	rest := b[end+4:]
	// field is the number of the next field, counted from 1 as the manual
	// page does.
	for field := 4; field <= 22; field++ {
		word := rest
		if i := bytes.IndexByte(rest, ' '); i >= 0 {
			word, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		n, ok := parseInt(word)
		if !ok {
			return errStat
		}
		switch field {
		case 4:
			s.ppid = int(n)
		case 5:
			s.pgrp = int(n)
		case 6:
			s.session = int(n)
		case 7:
			s.tty = int(n)
		case 9:
			s.flags = uint64(n)
		case 20:
			s.threads = int(n)
		case 22:
			s.startTick = uint64(n)
		}
	}
	if s.ppid < 0 {
		return errStat
	}
	if s.threads == 0 {
		return unix.ESRCH
	}
	return nil
}

// parseInt reads a decimal number of at most 64 bits, as strconv does, from
// bytes and without an allocation. Numbers above the largest int64 wrap round.
func parseInt(b []byte) (int64, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}
