package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// errNoReader ends the telling where nobody reads what is told.
var errNoReader = errors.New("nobody reads it")

// A recordTeller tells what is written to a recording, a line an event, or in
// JSON an object for each process once it has ended.
type recordTeller struct {
	app     *app
	filter  *recordFilter
	objects *recordObjects
}

func (t *recordTeller) tell(r *record.Reader, e record.Record) error {
	rec := r.Recording()
	if t.objects == nil {
		t.objects = newRecordObjects(rec)
	}
	t.objects.rec = rec
	var err error
	if t.app.output.value == "ndjson" {
		err = t.object(rec, e)
	} else {
		t.line(rec, e)
	}
	if err == nil {
		err = t.app.stdout.Flush()
	}
	if err != nil {
		return errNoReader // the writer keeps its error for the end
	}
	return nil
}

// object writes the process that has ended, and at the end those that have not.
func (t *recordTeller) object(rec *record.Recording, e record.Record) error {
	write := func(n int) error {
		if !t.filter.tells(rec, n) {
			return nil
		}
		o := t.objects.object(n)
		o.Schema = schema
		return t.app.encode(o, "")
	}
	switch e.Kind {
	case record.Exited:
		return write(e.Number)
	case record.Ended:
		for n := range rec.Processes {
			if rec.Processes[n].Exit.Evidence == process.Unknown {
				if err := write(n); err != nil {
					return err
				}
			}
		}
	default:
	}
	return nil
}

// line writes an event as lineage watch does.
func (t *recordTeller) line(rec *record.Recording, e record.Record) {
	s := t.app.screen()
	at := span{rec.Header.When(e.At).In(time.Local).Format("15:04:05.000"), dim}
	said := func(kind string, n int, st style, text string) {
		if !t.filter.tells(rec, n) {
			return
		}
		s.line(at, span{"  " + pad(kind, 4), st}, span{fmt.Sprintf("  %7d  ", rec.Processes[n].ID.PID), plain}, span{text, plain})
	}
	switch e.Kind {
	case record.Execed:
		said("exec", e.Number, plain, commandOf(rec, e.Number))
	case record.Exited:
		p := &rec.Processes[e.Number]
		st := plain
		if p.Failed() {
			st = alarm
		}
		q := processOfRecord(rec, e.Number)
		said("exit", e.Number, st, pad(nameOrUnknown(p.Name), nameWidth)+"  "+exitText(&q)+"  "+commandOf(rec, e.Number))
	case record.Lost:
		s.line(at, span{"  loss  ", alarm}, span{lossText(rec), alarm})
	case record.Ended:
		s.line(at, span{"  end   ", dim}, span{plural(len(rec.Processes), "process", "processes"), dim})
	default:
	}
}
