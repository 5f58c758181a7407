package cnproc

import (
	"testing"

	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/sourcetest"
)

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) source.Source { return start(t, Options{Buffer: 64 << 20}) })
}
