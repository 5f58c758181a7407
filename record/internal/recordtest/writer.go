package recordtest

import "errors"

// ErrFull is what a [Disk] without room returns.
var ErrFull = errors.New("no room is left")

// A Disk takes as many bytes as it has room for.
type Disk struct{ Room int }

// Write takes all of b or nothing.
func (d *Disk) Write(b []byte) (int, error) {
	if d.Room -= len(b); d.Room < 0 {
		return 0, ErrFull
	}
	return len(b), nil
}

// A Count counts the bytes that are written to it.
type Count int

// Write counts b.
func (c *Count) Write(b []byte) (int, error) {
	*c += Count(len(b))
	return len(b), nil
}
