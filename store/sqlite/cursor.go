package sqlite

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/proclineage/lineage/store"
)

// A key is what processes are sorted by: the first field that differs decides, the
// greater value being the first but for the last ones.
type key struct {
	by, began, start int64
	host, boot       string
	pid, inode       int64
}

// compare is negative where k comes first.
func (k *key) compare(o *key) int {
	switch {
	case k.by != o.by:
		return cmp.Compare(o.by, k.by)
	case k.began != o.began:
		return cmp.Compare(o.began, k.began)
	case k.start != o.start:
		return cmp.Compare(o.start, k.start)
	}
	return cmp.Or(cmp.Compare(k.host, o.host), cmp.Compare(k.boot, o.boot), cmp.Compare(k.pid, o.pid), cmp.Compare(k.inode, o.inode))
}

// A cursor is where a page begins.
type cursor struct {
	question uint64    // its fingerprint
	now      time.Time // of the first page
	after    key
}

func (c *cursor) String() string {
	b := binary.LittleEndian.AppendUint64(nil, c.question)
	for _, v := range [...]int64{c.now.UnixNano(), c.after.by, c.after.began, c.after.start, c.after.pid, c.after.inode} {
		b = binary.AppendVarint(b, v)
	}
	b = appendString(appendString(b, c.after.host), c.after.boot)
	return base64.RawURLEncoding.EncodeToString(sealed(b))
}

// parseCursor reads the cursor of a query. Without one, the first page is meant.
func parseCursor(q *store.Query, now time.Time) (c cursor, err error) {
	c.question, c.now = q.Fingerprint(), now
	if q.After == "" {
		return c, nil
	}
	malformed := fmt.Errorf("%w: %q is not the end of a page of it", store.ErrQuery, q.After)
	b, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil {
		return c, malformed
	}
	if b, err = unsealed(b); err != nil || len(b) < 8 || binary.LittleEndian.Uint64(b) != c.question {
		return c, malformed
	}
	d, first := decoder{b: b[8:]}, int64(0)
	for _, v := range [...]*int64{&first, &c.after.by, &c.after.began, &c.after.start, &c.after.pid, &c.after.inode} {
		*v = d.varint()
	}
	c.after.host, c.after.boot = d.string(), d.string()
	c.now = time.Unix(0, first)
	if d.bad || len(d.b) > 0 {
		return c, malformed
	}
	return c, nil
}

// nanos is the time in nanoseconds since the epoch, for a zero time and one that
// these do not reach the nearest.
func nanos(t time.Time) int64 {
	switch {
	case t.Year() < 1678:
		return never
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}
