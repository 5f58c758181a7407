package sqlite

import (
	"context"
	"fmt"
	"time"
)

// Expire removes the files of days that were over before the time.
func (s *Store) Expire(ctx context.Context, before time.Time) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.inPlace(); err != nil {
		return fmt.Errorf("forget a day of the history: %w", err)
	}
	// What was made before a day that is over is over as well, also where its clock
	// was wrong.
	over := 0
	for i, d := range s.days[:max(len(s.days)-1, 0)] {
		if timeOf(d.newest).Before(before) {
			over = i + 1
		}
	}
	for _, d := range s.days[:over] {
		// What belongs to the file goes first: without it, it is a file of its own.
		for _, path := range [...]string{d.path + "-shm", d.path + "-wal", d.path} {
			if err := remove(path); err != nil {
				return fmt.Errorf("forget a day of the history: %w", err)
			}
		}
		s.mu.Lock()
		s.days = s.days[1:len(s.days):len(s.days)]
		s.mu.Unlock()
		s.retire(d)
	}
	kept := []Damage{}
	for _, damage := range s.damaged {
		if damage.Day.AddDate(0, 0, 1).After(before) {
			kept = append(kept, damage)
		} else if err := remove(damage.Path); err != nil {
			return fmt.Errorf("forget a day of the history: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damaged = kept
	return nil
}
