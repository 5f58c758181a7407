package procfs

import (
	"slices"
	"sync"
	"sync/atomic"

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

	users   atomic.Int32 // one of them is held, as long as it is there
	touched atomic.Bool  // it was used since held looked for one to drop
}

func (h *handle) close() {
	for _, fd := range []*int{&h.dir, &h.pidfd, &h.stat, &h.cgroup} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// release ends a use of the handle. The last one closes it.
func (h *handle) release() {
	if h.users.Add(-1) == 0 {
		h.close()
	}
}

// held is the handles that are kept from one call to the next, of the
// processes asked for last.
type held struct {
	mu    sync.Mutex
	byPID map[int]*handle
	ring  []*handle // the same, in the order in which one is dropped
	hand  int
	limit int // the most handles
	each  int // descriptors of a handle
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
	return len(k.ring) * k.each, k.limit * k.each
}

// acquire returns the handle of the process if it is held. The caller must
// release it.
func (k *held) acquire(id process.ID) *handle {
	k.mu.Lock()
	h := k.byPID[id.PID]
	if h != nil && h.id.Same(id) {
		h.users.Add(1)
	} else {
		h = nil
	}
	k.mu.Unlock()
	if h != nil && !h.touched.Load() {
		h.touched.Store(true)
	}
	return h
}

// add keeps a handle beside its caller's use, and drops another one where
// there are too many: one that was not used since the hand last passed it.
func (k *held) add(h *handle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.limit == 0 {
		return
	}
	if old := k.byPID[h.id.PID]; old != nil {
		k.remove(old)
	}
	for len(k.ring) >= k.limit {
		k.hand %= len(k.ring)
		if next := k.ring[k.hand]; next.touched.Swap(false) {
			k.hand++
		} else {
			k.remove(next)
		}
	}
	h.users.Add(1)
	k.byPID[h.id.PID] = h
	k.ring = append(k.ring, h)
}

// drop forgets the handle of a process that has ended.
func (k *held) drop(h *handle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byPID[h.id.PID] == h {
		k.remove(h)
	}
}

// shed drops half of what is held, for a program that has run out of
// descriptors, and reports whether there was anything.
func (k *held) shed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := (len(k.ring) + 1) / 2
	for range n {
		k.remove(k.ring[0])
	}
	return n > 0
}

func (k *held) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.ring) > 0 {
		k.remove(k.ring[0])
	}
	k.limit = 0
}

// remove takes a handle out. k.mu is held.
func (k *held) remove(h *handle) {
	i := slices.Index(k.ring, h)
	k.ring[i] = k.ring[len(k.ring)-1]
	k.ring[len(k.ring)-1] = nil
	k.ring = k.ring[:len(k.ring)-1]
	delete(k.byPID, h.id.PID)
	h.release()
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
