package process

import "slices"

// maxWindows is how many windows of loss are told apart. The oldest of more
// are taken for one, which makes more doubtful, never less.
const maxWindows = 32

// A window is a time in which events were dropped: after since, until until.
type window struct{ since, until Instant }

// lose takes in that events were dropped.
func (t *Table) lose(w window) {
	t.loss = max(t.loss, w.until)
	merged := t.losses[:0]
	for _, v := range t.losses {
		if v.since <= w.until && w.since <= v.until {
			w.since, w.until = min(w.since, v.since), max(w.until, v.until)
		} else {
			merged = append(merged, v)
		}
	}
	t.losses = append(merged, w)
	slices.SortFunc(t.losses, func(a, b window) int {
		if a.until < b.until {
			return -1
		}
		return 1
	})
	if len(t.losses) > maxWindows {
		t.losses[1].since = t.losses[0].since
		t.losses = slices.Delete(t.losses, 0, 1)
	}
	for r := range t.All() {
		t.tell(r)
	}
}

// lost reports whether an event was dropped that may have changed, before the
// process ended, what was true at the instant.
func (t *Table) lost(n *node, at Instant) bool {
	if at > t.loss || t.loss == 0 {
		return false
	}
	if n.state != Ended {
		return true
	}
	return t.lostBetween(at, t.end(n).At)
}

func (t *Table) lostBetween(at, end Instant) bool {
	for _, w := range t.losses {
		if at <= w.until && end > w.since {
			return true
		}
	}
	return false
}
