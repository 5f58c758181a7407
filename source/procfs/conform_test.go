package procfs

import (
	"testing"

	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/sourcetest"
)

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) source.Source { return open(t, Options{}) })
}

// TestSourceOnOldKernel runs the same without anything that procfs itself does
// not have.
func TestSourceOnOldKernel(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) source.Source { return openAs(t, Features{}) })
}
