package clickhouse

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/proclineage/lineage/store"
)

// A spot is a process in the order of an answer.
type spot struct {
	by         int64 // of uint64 the bits
	began      int64
	host, boot string
	key        key
}

// A cursor is where a page begins.
type cursor struct {
	question uint64    // its fingerprint
	now      time.Time // of the first page
	// first and last are the hours between which processes had begun then.
	first, last int64
	after       spot
}

const castagnoli = crc32.Castagnoli

func (c *cursor) String() string {
	b := binary.LittleEndian.AppendUint64(nil, c.question)
	for _, v := range [...]int64{c.now.UnixNano(), c.first, c.last, c.after.by, c.after.began} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = append(b, c.after.key...) // of keySize
	b = appendString(appendString(b, c.after.host), c.after.boot)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(castagnoli)))
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor reads the cursor of a query. Without one, the first page is meant.
func parseCursor(q *store.Query, now time.Time) (c cursor, err error) {
	c.question, c.now = q.Fingerprint(), now
	if q.After == "" {
		return c, nil
	}
	malformed := fmt.Errorf("%w: %q is not the end of a page of it", store.ErrQuery, q.After)
	const numbers, sum = 6 * 8, 4
	b, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil || len(b) < numbers+keySize+sum {
		return c, malformed
	}
	b, check := b[:len(b)-sum], binary.LittleEndian.Uint32(b[len(b)-sum:])
	if crc32.Checksum(b, crc32.MakeTable(castagnoli)) != check || binary.LittleEndian.Uint64(b) != c.question {
		return c, malformed
	}
	at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	c.now, c.first, c.last, c.after.by, c.after.began = time.Unix(0, at(1)), at(2), at(3), at(4), at(5)
	b = b[numbers:]
	c.after.key = key(b[:keySize])
	var ok [2]bool
	c.after.host, b, ok[0] = cutString(b[keySize:])
	c.after.boot, b, ok[1] = cutString(b)
	if !ok[0] || !ok[1] || len(b) > 0 {
		return c, malformed
	}
	return c, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, false
	}
	b = b[size:]
	return string(b[:n]), b[n:], true
}
