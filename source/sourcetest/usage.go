package sourcetest

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// use is what a subject had used by its own account, in bytes. All of it is zero
// where it could not be asked.
type use struct{ read, written, peak uint64 }

const (
	// usedAtEnd is how much storage a process may read and write between its
	// account and its end.
	usedAtEnd = 1 << 20
	// uncounted is how much of what is resident the kernel may not have counted
	// yet (struct percpu_counter).
	uncounted = 32 << 20
	// hogged is so much more that what a process had can be told from what its
	// creator had.
	hogged = 3 * uncounted
	// moved is how much storage a process is made to read, and to write.
	moved = 4 << 20
)

// measure asks a process what it has used.
func (r *run) measure(s *subject) {
	r.t.Helper()
	var u unix.Rusage
	room := make([]byte, binary.Size(u))
	if _, err := s.Syscall(unix.SYS_GETRUSAGE, unix.RUSAGE_SELF, room); err != nil {
		r.t.Fatalf("%v: getrusage: %v", s, err)
	}
	if _, err := binary.Decode(room, binary.NativeEndian, &u); err != nil {
		r.t.Fatal(err)
	}
	s.used = use{read: uint64(u.Inblock) << 9, written: uint64(u.Oublock) << 9}
	for line := range strings.Lines(s.ReadFile("/proc/thread-self/status")) { // a leader that has ended has none
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseUint(strings.Fields(value)[0], 10, 64)
			if err != nil {
				r.t.Fatalf("%v: %q: %v", s, line, err)
			}
			s.used.peak = kib << 10
		}
	}
}

// checkUsage holds what was told of the use of a subject that has ended.
func (r *run) checkUsage(s *subject, u process.Usage) {
	if !u.Known {
		if r.exact() {
			r.errorf("%v: what it used is not told", s)
		}
		return
	}
	lived := time.Duration(s.buried - s.from) // with few threads
	if u.User < 0 || u.System < 0 || u.User+u.System > 64*lived {
		r.errorf("%v, which lived for %v: %+v", s, lived, u)
	}
	if s.used.peak == 0 {
		return
	}
	if u.ReadBytes < s.used.read || u.ReadBytes > s.used.read+usedAtEnd || u.WrittenBytes < s.used.written || u.WrittenBytes > s.used.written+usedAtEnd {
		r.errorf("%v: read %d bytes and wrote %d, want %d and %d", s, u.ReadBytes, u.WrittenBytes, s.used.read, s.used.written)
	}
	switch {
	case u.MaxRSS == 0 || u.MaxRSS+uncounted < s.used.peak:
		r.errorf("%v: had %d bytes resident, want %d", s, u.MaxRSS, s.used.peak)
	case u.MaxRSS <= s.used.peak+uncounted:
	case r.limits[source.PeaksInherited] && u.MaxRSS < 1<<36:
		r.seen.inherited = append(r.seen.inherited, s.String())
	default:
		r.errorf("%v: had %d bytes resident, want %d", s, u.MaxRSS, s.used.peak)
	}
}

// usage is that of a process itself: neither what those that it made and waited
// for used, nor what it had in common with its creator.
func usage(r *run) {
	file := r.file()
	above := r.start("starter")
	var line []*subject
	for _, label := range []string{"above", "between", "who moves data"} {
		above = r.fork(above, label)
		line = append(line, above)
	}
	first := line[2]
	r.move(first, file)
	line = append(line, r.fork(line[1], "who moves data by a thread"))
	line[3].Exec("mover") // a bare process has no threads
	th := line[3].NewThread()
	r.moveBy(line[3], file, th.Syscall)
	th.Exit()
	r.leave(line[3], r.test)
	r.leave(first, r.test)
	r.leave(line[1], r.test)
	r.leave(line[0], r.test)
	r.compare()

	hog := r.fork(r.cast[0], "large")
	r.hog(hog)
	r.leave(r.fork(hog, "as large"), r.test)
	small := r.fork(hog, "small")
	small.Exec("small")
	r.compare()
	r.leave(small, r.test)
	r.leave(hog, r.test)
	was := r.fork(r.cast[0], "was large")
	r.hog(was)
	was.Exec("small now")
	r.leave(was, r.test)
	r.seen.large = true
	r.compare()
}

// file makes a file in a folder that is on storage, where there is one.
func (r *run) file() string {
	r.t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "lineage-test-")
	if err != nil {
		return r.t.TempDir() + "/data"
	}
	r.t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			r.t.Error(err)
		}
	})
	return dir + "/data"
}

// room gives the subject memory.
func (r *run) room(s *subject, size int) uintptr {
	r.t.Helper()
	at, err := s.Syscall(unix.SYS_MMAP, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE, -1, 0)
	if err != nil {
		r.t.Fatalf("%v: memory: %v", s, err)
	}
	return at
}

func (r *run) hog(s *subject) { r.room(s, hogged) }

// move makes the subject write and read a file, past the page cache.
func (r *run) move(s *subject, file string) {
	r.t.Helper()
	r.moveBy(s, file, s.Syscall)
}

// moveBy does so by a thread of the subject.
func (r *run) moveBy(s *subject, file string, call func(nr uintptr, args ...any) (uintptr, error)) {
	r.t.Helper()
	at := r.room(s, moved)
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_CLOEXEC
	fd, err := call(unix.SYS_OPENAT, unix.AT_FDCWD, file, flags|unix.O_DIRECT, 0o600)
	if err != nil { // as in memory before Linux 6.6
		fd, err = call(unix.SYS_OPENAT, unix.AT_FDCWD, file, flags, 0o600)
	}
	for _, nr := range []uintptr{unix.SYS_PWRITE64, unix.SYS_PREAD64} {
		if err == nil {
			_, err = call(nr, fd, at, moved, 0)
		}
	}
	if err != nil {
		r.t.Fatalf("%v: %s: %v", s, file, err)
	}
}
