package otlp

import "go.opentelemetry.io/otel/attribute"

// The names of events.
const (
	// Fork is a process that was made.
	Fork = "lineage.process.fork"
	// Exec is a process that runs another program.
	Exec = "lineage.process.exec"
	// Exit is a process that has ended.
	Exit = "lineage.process.exit"
	// Seen is a process that was found after a loss, and Gone one that was found
	// to have ended meanwhile. When that was is not known: the time is that of the
	// finding.
	Seen = "lineage.process.seen"
	Gone = "lineage.process.gone"
	// Loss is not about one process: what happened between LossSinceKey and the
	// time of the record is not all here.
	Loss = "lineage.loss"
)

// The attributes that a record has beside those of package otel, whose keys also
// name what is known by the time of the event.
const (
	// BootTimeKey is when the event happened on the boot clock, in nanoseconds,
	// an int. It orders the events of a boot, also where the wall clock is set.
	BootTimeKey = attribute.Key("lineage.event.boot_time")
	// CreatorNamesKey is the names (comm) of the processes of otel.CreatorsKey, in
	// the same order, strings.
	CreatorNamesKey = attribute.Key("lineage.creator_names")
	// CreatorsCompleteKey is whether otel.CreatorsKey reaches up to the outermost
	// process, a boolean: false where it is not known who made the last, and
	// where there are more than 128.
	CreatorsCompleteKey = attribute.Key("lineage.creators_complete")
	// AdopterIDKey is, of an Exit, the ID of the process that was to have the
	// children that were left, a string.
	AdopterIDKey = attribute.Key("lineage.adopter.id")
	// FileKey is the path that was given to execve(2), of a script that of the
	// script, a string. It may be relative, and a link.
	FileKey = attribute.Key("lineage.exec.file")
	// ArgsCutKey is true where there are more arguments than are known, for which
	// reason there are no process.command_args.
	ArgsCutKey = attribute.Key("lineage.exec.args_cut")
	// SignalKey is the name of the signal that ended the process, a string: it
	// has no process.exit.code then.
	SignalKey = attribute.Key("lineage.exit.signal")
	// CoreDumpedKey is true where it left a core dump.
	CoreDumpedKey = attribute.Key("lineage.exit.core_dumped")
	// UserSecondsKey and SystemSecondsKey are for how long the process ran,
	// doubles, and MaxRSSKey the most memory that it had resident, in bytes, an
	// int. See [process.Usage].
	UserSecondsKey   = attribute.Key("lineage.usage.user_seconds")
	SystemSecondsKey = attribute.Key("lineage.usage.system_seconds")
	MaxRSSKey        = attribute.Key("lineage.usage.max_rss_bytes")
	// ReadKey and WrittenKey are what it had storage read and write, in bytes,
	// ints.
	ReadKey    = attribute.Key("lineage.usage.read_bytes")
	WrittenKey = attribute.Key("lineage.usage.written_bytes")
	// LossSinceKey is, of a Loss, the time of the last event before it, or of the
	// first record that is lost, as ISO 8601, a string. Without it all before may be
	// missing.
	LossSinceKey = attribute.Key("lineage.loss.since")
	// LossRecordsKey is how many records the collector did not take, or may not
	// have, an int. Of events that were lost before there were records it is not
	// known.
	LossRecordsKey = attribute.Key("lineage.loss.records")
)
