package procfs

import (
	"container/list"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

// A handle is the open descriptors that pin one process: what is read through
// them is of this process or fails, whoever has its PID by then.
type handle struct {
	id     process.ID
	dir    int // /proc/PID, -1 where it is not open, as the others
	pidfd  int
	stat   int
	cgroup int

	// With Features.Unified: a membership, and the ID of its cgroup. They
	// are guarded by held.mu.
	cgroupID   uint64
	membership string

	users int           // guarded by held.mu
	place *list.Element // its place in held.order, nil if it is not there
}

func (h *handle) close() {
	for _, fd := range []*int{&h.dir, &h.pidfd, &h.stat, &h.cgroup} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// held is the handles that are kept from one call to the next, of the
// processes asked for last.
type held struct {
	mu    sync.Mutex
	byPID map[int]*handle
	order list.List // of *handle, the one used last in front
	limit int       // the most handles
	each  int       // descriptors of a handle
}

func (k *held) init(descriptors int, two bool) {
	k.each = 1
	if two {
		k.each = 2
	}
	k.byPID = make(map[int]*handle)
	k.limit = descriptors / k.each
}

func (k *held) count() (held, limit int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.order.Len() * k.each, k.limit * k.each
}

// acquire returns the handle of the process if it is held. The caller must
// release it.
func (k *held) acquire(id process.ID) *handle {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.byPID[id.PID]
	if h == nil || !h.id.Same(id) {
		return nil
	}
	h.users++
	k.order.MoveToFront(h.place)
	return h
}

// add takes in a handle that its caller uses. If it is to be kept, it drops
// the one used longest ago where there are too many; else release closes it.
func (k *held) add(h *handle, keep bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h.users++
	if !keep || k.limit == 0 {
		return
	}
	if old := k.byPID[h.id.PID]; old != nil {
		k.remove(old)
	}
	for k.order.Len() >= k.limit {
		k.remove(k.order.Back().Value.(*handle))
	}
	k.byPID[h.id.PID] = h
	h.place = k.order.PushFront(h)
}

// release ends a use of the handle.
func (k *held) release(h *handle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h.users--
	if h.users == 0 && h.place == nil {
		h.close()
	}
}

// drop forgets the handle of a process that has ended.
func (k *held) drop(h *handle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.place != nil {
		k.remove(h)
	}
}

// shed drops half of what is held, for a program that has run out of
// descriptors, and reports whether there was anything.
func (k *held) shed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := (k.order.Len() + 1) / 2
	for range n {
		k.remove(k.order.Back().Value.(*handle))
	}
	return n > 0
}

func (k *held) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.order.Len() > 0 {
		k.remove(k.order.Back().Value.(*handle))
	}
	k.limit = 0
}

// remove takes a handle out. k.mu is held.
func (k *held) remove(h *handle) {
	k.order.Remove(h.place)
	h.place = nil
	if k.byPID[h.id.PID] == h {
		delete(k.byPID, h.id.PID)
	}
	if h.users == 0 {
		h.close()
	}
}

// paired reports whether the cgroup ID is the one of the membership.
func (k *held) paired(h *handle, cgroupID uint64, membership string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return h.cgroupID == cgroupID && h.membership == membership && membership != ""
}

// pair notes that the cgroup ID is the one of the membership.
func (k *held) pair(h *handle, cgroupID uint64, membership string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h.cgroupID, h.membership = cgroupID, membership
}
