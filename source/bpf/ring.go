package bpf

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A ring is the reader's side of a BPF_MAP_TYPE_RINGBUF, whose memory the
// kernel shows: a page with the consumer's position, a page with the
// producer's, and the data, twice in a row so that no record is broken.
type ring struct {
	consumed *uintptr // unsigned long of the kernel
	produced *uintptr
	data     []byte
	mask     uintptr
	regions  [2][]byte
}

// The header of a record, struct bpf_ringbuf_hdr: the length with two flags,
// and what only the kernel uses.
const (
	headerSize   = 8
	flagBusy     = 1 << 31 // BPF_RINGBUF_BUSY_BIT
	flagDiscard  = 1 << 30 // BPF_RINGBUF_DISCARD_BIT
	recordAlign  = 8
	releaseAfter = 64 << 10 // bytes read, after which their room is given back
)

// mapRing maps the ring buffer with the descriptor, of size bytes.
func mapRing(fd, size int) (*ring, error) {
	page := os.Getpagesize()
	consumer, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the ring buffer: %w", err)
	}
	producer, err := unix.Mmap(fd, int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(consumer)
		return nil, fmt.Errorf("mapping the ring buffer: %w", err)
	}
	return &ring{
		consumed: (*uintptr)(unsafe.Pointer(&consumer[0])),
		produced: (*uintptr)(unsafe.Pointer(&producer[0])),
		data:     producer[page:],
		mask:     uintptr(size - 1),
		regions:  [2][]byte{consumer, producer},
	}, nil
}

func (r *ring) unmap() {
	for _, region := range r.regions {
		_ = unix.Munmap(region)
	}
}

// pending reports whether anything is unread.
func (r *ring) pending() bool {
	return atomic.LoadUintptr(r.consumed) != atomic.LoadUintptr(r.produced)
}

// read hands over what was reserved before the call, in order. A record that
// is still being written is waited for: its program runs on another processor
// and cannot be interrupted for long. The bytes are valid during the call.
func (r *ring) read(each func(record []byte)) {
	at, end := atomic.LoadUintptr(r.consumed), atomic.LoadUintptr(r.produced)
	released := at
	for at != end {
		offset := at & r.mask
		header := (*uint32)(unsafe.Pointer(&r.data[offset]))
		n := atomic.LoadUint32(header)
		for n&flagBusy != 0 {
			runtime.Gosched()
			n = atomic.LoadUint32(header)
		}
		size := uintptr(n &^ flagDiscard)
		if n&flagDiscard == 0 {
			begin := offset + headerSize
			each(r.data[begin : begin+size : begin+size])
		}
		at += (headerSize + size + recordAlign - 1) &^ (recordAlign - 1)
		if at-released >= releaseAfter {
			atomic.StoreUintptr(r.consumed, at)
			released = at
		}
	}
	atomic.StoreUintptr(r.consumed, at)
}
