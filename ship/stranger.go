package ship

import (
	"errors"
	"time"

	"github.com/proclineage/lineage/store"
)

// ErrTwoHosts says that somebody else writes to the store that is shipped to, of a
// host with the same machine-id(5), and that nothing is shipped. Clones of an image
// need a machine-id each (systemd-machine-id-setup(1)). It ends once nobody else has
// written for some minutes.
var ErrTwoHosts = errors.New("another host with the same machine-id sends to the store")

// errUnsure says that the other store is at a boot that the own one has nothing of,
// and that is not yet known whether it is forgotten here or another host's.
var errUnsure = errors.New("the store has a boot that is not known here, which may be another host's")

// A stranger is a mark of a boot that the own store has nothing of.
type stranger struct {
	mark  store.Mark
	since time.Time // when it was met first
	gone  bool      // nobody goes on from it
}

// met fails until the mark has stood still for that long.
func (s *stranger) met(mark store.Mark, still time.Duration, err error) error {
	if s.mark.Boot != mark.Boot || s.mark.Now != mark.Now {
		*s = stranger{mark: mark, since: time.Now()}
	}
	if s.gone = s.gone || time.Since(s.since) >= still; s.gone {
		return nil
	}
	return err
}

// abandoned fails where the boot of the mark, which the own store has nothing of, may
// not be forgotten here, but be another host's, which writes on. Two boots of one host
// are not at the same time.
func (s *Shipper) abandoned(next *store.Batch) error {
	switch {
	case s.mark.Boot == s.own:
		return nil
	case s.mark.Wall.After(booted(next)):
		return s.strange.met(s.mark, 10*s.still, ErrTwoHosts)
	default:
		return s.strange.met(s.mark, s.still, errUnsure)
	}
}
