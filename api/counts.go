package api

import (
	"net/http"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// counts answers how many processes there were over time.
func (s *Server) counts(w http.ResponseWriter, r *http.Request) error {
	p := s.paramsOf(r, "since", "until", "host", "buckets")
	q := p.query()
	n := p.number("buckets", 120, 2000)
	until := q.Until
	if until.IsZero() {
		until = p.now
	}
	s.window(p, q, until.Add(-time.Hour))
	if p.err != nil {
		return p.err
	}
	c, err := s.aboutPast(r.Context(), q.Host)
	if err != nil {
		return err
	}
	q.Host = c.id()
	a := Counts{
		Answer: s.pastOf(&c, q), Since: wall(q.Since), Until: wall(q.Until),
		BucketSeconds: q.Until.Sub(q.Since).Seconds() / float64(n),
	}
	count := counter{since: q.Since, width: max(q.Until.Sub(q.Since)/time.Duration(n), 1), buckets: make([]Bucket, n), change: make([]int, n+1)}
	more, note, err := s.each(r.Context(), sees(r), q, s.o.Limits.MaxCounted, func(page *store.Page) {
		a.gaps(page.Gaps)
		for i := range page.Processes {
			count.add(&page.Processes[i])
		}
	})
	if err != nil {
		return err
	}
	if note != "" {
		a.lack(note)
	}
	if more {
		a.Estimated = true
		a.lack("the processes that started last were counted, and there were more before")
	}
	a.Buckets = count.result()
	return s.json(w, r, &a)
}

// A counter counts processes over time.
type counter struct {
	since   time.Time
	width   time.Duration
	buckets []Bucket
	change  []int // by how many more lived in a bucket than in the one before
}

// bucket is the place of a time, clamped to those there are.
func (c *counter) bucket(t time.Time) (n int, within bool) {
	d := t.Sub(c.since)
	n = int(d / c.width)
	return min(max(n, 0), len(c.buckets)-1), d >= 0 && n < len(c.buckets)
}

func (c *counter) add(p *store.Process) {
	first, within := c.bucket(p.Began)
	if within {
		c.buckets[first].Started++
	}
	last := len(c.buckets) - 1
	if p.Exit.Evidence != process.Unknown && !p.Ended.IsZero() {
		if last, within = c.bucket(p.Ended); within {
			c.buckets[last].Ended++
			if x := p.Exit; x.Evidence == process.Observed && x.Status != 0 {
				c.buckets[last].Failed++
			}
		}
	}
	c.change[first]++
	c.change[max(last, first)+1]--
}

func (c *counter) result() []Bucket {
	lived := 0
	for i := range c.buckets {
		lived += c.change[i]
		c.buckets[i].Lived = lived
		c.buckets[i].Time = wall(c.since.Add(time.Duration(i) * c.width))
	}
	return c.buckets
}
