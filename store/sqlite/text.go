package sqlite

import (
	"encoding/binary"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A text is what many processes have alike: a name, a command or a setting. A file
// has it once, under a number; that of the empty text is zero.

// appendCommand appends the text of a command, without its instant.
func appendCommand(b []byte, c *process.Command) []byte {
	b = binary.AppendUvarint(b, uint64(bit(c.ArgsCut, 1)))
	b = appendString(b, c.File)
	if c.Args == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Args))+1)
	for _, arg := range c.Args {
		b = appendString(b, arg)
	}
	return b
}

func parseCommand(b []byte) (c process.Command, ok bool) {
	d := decoder{b: b}
	c.ArgsCut = d.uvarint() != 0
	c.File = d.string()
	if n := d.uvarint(); n > 0 && n <= uint64(len(d.b))+1 {
		c.Args = make([]string, n-1)
		for i := range c.Args {
			c.Args[i] = d.string()
		}
	}
	return c, !d.bad
}

// appendSetting appends the text of where a process is and as whom.
func appendSetting(b []byte, p *store.Process) []byte {
	b = append(b, byte(bit(p.Kernel, 1)|bit(p.Helper, 2)|bit(p.Owner.Known, 4)))
	for _, n := range [...]int{p.Owner.UID, p.Owner.EffectiveUID, p.Owner.GID, p.Owner.EffectiveGID, p.TTY} {
		b = binary.AppendVarint(b, int64(n))
	}
	for _, s := range [...]string{p.User, p.Group, p.Container, p.Unit, p.UserUnit, p.Session} {
		b = appendString(b, s)
	}
	return b
}

// parseSetting fills in what appendSetting has appended.
func parseSetting(b []byte, p *store.Process) bool {
	d := decoder{b: b}
	flags := d.uvarint()
	p.Kernel, p.Helper, p.Owner.Known = flags&1 != 0, flags&2 != 0, flags&4 != 0
	for _, n := range [...]*int{&p.Owner.UID, &p.Owner.EffectiveUID, &p.Owner.GID, &p.Owner.EffectiveGID, &p.TTY} {
		*n = int(d.varint())
	}
	for _, s := range [...]*string{&p.User, &p.Group, &p.Container, &p.Unit, &p.UserUnit, &p.Session} {
		*s = d.string()
	}
	return !d.bad
}

func appendContainer(b []byte, c *store.Container) []byte {
	for _, s := range containerFields(c) {
		b = appendString(b, *s)
	}
	return b
}

func parseContainer(b []byte) (*store.Container, bool) {
	c, d := &store.Container{}, decoder{b: b}
	for _, s := range containerFields(c) {
		*s = d.string()
	}
	return c, !d.bad
}

func containerFields(c *store.Container) [10]*string {
	return [...]*string{&c.ID, &c.Runtime, &c.Name, &c.Image, &c.PodUID, &c.PodName, &c.Namespace, &c.Workload, &c.Service, &c.Project}
}

func bit(on bool, value int64) int64 {
	if on {
		return value
	}
	return 0
}

const (
	// pageTexts and pageBytes are how much a row of texts has.
	pageTexts = 64
	pageBytes = 32 << 10
	// textOverhead is what a text takes in a map beside its bytes.
	textOverhead = 128
)

// An interner gives numbers to the texts of a file. What it has forgotten gets
// another number when it comes again, which costs room and nothing else.
type interner struct {
	next       int64
	young, old map[string]int64
	bytes      int      // of the young
	fresh      []string // not yet written: those with the last numbers
}

func newInterner(next int64) *interner {
	return &interner{next: next, young: map[string]int64{}}
}

func (in *interner) id(b []byte) int64 {
	if len(b) == 0 {
		return 0
	}
	if id, ok := in.young[string(b)]; ok {
		return id
	}
	text := string(b)
	id, ok := in.old[text]
	if !ok {
		id = in.next
		in.next++
		in.fresh = append(in.fresh, text)
	}
	if in.bytes += len(text) + textOverhead; in.bytes > internedTexts {
		in.old, in.young, in.bytes = in.young, map[string]int64{}, len(text)+textOverhead
	}
	in.young[text] = id
	return id
}

// pages returns the rows of what is not written yet, by the number of their first
// text.
func (in *interner) pages() (first []int64, pages [][]byte) {
	id := in.next - int64(len(in.fresh))
	for rest := in.fresh; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && n < pageTexts && (n == 0 || size+len(rest[n]) <= pageBytes) {
			size += len(rest[n])
			n++
		}
		page := binary.AppendUvarint(make([]byte, 0, size+2*n+8), uint64(n))
		for _, text := range rest[:n] {
			page = appendString(page, text)
		}
		first, pages = append(first, id), append(pages, sealed(page))
		id += int64(n)
		rest = rest[n:]
	}
	return first, pages
}

// written takes note that the file has all of them.
func (in *interner) written() { in.fresh = nil }

// undo forgets those that were not written.
func (in *interner) undo() {
	for _, text := range in.fresh {
		delete(in.young, text)
		delete(in.old, text)
	}
	in.next -= int64(len(in.fresh))
	in.fresh = nil
}
