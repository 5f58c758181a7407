package clickhouse

import (
	"path"

	"github.com/proclineage/lineage/process"
)

// processesTable has a row for each process, and for a while one for each time that
// it was told of.
var processesTable = table{
	name: "processes",
	columns: []column{
		{"hour", hourKind, inSteps, "when it began by the wall clock, to the hour, as it was first told of; 0 where that is not known", each(func(p *told) int64 { return p.node.hour })},
		{"host", word, packed, "machine-id(5) of the host", each(func(p *told) string { return p.Host })},
		{"boot", word, packed, "boot ID of the host", each(func(p *told) string { return p.Boot })},
		{"id", keyKind, packed, "names it among those of the boot: start, precision, PID, inode as it was first told of", each(func(p *told) string { return string(p.node.key) })},
		{"version", number, inSteps, "instant of the batch that told of it last, times two, and one more where it has ended", each(func(p *told) uint64 { return p.node.version })},
		{"batch", number, inSteps, "number of that batch, which grows; 0 for one that was not the last one", each(func(p *told) uint64 { return uint64(p.stage.batch) })},
		{"seen", wallKind, inSteps, "when that batch was made", each(func(p *told) int64 { return p.stage.wall })},
		{"host_name", word, packed, "what the host is called", each(func(p *told) string { return p.stage.name })},
		{"pid", integer, narrow, "PID, in the PID namespace of whoever told", each(func(p *told) int64 { return int64(p.ID.PID) })},
		{"start", number, inSteps, "instant of the boot clock, in nanoseconds", each(func(p *told) uint64 { return uint64(p.ID.Start) })},
		{"inode", number, narrow, "inode of its pidfd, 0 where that is not known", each(func(p *told) uint64 { return p.ID.Inode })},
		{"precision", small, packed, "how well the start is known: 0 not at all, 1 to the clock tick, 2 exactly", each(func(p *told) uint8 { return uint8(p.ID.Precision) })},
		{"began", wallKind, inTime, "start by the wall clock of that time", each(func(p *told) int64 { return nanos(p.stage.clock.Wall(p.ID.Start)) })},
		{"ended", wallKind, inSteps, "end by the wall clock of that time, 0 while it lives", each(func(p *told) int64 { return nanos(p.stage.clock.Wall(p.end())) })},
		{"name", word, packed, "name (comm)", each(func(p *told) string { return p.Name })},
		{"program", word, packed, "last part of the path of its program", each(func(p *told) string { return path.Base(p.Command().File) })},
		{"creator_pid", integer, narrow, "who created it: the process whose thread called clone(2)", each(func(p *told) int64 { return int64(p.Creator.ID.PID) })},
		{"creator_start", number, inSteps, "", each(func(p *told) uint64 { return uint64(p.Creator.ID.Start) })},
		{"creator_inode", number, narrow, "", each(func(p *told) uint64 { return p.Creator.ID.Inode })},
		{"creator_precision", small, packed, "", each(func(p *told) uint8 { return uint8(p.Creator.ID.Precision) })},
		{"creator_evidence", evidence, packed, "how that is known", each(func(p *told) int8 { return int8(p.Creator.Evidence) })},
		{"parent_pid", integer, narrow, "its last parent", each(func(p *told) int64 { return int64(p.Parent.ID.PID) })},
		{"parent_start", number, inSteps, "", each(func(p *told) uint64 { return uint64(p.Parent.ID.Start) })},
		{"parent_inode", number, narrow, "", each(func(p *told) uint64 { return p.Parent.ID.Inode })},
		{"parent_precision", small, packed, "", each(func(p *told) uint8 { return uint8(p.Parent.ID.Precision) })},
		{"parent_evidence", evidence, packed, "how that is known", each(func(p *told) int8 { return int8(p.Parent.Evidence) })},
		{"ancestors", keys, packed, "ids of those above it by creation, the nearest first", each(func(p *told) []string { return p.above })},
		{"ancestors_end", reach, packed, "all: nobody is above the last; unknown: that is not known; cut: there are more, see the table links", each(func(p *told) int8 { return p.reach })},
		{"kernel", flag, packed, "it is a thread of the kernel", each(func(p *told) uint8 { return bit(p.Kernel) })},
		{"helper", flag, packed, "it serves its container and is not in it", each(func(p *told) uint8 { return bit(p.Helper) })},
		{"owner_known", flag, packed, "the IDs of users and groups mean anything", each(func(p *told) uint8 { return bit(p.Owner.Known) })},
		{"uid", integer, narrow, "", each(func(p *told) int64 { return int64(p.Owner.UID) })},
		{"euid", integer, narrow, "effective user ID", each(func(p *told) int64 { return int64(p.Owner.EffectiveUID) })},
		{"gid", integer, narrow, "", each(func(p *told) int64 { return int64(p.Owner.GID) })},
		{"egid", integer, narrow, "effective group ID", each(func(p *told) int64 { return int64(p.Owner.EffectiveGID) })},
		{"user", word, packed, "name of the effective user", each(func(p *told) string { return p.User })},
		{"group_id", integer, narrow, "process group", each(func(p *told) int64 { return int64(p.GroupID) })},
		{"session_id", integer, narrow, "session", each(func(p *told) int64 { return int64(p.SessionID) })},
		{"tty", integer, narrow, "controlling terminal, as a device number", each(func(p *told) int64 { return int64(p.TTY) })},
		{"namespace_pids", integers, packed, "its PID in each PID namespace down to its own", each(func(p *told) []int64 { return int64s(p.NamespacePIDs) })},
		{"inner_pid", integer, narrow, "the last of these, 0 where that is pid", each(func(p *told) int64 { return p.inner() })},
		{"cgroup", word, packed, "path of its container group", each(func(p *told) string { return p.Group })},
		{"container", word, packed, "ID of its container", each(func(p *told) string { return p.Container })},
		{"unit", word, packed, "unit of systemd", each(func(p *told) string { return p.Unit })},
		{"user_unit", word, packed, "unit of the systemd of the user", each(func(p *told) string { return p.UserUnit })},
		{"login_session", word, packed, "session of systemd-logind", each(func(p *told) string { return p.Session })},
		{"commands", small, packed, "how many calls of execve(2) are kept", each(func(p *told) uint8 { return uint8(len(p.Execs)) })},
		{"execs", number, narrow, "how many there were", each(func(p *told) uint64 { return uint64(p.ExecCount) })},
		{"file", word, packed, "file of the last call of execve(2)", each(func(p *told) string { return p.Command().File })},
		{"args", texts, packed, "its arguments", each(func(p *told) []string { return p.Command().Args })},
		{"args_cut", flag, packed, "there were more", each(func(p *told) uint8 { return bit(p.Command().ArgsCut) })},
		{"exec_at", number, inSteps, "its instant", each(func(p *told) uint64 { return uint64(p.Command().At) })},
		{"plain", flag, packed, "the name and the arguments are ASCII", each(func(p *told) uint8 { return bit(p.plain()) })},
		{"earlier_files", texts, packed, "of the calls before that", each(func(p *told) []string { return earlier(p, func(c process.Command) string { return c.File }) })},
		{"earlier_args", textses, packed, "", each(func(p *told) [][]string { return earlier(p, func(c process.Command) []string { return c.Args }) })},
		{"earlier_cut", flags, packed, "", each(func(p *told) []uint8 { return earlier(p, func(c process.Command) uint8 { return bit(c.ArgsCut) }) })},
		{"earlier_at", numbers, packed, "", each(func(p *told) []uint64 { return earlier(p, func(c process.Command) uint64 { return uint64(c.At) }) })},
		{"exit", evidence, packed, "how its end is known; unknown while it lives", each(func(p *told) int8 { return int8(p.Exit.Evidence) })},
		{"exit_at", number, inSteps, "instant of its end", each(func(p *told) uint64 { return uint64(p.Exit.At) })},
		{"exit_status", number, narrow, "wait status: of exit(2) times 256, or the signal", each(func(p *told) uint64 { return uint64(p.Exit.Status) })},
		{"usage_known", flag, packed, "what it used is known", each(func(p *told) uint8 { return bit(p.Exit.Usage.Known) })},
		{"user_time", integer, narrow, "nanoseconds", each(func(p *told) int64 { return int64(p.Exit.Usage.User) })},
		{"system_time", integer, narrow, "nanoseconds", each(func(p *told) int64 { return int64(p.Exit.Usage.System) })},
		{"max_rss", number, narrow, "bytes", each(func(p *told) uint64 { return p.Exit.Usage.MaxRSS })},
		{"read_bytes", number, narrow, "", each(func(p *told) uint64 { return p.Exit.Usage.ReadBytes })},
		{"written_bytes", number, narrow, "", each(func(p *told) uint64 { return p.Exit.Usage.WrittenBytes })},
		{"evidence", evidence, packed, "how it is known that it was there", each(func(p *told) int8 { return int8(p.Evidence) })},
	},
	version:   "version",
	partition: "toYYYYMMDD(hour)",
	order:     "hour, host, boot, id",
	// One index over two columns also serves a question for either of them.
	indexes: []string{
		"lasted ended TYPE minmax GRANULARITY 1",
		"by_pid (pid, inner_pid) TYPE bloom_filter GRANULARITY 1",
		"by_name (name, program) TYPE bloom_filter GRANULARITY 1",
		"by_container container TYPE bloom_filter GRANULARITY 1",
		"below ancestors TYPE bloom_filter GRANULARITY 1",
	},
}

