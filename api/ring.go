package api

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"

	"github.com/proclineage/lineage"
)

// A ring is the events that happened last, for all who read them: a reader that is
// slow misses some, and takes no memory.
type ring struct {
	name string // of this ring among those of all servers there were

	mu      sync.Mutex
	events  []*lineage.Event // the first is the one numbered first
	head    int              // those before it are gone
	first   uint64
	bytes   int
	most    int
	feeding bool
	more    chan struct{} // closed when there is one more, nil where nobody waits
}

func newRing(most int) *ring {
	var name [6]byte
	_, _ = rand.Read(name[:]) // it never fails
	return &ring{name: hex.EncodeToString(name[:]), most: most}
}

// eventBytes is what an event takes, without its strings.
const eventBytes = 1 << 10

// weight is about how many bytes an event takes.
func weight(e *lineage.Event) int {
	n := eventBytes + len(e.Process.Exec.File)
	for _, a := range e.Process.Exec.Args {
		n += len(a) + 16
	}
	return n
}

// add takes in an event.
func (g *ring) add(e *lineage.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, e)
	g.bytes += weight(e)
	for g.bytes > g.most && g.head < len(g.events)-1 {
		g.bytes -= weight(g.events[g.head])
		g.events[g.head] = nil
		g.head++
		g.first++
	}
	if g.head > len(g.events)/2 {
		g.events = append(g.events[:0:0], g.events[g.head:]...)
		g.head = 0
	}
	g.wake()
}

func (g *ring) wake() {
	if g.more != nil {
		close(g.more)
		g.more = nil
	}
}

// feed says whether events come from now on.
func (g *ring) feed(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.feeding = on
	g.wake()
}

// fed reports whether events come.
func (g *ring) fed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.feeding
}

// next is the number that the next event gets.
func (g *ring) next() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first + uint64(len(g.events)-g.head)
}

// from returns up to len(to) events from a number on, and the number of the first
// of them, which is a later one where events were forgotten. Where there is none, it
// returns what is closed when there is one, or when no more come: then fed is false.
func (g *ring) from(number uint64, to []*lineage.Event) (n int, first uint64, more <-chan struct{}, fed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first = max(number, g.first)
	if at := g.head + int(first-g.first); at < len(g.events) {
		n = copy(to, g.events[at:])
	}
	if n == 0 {
		if g.more == nil {
			g.more = make(chan struct{})
		}
		more = g.more
	}
	return n, first, more, g.feeding
}

// cursor names the place before the event with the number.
func (g *ring) cursor(number uint64) string { return g.name + "-" + strconv.FormatUint(number, 10) }

// place is the number of the event after a cursor. It reports false where that
// cannot be gone on from: it is of another server.
func (g *ring) place(cursor string) (number uint64, ok bool) {
	name, text, _ := strings.Cut(cursor, "-")
	number, err := strconv.ParseUint(text, 10, 64)
	return number, err == nil && name == g.name && number <= g.next()
}
