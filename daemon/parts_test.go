package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/proclineage/lineage"
)

// A part that follows what happens is waited for until it does, for as long as that
// takes, or until it has failed.
func TestPartsWatch(t *testing.T) {
	tree, err := lineage.NewTree(lineage.Options{Source: "procfs"})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	wrong := errors.New("wrong")
	for name, follow := range map[string]func(context.Context, *watched) error{
		"asks": func(ctx context.Context, w *watched) error {
			_, err := w.Events(ctx)
			if !errors.Is(err, lineage.ErrUnsupported) {
				t.Error(err)
			}
			<-ctx.Done()
			return nil
		},
		"fails": func(context.Context, *watched) error { return wrong },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				p, w := newParts(ctx), watchedTree(tree)
				gate, begun := make(chan struct{}), make(chan struct{})
				go func() {
					p.watch("part", w, func(ctx context.Context) error {
						<-gate
						return follow(ctx, w)
					})
					close(begun)
				}()
				synctest.Wait()
				select {
				case <-begun:
					t.Error("it was not waited for")
				default:
				}
				close(gate)
				<-begun
				end()
				if err := p.wait(); errors.Is(err, wrong) != (name == "fails") {
					t.Error(err)
				}
			})
		})
	}
}
