package sqlite

import (
	"errors"
	"fmt"
	"os"
)

// ErrMoved is wrapped by the errors of [Store.Append] and [Store.Expire] when the
// directory no longer has the files that were opened. Nothing is written then, as
// nobody would find it, nor removed, as it may be another program's.
var ErrMoved = errors.New("the history's files were moved or removed: restart lineage serve")

// inPlace returns an error where the directory no longer has the lock or the file
// that is written to.
func (s *Store) inPlace() error {
	lock, err := s.lock.Stat()
	if err != nil {
		return err
	}
	if err := same(lock, s.lock.Name()); err != nil {
		return err
	}
	if d := s.today(); d != nil {
		return same(d.writer.file, d.path)
	}
	return nil
}

func same(file os.FileInfo, path string) error {
	found, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(file, found) {
		return fmt.Errorf("%s: %w", path, ErrMoved)
	}
	return err
}
