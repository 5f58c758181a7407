package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// block returns a block of a file.
func (s *Store) block(ctx context.Context, d *day, e *entry) (*block, error) {
	k := place{day: d.sequence, block: e.id}
	if b, ok := s.blocks.get(k); ok {
		return b, nil
	}
	var data []byte
	if err := d.sought.QueryRowContext(ctx, e.id).Scan(&data); err != nil {
		return nil, failed(ctx, d, err)
	}
	b, err := parseBlock(e, data)
	if err != nil {
		return nil, named(d.path, fmt.Errorf("block %d: %w", e.id, err))
	}
	s.blocks.put(k, b, b.size())
	return b, nil
}

// whole reads what else there is of a block, before a row of it is told of or asked
// for by what processes used.
func (s *Store) whole(ctx context.Context, d *day, e *entry, b *block) error {
	var failure error
	was := b.size()
	err := b.tell(func() (data []byte, _ error) {
		failure = d.told.QueryRowContext(ctx, e.id).Scan(&data)
		return data, failure
	})
	if failure != nil {
		return failed(ctx, d, failure)
	}
	if err != nil {
		return named(d.path, fmt.Errorf("block %d: %w", e.id, err))
	}
	if size := b.size(); size != was {
		s.blocks.put(place{day: d.sequence, block: e.id}, b, size)
	}
	return nil
}

// failed is the error of a question to a file, the context's where that has ended.
func failed(ctx context.Context, d *day, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return named(d.path, err)
}

// sane returns an error where what was read of the block made no sense.
func (b *block) sane(d *day) error {
	if b.bad.Load() {
		return named(d.path, errBlock)
	}
	return nil
}

func parsePage(page []byte) ([][]byte, error) {
	page, err := unsealed(page)
	if err != nil {
		return nil, err
	}
	dec := decoder{b: page}
	texts := make([][]byte, dec.count())
	for i := range texts {
		texts[i] = dec.bytes()
	}
	if dec.bad {
		return nil, errBlock
	}
	return texts, nil
}

// text returns a text of a file, which must not be changed.
func (s *Store) text(ctx context.Context, d *day, id int64) ([]byte, error) {
	if id == 0 {
		return nil, nil
	}
	if t, ok := s.texts.get(textKey{d.sequence, id}); ok {
		return t, nil
	}
	var first int64
	var page []byte
	if err := d.pages.QueryRowContext(ctx, id).Scan(&first, &page); err != nil {
		return nil, failed(ctx, d, err)
	}
	texts, err := parsePage(page)
	if err == nil && id-first >= int64(len(texts)) {
		err = errBlock
	}
	if err != nil {
		return nil, named(d.path, fmt.Errorf("text %d: %w", id, err))
	}
	for i, t := range texts {
		s.texts.put(textKey{d.sequence, first + int64(i)}, bytes.Clone(t), len(t)+textOverhead) // one alone would hold the page
	}
	return texts[id-first], nil
}

// process returns what a row says.
func (s *Store) process(ctx context.Context, d *day, r *row) (store.Process, error) {
	c := &r.cell
	p := store.Process{Key: store.Key{Host: r.boot.host, Boot: r.boot.id, ID: r.id()}, Evidence: r.flag(flagEvidence)}
	text, err := s.text(ctx, d, c[colSetting])
	if err != nil {
		return p, err
	}
	if !parseSetting(text, &p) {
		return p, named(d.path, errBlock)
	}
	if text, err = s.text(ctx, d, c[colName]); err != nil {
		return p, err
	}
	p.Name = string(text)
	p.Creator, p.Parent = link(r.creator, r.flag(flagCreator)), link(r.parent, r.flag(flagParent))
	p.GroupID, p.SessionID = int(c[colGroup]+c[colPID]), int(c[colSession])
	names := r.rest[:c[colNamespaces]]
	for _, pid := range names {
		p.NamespacePIDs = append(p.NamespacePIDs, int(pid))
	}
	execs := slices.Clone(r.rest[len(names):])
	if c[colExecs] > 0 {
		execs = append(execs, c[colCommand], c[colCommandAt]+c[colStart])
	}
	for i := 0; i < len(execs); i += 2 {
		if text, err = s.text(ctx, d, execs[i]); err != nil {
			return p, err
		}
		command, ok := parseCommand(text)
		if !ok {
			return p, named(d.path, errBlock)
		}
		command.At = process.Instant(execs[i+1])
		p.Execs = append(p.Execs, command)
	}
	p.ExecCount = len(p.Execs) + int(c[colMoreExecs])
	steps := r.boot.clock.Load().Steps
	p.Began = timeOf(wall(steps, p.ID.Start))
	if p.Exit.Evidence = r.flag(flagExit); p.Exit.Evidence != process.Unknown {
		p.Exit.At = r.end()
		p.Ended = timeOf(wall(steps, p.Exit.At))
		p.Exit.Status = waitStatus(c[colStatus])
	}
	if u := &p.Exit.Usage; flag(c[colFlags], flagUsage) != 0 {
		u.Known, u.User, u.System = true, time.Duration(c[colUser]), time.Duration(c[colSystem])
		u.MaxRSS, u.ReadBytes, u.WrittenBytes = uint64(c[colMemory]), uint64(c[colRead]), uint64(c[colWritten])
	}
	p.Stored = s.container(p.Container)
	return p, nil
}

func link(n *node, ev process.Evidence) process.Link {
	l := process.Link{Evidence: ev}
	if n != nil {
		l.ID = n.id
	}
	return l
}

// container is what the latest day that knows the container has of it, nil for
// none.
func (s *Store) container(id string) *store.Container {
	if id == "" {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	f := s.facts(id)
	if f == nil {
		return nil
	}
	copied := f.Container
	return &copied
}

// facts is the same with the batch that it came with, not to be changed. It is
// called with the lock held, or by the writer.
func (s *Store) facts(id string) *facts {
	for _, d := range slices.Backward(s.days) {
		if c := d.containers[id]; c != nil {
			return c
		}
	}
	return nil
}
