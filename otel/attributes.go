package otel

import (
	"math"
	"path"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// Options says which attributes there are. The zero value is what the semantic
// conventions want to be collected by default.
type Options struct {
	// CommandArgs adds process.command_args, all arguments. They may have
	// passwords in them, for which reason the conventions want them to be
	// collected only where something takes these out.
	CommandArgs bool
}

// Attributes is [Options.Attributes] of zero Options.
func Attributes(info lineage.ProcessInfo) []attribute.KeyValue {
	return Options{}.Attributes(info)
}

// Attributes returns what is known of the process: process.*, container.*,
// k8s.*, host.id and lineage.*, each at most once and always in the same order.
// What is not known has no attribute, and none is empty. Bytes that are not
// UTF-8, which OpenTelemetry cannot carry, become U+FFFD.
//
// There is never a process.command_line, which the conventions want only where
// the system has it as one string: Linux has arguments.
func (o Options) Attributes(info lineage.ProcessInfo) []attribute.KeyValue {
	l := make(list, 0, 40)
	l.process(&info)
	l.command(&info, o.CommandArgs)
	l.owner(&info)
	l.ending(&info)
	l.container(&info)
	l.text(semconv.HostIDKey, info.HostID)
	l.lineage(&info)
	return l
}

// A list is attributes.
type list []attribute.KeyValue

func (l *list) add(a attribute.KeyValue) { *l = append(*l, a) }

// text adds a string that is known.
func (l *list) text(k attribute.Key, s string) {
	if s != "" {
		l.add(k.String(valid(s)))
	}
}

// number adds a PID or an inode number that is known.
func (l *list) number(k attribute.Key, n int) {
	if n > 0 {
		l.add(k.Int(n))
	}
}

// id adds the ID of a process that is known.
func (l *list) id(k attribute.Key, id process.ID) {
	if id.Known() && id.Precision != process.StartUnknown {
		l.add(k.String(id.String()))
	}
}

func (l *list) ids(k attribute.Key, ids []process.ID) {
	if len(ids) == 0 {
		return
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	l.add(k.StringSlice(texts))
}

// valid returns s in UTF-8: a process chooses its name and its arguments, and a
// string that is not UTF-8 makes an exporter drop all that it stands beside.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func (l *list) process(info *lineage.ProcessInfo) {
	p := &info.Process
	l.number(semconv.ProcessPIDKey, p.ID.PID)
	if p.Parent.Evidence != process.Unknown {
		l.number(semconv.ProcessParentPIDKey, p.Parent.ID.PID)
	}
	pids := info.Details.NamespacePIDs
	if pids == nil {
		pids = p.NamespacePIDs
	}
	if len(pids) > 0 {
		l.number(semconv.ProcessVpidKey, pids[len(pids)-1])
	}
	l.number(semconv.ProcessGroupLeaderPIDKey, p.GroupID)
	l.number(semconv.ProcessSessionLeaderPIDKey, p.SessionID)
	if p.SessionID > 0 { // else the terminal is not known either
		l.add(semconv.ProcessInteractiveKey.Bool(p.TTY != 0))
	}
	if !info.Start.IsZero() {
		l.add(semconv.ProcessCreationTimeKey.String(timestamp(info.Start, p.ID.Precision)))
	}
	if p.State == process.Zombie {
		l.add(semconv.ProcessStateDefunct)
	}
	l.text(semconv.ProcessLinuxCgroupKey, strings.TrimSuffix(p.Cgroup.Membership, "\n"))
}

// command adds what the process runs. Its title is the name that ps(1) shows.
func (l *list) command(info *lineage.ProcessInfo, all bool) {
	l.text(semconv.ProcessTitleKey, info.Process.Name)
	exe := info.Details.Exe
	l.text(semconv.ProcessExecutablePathKey, exe)
	if exe != "" { // d_path says of a file that is gone that it is
		l.text(semconv.ProcessExecutableNameKey, path.Base(strings.TrimSuffix(exe, " (deleted)")))
	}
	args, cut := info.Details.Args, false
	if args == nil { // what it was given is known of what was watched
		args, cut = info.Process.Exec.Args, info.Process.Exec.ArgsCut
	}
	if len(args) == 0 || cut && len(args) == 1 {
		return
	}
	l.text(semconv.ProcessCommandKey, args[0])
	if cut {
		return
	}
	l.add(semconv.ProcessArgsCountKey.Int(len(args)))
	if all {
		texts := make([]string, len(args))
		for i, arg := range args {
			texts[i] = valid(arg)
		}
		l.add(semconv.ProcessCommandArgsKey.StringSlice(texts))
	}
}

func (l *list) owner(info *lineage.ProcessInfo) {
	switch d, o := &info.Details, &info.Process.Owner; {
	case d.NamespacePIDs != nil:
		l.add(semconv.ProcessUserIDKey.Int(d.EffectiveUID))
		l.add(semconv.ProcessRealUserIDKey.Int(d.UID))
	case o.Known:
		l.add(semconv.ProcessUserIDKey.Int(o.EffectiveUID))
		l.add(semconv.ProcessRealUserIDKey.Int(o.UID))
	}
	l.text(semconv.ProcessOwnerKey, info.User)
	l.text(semconv.ProcessUserNameKey, info.User)
}

// ending adds how the process ended, where that was observed. One that a signal
// ended has no exit code.
func (l *list) ending(info *lineage.ProcessInfo) {
	x := &info.Process.Exit
	if x.Evidence != process.Observed {
		return
	}
	if !info.Exit.IsZero() {
		l.add(semconv.ProcessExitTimeKey.String(timestamp(info.Exit, process.Exact)))
	}
	if x.Status.Exited() {
		l.add(semconv.ProcessExitCodeKey.Int(x.Status.ExitStatus()))
	}
}

func (l *list) lineage(info *lineage.ProcessInfo) {
	p := &info.Process
	l.id(ProcessIDKey, p.ID)
	if p.Parent.Evidence != process.Unknown {
		l.id(ParentIDKey, p.Parent.ID)
	}
	if p.Creator.Evidence != process.Unknown {
		l.id(CreatorIDKey, p.Creator.ID)
	}
	l.ids(AncestorsKey, info.Ancestors)
	l.ids(CreatorsKey, info.Creators)
	l.text(BootIDKey, info.BootID)
	if n := info.Details.PIDNamespace; n > 0 && n <= math.MaxInt64 {
		l.add(PIDNamespaceKey.Int64(int64(n)))
	}
}

// timestamp writes a time as ISO 8601, as precisely as it is known.
func timestamp(t time.Time, precision process.Precision) string {
	if precision == process.ToTick {
		t = t.Round(process.Tick)
	}
	return t.UTC().Format(time.RFC3339Nano)
}
