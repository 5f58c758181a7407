package main

import (
	"context"
	"errors"
	"testing"
)

// A door is something that is opened.
type door chan struct{}

func (d door) Close() error {
	close(d)
	return nil
}

// TestPromptlyCloses has what is opened too late closed.
func TestPromptlyCloses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	late, d := make(chan struct{}), make(door)
	got, err := promptly(ctx, func() (door, error) {
		<-late
		return d, nil
	})
	if got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", got, err)
	}
	close(late)
	<-d
}
