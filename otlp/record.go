package otlp

import (
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/otel"
	"github.com/proclineage/lineage/process"
)

// eventName returns the name of an event, empty for one that has no record.
func eventName(k process.Kind) string {
	switch k {
	case process.Fork:
		return Fork
	case process.Exec:
		return Exec
	case process.Exited:
		return Exit
	case process.Seen:
		return Seen
	case process.Gone:
		return Gone
	case process.Loss:
		return Loss
	case process.Moved:
	}
	return ""
}

// record describes an event.
func (x *Exporter) record(e *lineage.Event) (r log.Record) {
	r.SetEventName(eventName(e.Kind))
	r.SetTimestamp(x.o.Tree.Time(e.Time))
	r.AddAttributes(BootTimeKey.Int64(int64(e.Time)))
	if e.Kind == process.Loss {
		r.SetSeverity(log.SeverityWarn)
		r.SetSeverityText(log.SeverityWarn.String())
		r.SetBody(attribute.StringValue("events were lost"))
		if e.Since != 0 {
			r.AddAttributes(LossSinceKey.String(timestamp(x.o.Tree.Time(e.Since))))
		}
		return r
	}
	r.SetSeverity(log.SeverityInfo)
	r.SetSeverityText(log.SeverityInfo.String())
	info := x.info(e)
	p := &info.Process
	r.SetBody(attribute.StringValue(valid(fmt.Sprintf("%s of %d %s", e.Kind, p.ID.PID, p.Name))))
	r.AddAttributes(otel.Options{CommandArgs: true}.Attributes(info)...)
	r.AddAttributes(x.creators(e, &info)...)
	if f := p.Exec.File; f != "" {
		r.AddAttributes(FileKey.String(valid(f)))
	}
	if p.Exec.ArgsCut && info.Details.Args == nil {
		r.AddAttributes(ArgsCutKey.Bool(true))
	}
	if e.Adopter.Known() {
		r.AddAttributes(AdopterIDKey.String(e.Adopter.String()))
	}
	if p.Exit.Evidence == process.Observed {
		r.AddAttributes(ending(&p.Exit)...)
	}
	return r
}

// creators says who made the process, who made that one and so on.
func (x *Exporter) creators(e *lineage.Event, info *lineage.ProcessInfo) []attribute.KeyValue {
	known := len(info.Creators)
	complete := CreatorsCompleteKey.Bool(known == len(e.Chain) && !e.ChainCut && x.outermost(e))
	if known == 0 {
		return []attribute.KeyValue{complete}
	}
	names := make([]string, known)
	for i := range names {
		names[i] = valid(e.Chain[i].Name)
	}
	return []attribute.KeyValue{CreatorNamesKey.StringSlice(names), complete}
}

// outermost reports whether nobody is above the last of the chain of an event.
func (x *Exporter) outermost(e *lineage.Event) bool {
	top := e.Process
	if n := len(e.Chain); n > 0 {
		id := e.Chain[n-1].ID
		if id == x.top {
			return true // as it was
		}
		p, err := x.o.Tree.ProcessByID(id)
		if err != nil {
			return false
		}
		top = p
	}
	if top.Creator.Evidence == process.Unknown && (top.Parent.Evidence == process.Unknown || top.Parent.ID.PID != 0) {
		return false
	}
	x.top = top.ID
	return true
}

// ending says what package otel does not of how a process ended.
func ending(x *process.Exit) (list []attribute.KeyValue) {
	if s := x.Status; s.Signaled() {
		list = append(list, SignalKey.String(answer.SignalName(s.Signal())))
		if s.CoreDump() {
			list = append(list, CoreDumpedKey.Bool(true))
		}
	}
	if u := &x.Usage; u.Known {
		list = append(list,
			UserSecondsKey.Float64(u.User.Seconds()), SystemSecondsKey.Float64(u.System.Seconds()),
			MaxRSSKey.Int64(int64(u.MaxRSS)), ReadKey.Int64(int64(u.ReadBytes)), WrittenKey.Int64(int64(u.WrittenBytes)),
		)
	}
	return list
}

// valid returns s in UTF-8, without which the SDK's exporter drops the batch.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// timestamp writes a time as the conventions do.
func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
