package store_test

import (
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

func TestClock(t *testing.T) {
	const second = process.Instant(time.Second)
	base := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }
	var none store.Clock
	if !none.Wall(5).IsZero() || none.Instant(base) != 0 {
		t.Error("a clock that knows nothing tells a time")
	}
	for _, jump := range []int{-3600, 3600} {
		var c store.Clock
		for _, s := range []struct {
			now  process.Instant
			wall time.Time
			step bool
		}{
			{100 * second, at(100), true},
			{110 * second, at(110).Add(20 * time.Millisecond), false}, // slewed
			{200 * second, at(200 + jump), true},
			{150 * second, at(150), false}, // told of before
			{300 * second, at(300 + jump), false},
		} {
			if got := c.Set(s.now, s.wall); got != s.step {
				t.Errorf("jump %d: at %v it is a step: %v", jump, s.now, got)
			}
		}
		for i, want := range map[process.Instant]time.Time{
			0: {}, 1 * second: at(1), 199 * second: at(199), 200 * second: at(200 + jump), 5000 * second: at(5000 + jump),
		} {
			if got := c.Wall(i); !got.Equal(want) {
				t.Errorf("jump %d: at %v it showed %v, and not %v", jump, i, got, want)
			}
		}
		if got := c.Instant(base.Add(-time.Hour * 1000)); got != 0 {
			t.Errorf("jump %d: before the boot it was %v", jump, got)
		}
	}
	var back, ahead store.Clock
	for c, jump := range map[*store.Clock]int{&back: -3600, &ahead: 3600} {
		c.Set(100*second, at(100))
		c.Set(5000*second, at(5000+jump))
	}
	for name, c := range map[string]struct {
		clock *store.Clock
		wall  time.Time
		want  process.Instant
	}{
		"once":                  {&back, at(1000), 1000 * second},
		"twice, the later":      {&back, at(2000), 5600 * second},
		"after it was set back": {&back, at(6000), 9600 * second},
		"before":                {&ahead, at(4000), 4000 * second},
		"never":                 {&ahead, at(6000), 5000 * second},
		"set ahead":             {&ahead, at(9000), 5400 * second},
	} {
		if got := c.clock.Instant(c.wall); got != c.want {
			t.Errorf("%s: %v, and not %v", name, got, c.want)
		}
	}
}

// FuzzClock holds that of each instant the wall clock leads back to one at which
// it showed the same.
func FuzzClock(f *testing.F) {
	f.Add(int64(1e9), int64(-36e11), uint64(5e12), uint64(7e12))
	f.Add(int64(36e11), int64(36e11), uint64(1), uint64(2e12))
	f.Fuzz(func(t *testing.T, first, second int64, at, i uint64) {
		const most = 1 << 60
		if first < 0 || first > most || second < -most || second > most || at > most || i > most || i == 0 {
			return // out of the range of clocks
		}
		var c store.Clock
		c.Set(1, time.Unix(0, first))
		c.Set(process.Instant(at), time.Unix(0, max(first+second, 0)))
		wall := c.Wall(process.Instant(i))
		if wall.UnixNano() < 0 {
			return
		}
		if back := c.Instant(wall); back != 0 && !c.Wall(back).Equal(wall) {
			t.Errorf("%v was at %d, when it was %v", wall, back, c.Wall(back))
		}
	})
}
