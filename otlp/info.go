package otlp

import (
	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// The live sources, by name: bpf tells the PIDs in other PID namespaces, and so
// that there are none; cnproc tells no names.
const (
	bpf    = "bpf"
	cnproc = "cnproc"
)

// info is what is known of the process of an event, without what the resource has.
func (x *Exporter) info(e *lineage.Event) lineage.ProcessInfo {
	i := lineage.ProcessInfo{Process: e.Process}
	p := &i.Process
	x.complete(e.Kind, &i)
	i.Details.Args = x.args(i.Details.Args)
	p.Exec.Args = x.args(p.Exec.Args)
	for n := range e.Chain {
		if e.Chain[n].Evidence == process.Unknown {
			break
		}
		i.Creators = append(i.Creators, e.Chain[n].ID)
	}
	i.Container = x.o.Tree.Container(p)
	if p.ID.Precision != process.StartUnknown {
		i.Start = x.o.Tree.Time(p.ID.Start)
	}
	if p.Exit.Evidence == process.Observed {
		i.Exit = x.o.Tree.Time(p.Exit.At)
	}
	switch {
	case p.Owner.Known:
		i.User = x.o.User(p.Owner.EffectiveUID)
	case i.Details.NamespacePIDs != nil:
		i.User = x.o.User(i.Details.EffectiveUID)
	}
	return i
}

// complete reads what the source in use does not tell of a process that was made or
// runs another program.
func (x *Exporter) complete(k process.Kind, i *lineage.ProcessInfo) {
	p := &i.Process
	if x.source == bpf && p.NamespacePIDs == nil {
		p.NamespacePIDs = []int{p.ID.PID}
	}
	if k != process.Fork && k != process.Exec {
		return
	}
	if p.Name == "" || x.source == cnproc {
		if now, err := x.o.Tree.ProcessByID(p.ID); err == nil {
			p.Name, p.Cgroup = now.Name, now.Cgroup
		}
	}
	if k == process.Exec && p.Exec.Args == nil {
		i.Details, _ = x.o.Tree.Details(p.ID) // or it has ended
	}
}

// args returns what is sent of arguments.
func (x *Exporter) args(args []string) []string {
	if len(args) == 0 {
		return args
	}
	return x.o.Args(args)
}
