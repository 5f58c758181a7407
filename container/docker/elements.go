package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/proclineage/lineage/container"
)

// The limits of an answer. 100,000 containers come to some 300 MiB where each
// has mounts, networks and twenty labels.
const (
	// mostList is how much a list may take: its bytes and, for what they
	// become in memory, perContainer and perLabel more for each of those.
	mostList     = 768 << 20
	perContainer = 1 << 10
	perLabel     = 64
	// mostOne is how many bytes may be said of one container.
	mostOne = 8 << 20
)

// errTooLong says that an answer about one container is longer than mostOne.
var errTooLong = errors.New("more about one container than can be taken in")

// elements reads the elements of an array in JSON, one at a time and so that no
// more than one of them is in memory.
type elements struct {
	from  *purse
	dec   *json.Decoder
	n     int
	begun bool
}

func newElements(r io.Reader) *elements {
	from := &purse{r: r, all: mostList}
	return &elements{from: from, dec: json.NewDecoder(from)}
}

// next reads the next element into v, which has labels if that is not nil. The
// error is [io.EOF] after the last one.
func (e *elements) next(v any, labels *map[string]string) error {
	e.from.one = mostOne
	if !e.begun {
		e.begun = true
		t, err := e.dec.Token()
		if err != nil {
			return inJSON(err)
		}
		if t == nil { // null is an empty list
			return e.end()
		}
		if t != json.Delim('[') {
			return fmt.Errorf("read JSON: %.32q where a list was to begin", fmt.Sprint(t))
		}
	}
	if !e.dec.More() { // or there is an error, which the token is as well
		if _, err := e.dec.Token(); err != nil {
			return inJSON(err)
		}
		return e.end()
	}
	if e.n++; e.n > container.MaxContainers {
		return container.ErrTooMany
	}
	if err := e.dec.Decode(v); err != nil {
		return inJSON(err)
	}
	e.from.all -= perContainer
	if labels != nil {
		e.from.all -= int64(perLabel * len(*labels))
	}
	return nil
}

// end returns io.EOF if there is nothing after the list.
func (e *elements) end() error { return atEnd(e.dec) }

// atEnd returns io.EOF if there is nothing more.
func atEnd(dec *json.Decoder) error {
	t, err := dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return inJSON(err)
	}
	return fmt.Errorf("read JSON: %.32q after its end", fmt.Sprint(t))
}

// inJSON returns the error of a decoder that was not at the end.
func inJSON(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read JSON: %w", err)
}

// purse reads as far as there is something left to spend.
type purse struct {
	r io.Reader
	// one and all are how many bytes are left for the element and for all.
	one, all int64
}

// Read implements [io.Reader].
func (p *purse) Read(b []byte) (int, error) {
	switch {
	case p.all <= 0:
		return 0, container.ErrTooMany
	case p.one <= 0:
		return 0, errTooLong
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.one, p.all)])
	p.one -= int64(n)
	p.all -= int64(n)
	return n, err
}
