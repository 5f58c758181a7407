package linuxtest

import "golang.org/x/sys/unix"

// SlowDown makes the memory of the process slow to take down when it ends, some
// 70 ms, though there is little of it: it has the same pages over and over.
func (a *Actor) SlowDown() error {
	const size, times = 16 << 20, 256
	fd, err := a.Syscall(unix.SYS_MEMFD_CREATE, "memory", 0)
	if err == nil {
		_, err = a.Syscall(unix.SYS_FTRUNCATE, fd, size)
	}
	for i := 0; i < times && err == nil; i++ {
		_, err = a.Syscall(unix.SYS_MMAP, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE, fd, 0)
	}
	return err
}
