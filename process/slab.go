package process

// slabChunk is how many values a slab allocates at once.
const (
	slabBits  = 9
	slabChunk = 1 << slabBits
)

// A slab holds values at places that are numbers above zero. A value stays
// where it is until its place is given back, and growing copies nothing.
type slab[T any] struct {
	chunks []*[slabChunk]T
	end    int32   // the places below it have been given out
	free   []int32 // those of them that were given back
}

// at returns the value at a place.
func (s *slab[T]) at(place int32) *T { return &s.chunks[place>>slabBits][place&(slabChunk-1)] }

// take returns a free place, whose value is zero.
func (s *slab[T]) take() int32 {
	if n := len(s.free); n > 0 {
		place := s.free[n-1]
		s.free = s.free[:n-1]
		return place
	}
	s.end = max(s.end, 1) // zero is no place
	if int(s.end)>>slabBits == len(s.chunks) {
		s.chunks = append(s.chunks, new([slabChunk]T))
	}
	s.end++
	return s.end - 1
}

// give takes a place back.
func (s *slab[T]) give(place int32) {
	*s.at(place) = *new(T)
	s.free = append(s.free, place)
}

// used returns how many places are in use.
func (s *slab[T]) used() int { return max(int(s.end)-1, 0) - len(s.free) }
