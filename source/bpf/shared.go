package bpf

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shared is struct shared of kernel/records.h, in the memory of the programs.
type shared struct {
	dropped atomic.Uint64
	told    atomic.Uint64
	woken   atomic.Uint64
	fill    atomic.Uint64
	scan    atomic.Uint64
	epoch   atomic.Uint64
	self    atomic.Uint64
	moves   atomic.Uint64
	ns      atomic.Uint64
	level   atomic.Uint64
	peaks   atomic.Uint64
}

// mapShared maps the map with the descriptor, in which the structure lies at an
// offset.
func mapShared(fd int, offset uint32) (*shared, error) {
	b, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the programs' memory: %w", err)
	}
	return (*shared)(unsafe.Pointer(&b[offset])), nil
}

// unmap unmaps the page that the structure is in, at whose beginning it lies.
func (s *shared) unmap() {
	_ = unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(s)), os.Getpagesize()))
}
