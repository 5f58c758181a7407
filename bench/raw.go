package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawPeer reads /proc with plain system calls, each file into the same buffer,
// and allocates nothing: what one would write by hand if speed were all. It
// takes no care of PIDs that change hands between two reads.
type rawPeer struct {
	proc  int // a descriptor of /proc
	path  []byte
	buf   []byte
	own   []byte // the membership of the process asked about
	group []byte // and its container group
	names []byte // what getdents64 returns

	found  []rawProcess
	groups map[string]string
}

type rawProcess struct {
	pid, ppid int
	start     uint64
	group     string
}

func newRawPeer() (*rawPeer, error) {
	fd, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: "/proc", Err: err}
	}
	return &rawPeer{
		proc:   fd,
		path:   make([]byte, 0, 64),
		buf:    make([]byte, 4096),
		own:    make([]byte, 0, 4096),
		names:  make([]byte, 32<<10),
		groups: make(map[string]string),
	}, nil
}

// rawRows returns every process there is.
func rawRows() (rows []row, err error) {
	p, err := newRawPeer()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.scan(); err != nil {
		return nil, err
	}
	return p.rows()
}

func (p *rawPeer) Close() error { return unix.Close(p.proc) }

func (p *rawPeer) appendSameGroup(dst []int, pid int) ([]int, error) {
	ppid, _, err := p.stat(pid)
	if err != nil {
		return dst, err
	}
	membership, err := p.read(pid, "/cgroup\x00")
	if err != nil {
		return dst, err
	}
	p.own = append(p.own[:0], membership...)
	if p.group, err = group(p.own); err != nil {
		return dst, err
	}
	for ppid != 0 {
		pid = ppid
		if ppid, _, err = p.stat(pid); err != nil {
			return dst, err
		}
		if membership, err = p.read(pid, "/cgroup\x00"); err != nil {
			return dst, err
		}
		if bytes.Equal(membership, p.own) {
			dst = append(dst, pid)
			continue
		}
		path, err := group(membership)
		if err != nil {
			return dst, err
		}
		if bytes.Equal(path, p.group) {
			dst = append(dst, pid)
		}
	}
	return dst, nil
}

func (p *rawPeer) scan() error {
	p.found = p.found[:0]
	if _, err := unix.Seek(p.proc, 0, unix.SEEK_SET); err != nil {
		return fmt.Errorf("lseek: %w", err)
	}
	for {
		n, err := unix.Getdents(p.proc, p.names)
		if err != nil {
			return fmt.Errorf("getdents64: %w", err)
		}
		if n == 0 {
			return nil
		}
		for entries := p.names[:n]; len(entries) > 0; {
			// struct linux_dirent64, getdents64(2)
			size := binary.NativeEndian.Uint16(entries[16:])
			name := entries[19:size]
			entries = entries[size:]
			pid, ok := number(name[:bytes.IndexByte(name, 0)])
			if !ok {
				continue
			}
			if err := p.add(int(pid)); err != nil && !gone(err) {
				return err
			}
		}
	}
}

// add reads one process into p.found.
func (p *rawPeer) add(pid int) error {
	ppid, start, err := p.stat(pid)
	if err != nil {
		return err
	}
	membership, err := p.read(pid, "/cgroup\x00")
	if err != nil {
		return err
	}
	path, err := group(membership)
	if err != nil {
		return err
	}
	name, ok := p.groups[string(path)]
	if !ok {
		name = string(path)
		p.groups[name] = name
	}
	p.found = append(p.found, rawProcess{pid, ppid, start, name})
	return nil
}

func (p *rawPeer) rows() ([]row, error) {
	rows := make([]row, 0, len(p.found))
	for _, f := range p.found {
		rows = append(rows, row{f.pid, f.ppid, f.group})
	}
	return rows, nil
}

var errStat = errors.New("not of the form of proc_pid_stat(5)")

// stat returns the parent and the start of a process.
func (p *rawPeer) stat(pid int) (ppid int, start uint64, err error) {
	text, err := p.read(pid, "/stat\x00")
	if err != nil {
		return 0, 0, err
	}
	end := bytes.LastIndexByte(text, ')') // the name may have any byte
	if end < 0 || len(text) < end+4 {
		return 0, 0, errStat
	}
	rest := text[end+4:] // past the state
	for field := 4; ; field++ {
		i := bytes.IndexByte(rest, ' ')
		if i < 0 {
			return 0, 0, errStat
		}
		if field == 4 || field == 22 {
			n, ok := number(rest[:i])
			if !ok {
				return 0, 0, errStat
			}
			if field == 22 {
				return ppid, n, nil
			}
			ppid = int(n)
		}
		rest = rest[i+1:]
	}
}

// read reads a file of a process. What it returns holds until the next read.
func (p *rawPeer) read(pid int, file string) ([]byte, error) {
	p.path = append(strconv.AppendInt(p.path[:0], int64(pid), 10), file...)
	fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(p.proc), uintptr(unsafe.Pointer(&p.path[0])),
		unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	n, err := unix.Read(int(fd), p.buf)
	unix.Close(int(fd))
	if err != nil {
		return nil, err
	}
	return p.buf[:n], nil
}

// gone reports whether an error means that the process has ended.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// number reads a decimal number without an allocation.
func number(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(b) > 0
}

func (*rawPeer) forget() {}
