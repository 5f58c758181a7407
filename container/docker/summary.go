package docker

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// The client reads an answer as a whole, into types of half a kilobyte for "{}"
// that fail for an address or a port which another version writes in another
// way. So it gets no more to read than what is used.

// summary is what is used of a container in a list.
type summary struct {
	ID      string `json:"Id"`
	Names   []string
	Image   string
	ImageID string
	State   string
	Labels  map[string]string
}

// details are what is used of an inspection.
type details struct {
	ID     string `json:"Id"`
	Name   string
	Image  string
	State  *detailsState
	Config *detailsConfig
}

type detailsState struct {
	Status    string
	Pid       int
	StartedAt string
}

type detailsConfig struct {
	Image  string
	Labels map[string]string
}

// summaries reads as a list of containers with no more than a summary has.
type summaries struct {
	from *elements
	out  bytes.Buffer
	n    int
	err  error
}

func newSummaries(r io.Reader) *summaries {
	s := &summaries{from: newElements(r)}
	s.out.WriteByte('[')
	return s
}

// Read implements [io.Reader].
func (s *summaries) Read(b []byte) (int, error) {
	for s.out.Len() == 0 && s.err == nil {
		s.err = s.refill()
	}
	if s.out.Len() > 0 {
		return s.out.Read(b)
	}
	return 0, s.err
}

// refill takes in one more container.
func (s *summaries) refill() error {
	var one summary
	err := s.from.next(&one, &one.Labels)
	if errors.Is(err, io.EOF) {
		s.out.WriteByte(']')
		return io.EOF
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(one)
	if err != nil {
		return err
	}
	if s.n++; s.n > 1 {
		s.out.WriteByte(',')
	}
	s.out.Write(text)
	return nil
}

// inspection reads as an inspection with no more than details have.
type inspection struct {
	from io.Reader
	out  *bytes.Reader
	err  error
}

// Read implements [io.Reader].
func (i *inspection) Read(b []byte) (int, error) {
	if i.out == nil && i.err == nil {
		i.fill()
	}
	if i.err != nil {
		return 0, i.err
	}
	return i.out.Read(b)
}

func (i *inspection) fill() {
	dec := json.NewDecoder(&purse{r: i.from, one: mostOne, all: mostOne + 1})
	var d details
	if err := dec.Decode(&d); err != nil {
		i.err = inJSON(err)
		return
	}
	if err := atEnd(dec); !errors.Is(err, io.EOF) {
		i.err = err
		return
	}
	text, err := json.Marshal(&d)
	i.out, i.err = bytes.NewReader(text), err
}
