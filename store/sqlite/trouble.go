package sqlite

import "sync"

// A trouble is the error of what is tried again and again. It is safe for
// concurrent use.
type trouble struct {
	mu   sync.Mutex
	last string
}

// news reports whether the outcome is an error that the last one was not.
func (t *trouble) news(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.last
	t.last = ""
	if err != nil {
		t.last = err.Error()
	}
	return t.last != "" && t.last != was
}
