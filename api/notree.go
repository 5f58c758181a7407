package api

import (
	"context"
	"errors"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// noTree is the live view of a server that has none: it knows of nothing.
type noTree struct{}

func (noTree) Details(process.ID) (process.Details, error) {
	return process.Details{}, lineage.ErrNotFound
}
func (noTree) Time(process.Instant) time.Time        { return time.Time{} }
func (noTree) Process(int) (process.Process, error)  { return process.Process{}, lineage.ErrNotFound }
func (noTree) Processes() ([]process.Process, error) { return nil, nil }
func (noTree) Source() lineage.SourceInfo            { return lineage.SourceInfo{Name: fromHistory.Name} }
func (noTree) Stats() lineage.Stats                  { return lineage.Stats{} }
func (noTree) Host() (hostID, bootID string)         { return "", "" }
func (noTree) ProcessByID(process.ID) (process.Process, error) {
	return process.Process{}, lineage.ErrNotFound
}

func (noTree) AncestorsByID(process.ID) ([]process.Process, error) {
	return nil, lineage.ErrNotFound
}

func (noTree) LineageByID(process.ID) ([]process.Step, error) {
	return nil, lineage.ErrNotFound
}

func (noTree) Events(context.Context) (<-chan lineage.Event, error) {
	return nil, errors.ErrUnsupported
}