// each makes the cells of a column, one of each process.
func each[T any](cell func(*told) T) func([]*told) any {
	return func(of []*told) any {
		cells := make([]T, len(of))
		for i, p := range of {
			cells[i] = cell(p)
		}
		return cells
	}
}

// earlier is a fact of each call of execve(2) but the last.
func earlier[T any](p *told, fact func(process.Command) T) []T {
	if len(p.Execs) < 2 {
		return nil
	}
	all := make([]T, len(p.Execs)-1)
	for i := range all {
		all[i] = fact(p.Execs[i])
	}
	return all
}

// inner is the PID in the process's own PID namespace, zero where that is the other one.
func (p *told) inner() int64 {
	if n := len(p.NamespacePIDs); n > 0 && p.NamespacePIDs[n-1] != p.ID.PID {
		return int64(p.NamespacePIDs[n-1])
	}
	return 0
}

// end is when the process ended, zero while it lives.
func (p *told) end() process.Instant {
	if p.Exit.Evidence == process.Unknown {
		return 0
	}
	return p.Exit.At
}

// plain reports whether the name and the command line are ASCII.
func (p *told) plain() bool {
	if !isASCII(p.Name) {
		return false
	}
	for _, arg := range p.Command().Args {
		if !isASCII(arg) {
			return false
		}
	}
	return true
}

// isASCII reports whether all is, without zero bytes.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] == 0 || s[i] > '~' {
			return false
		}
	}
	return true
}

func int64s(of []int) []int64 {
	if len(of) == 0 {
		return nil
	}
	all := make([]int64, len(of))
	for i, n := range of {
		all[i] = int64(n)
	}
	return all
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
