package store

import (
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
)

// A Clock knows what the wall clock showed at the instants of one boot, also when
// it was set meanwhile. The zero Clock knows nothing. It is not safe for
// concurrent use.
type Clock struct {
	// Steps are in the order of their instants.
	Steps []Step
}

// A Step is where the wall clock began to be by Offset ahead of the boot clock,
// by which it was until the next step. Nothing tells of the time before the first
// one, which is taken for that of the first.
type Step struct {
	From   process.Instant
	Offset time.Duration // since the epoch, at the instant zero
}

// slew is by how much the wall clock may be off, until another step is written
// down: it is not set by less, but made to run faster and slower (adjtimex).
const slew = 50 * time.Millisecond

// Set takes in that at the instant the wall clock showed the time. It reports
// whether that made a step.
func (c *Clock) Set(now process.Instant, wall time.Time) bool {
	offset := time.Duration(wall.UnixNano()) - time.Duration(now)
	if n := len(c.Steps); n > 0 {
		last := c.Steps[n-1]
		if d := offset - last.Offset; now < last.From || d > -slew && d < slew {
			return false
		}
	}
	c.Steps = append(c.Steps, Step{now, offset})
	return true
}

// Wall is what the wall clock showed at the instant, zero for the instant zero and
// where nothing is known.
func (c *Clock) Wall(i process.Instant) time.Time {
	if i == 0 || len(c.Steps) == 0 {
		return time.Time{}
	}
	n, _ := slices.BinarySearchFunc(c.Steps, i, func(s Step, i process.Instant) int {
		if s.From <= i {
			return -1
		}
		return 1
	})
	s := c.Steps[max(n-1, 0)]
	return time.Unix(0, int64(s.Offset)+int64(i)).UTC()
}

// Instant is when the wall clock showed the time: where it did so more than once
// since it was set back the last time, and where it never did since it was set
// ahead, the instant at which it was set. It is zero for a time before the boot,
// and where nothing is known.
func (c *Clock) Instant(wall time.Time) process.Instant {
	for n, s := range slices.Backward(c.Steps) {
		i := wall.UnixNano() - int64(s.Offset)
		if n > 0 && i < int64(s.From) {
			continue
		}
		if n+1 < len(c.Steps) {
			i = min(i, int64(c.Steps[n+1].From))
		}
		return process.Instant(max(i, 0))
	}
	return 0
}
