package linux

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

func TestBoottime(t *testing.T) {
	a, b := Boottime(), Boottime()
	if a == 0 || b < a {
		t.Errorf("%d and then %d", a, b)
	}
	// The uptime is the same clock, in hundredths of a second.
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	var uptime float64
	if _, err := fmt.Sscan(string(text), &uptime); err != nil {
		t.Fatal(err)
	}
	if c := Boottime(); uptime < float64(b)/1e9-0.02 || uptime > float64(c)/1e9+0.02 {
		t.Errorf("uptime %v between %d and %d", uptime, b, c)
	}
	if booted := Booted(); time.Since(booted) < time.Duration(b) {
		t.Errorf("booted %v, which is less than %v ago", booted, time.Duration(b))
	}
}

func TestOpenAt(t *testing.T) {
	for _, path := range []string{"", "/proc/self/stat"} {
		if _, err := OpenAt(unix.AT_FDCWD, []byte(path), unix.O_RDONLY); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%q, with no NUL at its end: %v, want EINVAL", path, err)
		}
	}
	if _, err := OpenAt(unix.AT_FDCWD, []byte("/proc/none\x00"), unix.O_RDONLY); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v, want ENOENT", err)
	}
	fd, err := OpenAt(unix.AT_FDCWD, []byte("/proc/self/stat\x00"), unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v, want FD_CLOEXEC", flags, err)
	}
}

// A file that is longer than the buffer is read whole, and from its beginning.
func TestReadFileAt(t *testing.T) {
	want, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := bytes.Cut(want, []byte("\n"))
	for _, size := range []int{0, 1, 100, len(want), 1 << 20} {
		got, err := ReadFileAt(unix.AT_FDCWD, []byte("/proc/cpuinfo\x00"), make([]byte, size))
		if err != nil || !bytes.HasPrefix(got, first) || bytes.Count(got, []byte("processor")) != bytes.Count(want, []byte("processor")) {
			t.Errorf("with a buffer of %d: %d bytes, %v, want about %d", size, len(got), err, len(want))
		}
	}
}

// A file of many records is read to its end, however much the kernel gives of it
// at once.
func TestReadRecordsAt(t *testing.T) {
	page := os.Getpagesize()
	var lines []string
	for range 200 { // with a page in its middle that the kernel lists by itself
		pages, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Munmap(pages) })
		if err := unix.Mprotect(pages[page:2*page], unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.ReplaceAll(fmt.Sprintf("%p-%p ---p ", &pages[page], &pages[2*page]), "0x", ""))
	}
	got, err := ReadRecordsAt(unix.AT_FDCWD, []byte("/proc/self/maps\x00"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if !bytes.Contains(got, []byte(line)) {
			t.Fatalf("%d bytes without %q", len(got), line)
		}
	}
	if got, err := ReadRecordsAt(unix.AT_FDCWD, []byte("/proc/none\x00")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%q, %v, want ENOENT", got, err)
	}
	if got, err := ReadRecordsAt(unix.AT_FDCWD, []byte("/proc\x00")); !errors.Is(err, unix.EISDIR) {
		t.Errorf("%q, %v, want EISDIR", got, err)
	}
}

func TestPIDFD(t *testing.T) {
	linuxtest.Need(t, linuxtest.PidfdInfo, linuxtest.Pidfs)
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	again, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(again)
	a, errA := PIDFDInode(fd)
	b, errB := PIDFDInode(again)
	if errA != nil || errB != nil || a != b {
		t.Errorf("inodes %d and %d, %v, %v", a, b, errA, errB)
	}
	info := PIDFDInfo{Mask: PIDFDInfoPID | PIDFDInfoCreds | PIDFDInfoCgroupID}
	err = PIDFDGetInfo(fd, &info)
	if !InPIDFS(fd) || err != nil || int(info.PID) != os.Getpid() || int(info.PPID) != os.Getppid() || int(info.EUID) != os.Geteuid() || info.Mask&PIDFDInfoCgroupID == 0 {
		t.Errorf("%+v, %v", info, err)
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if InPIDFS(int(null.Fd())) {
		t.Error("/dev/null is in pidfs")
	}
}
