package bpf

import (
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/sourcetest"
)

func TestSource(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	sourcetest.Run(t, func(t *testing.T) source.Source {
		s, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
