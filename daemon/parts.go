package daemon

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/proclineage/lineage"
)

// parts are what a daemon does at once. When one of them fails, all are ended.
type parts struct {
	ctx    context.Context
	end    context.CancelCauseFunc
	all    sync.WaitGroup
	failed atomic.Pointer[error]
}

func newParts(ctx context.Context) *parts {
	ctx, end := context.WithCancelCause(ctx)
	return &parts{ctx: ctx, end: end}
}

// run runs a part.
func (p *parts) run(name string, part func(context.Context) error) {
	p.all.Go(func() { p.report(name, part(p.ctx)) })
}

// watch runs a part that is told what happens by the tree, and returns once it will
// be: it misses nothing of what happens from then on.
func (p *parts) watch(name string, tree *watched, part func(context.Context) error) {
	p.run(name, part)
	select {
	case <-tree.asked:
	case <-p.ctx.Done():
	}
}

// watched is the tree of one part. Asked is closed once that has asked for what
// happens.
type watched struct {
	*lineage.Tree
	asked chan struct{}
	once  sync.Once
}

func watchedTree(t *lineage.Tree) *watched { return &watched{Tree: t, asked: make(chan struct{})} }

func (w *watched) Events(ctx context.Context) (<-chan lineage.Event, error) {
	defer w.once.Do(func() { close(w.asked) })
	return w.Tree.Events(ctx)
}

// report ends the others where a part has failed.
func (p *parts) report(name string, err error) {
	if err == nil {
		return
	}
	err = fmt.Errorf("%s: %w", name, err)
	p.failed.CompareAndSwap(nil, &err)
	p.end(err)
}

// wait waits until all have ended, and returns why the first that failed did.
func (p *parts) wait() error {
	p.all.Wait()
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}
