// Package otlp sends what happens to processes to an OpenTelemetry collector, as
// log records over OTLP: one for each process that is made, runs another program
// or ends. It speaks http/protobuf, the default of OTLP, and not gRPC.
//
// # Records
//
// A record is an event (it has an event name, [Fork] and so on) with the time at
// which it happened by the wall clock. Its attributes are those of package otel,
// which has the names of the semantic conventions and, for what these lack, names
// under lineage; the keys of this package add what belongs to an event. The
// conventions have no names for events of processes, so these too are under
// lineage. What is the same for all records is in the resource: host.id, host.name,
// os.type, lineage.boot_id, service.name and service.version, beside what
// OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say.
//
// A container has the name that is known when the event is taken. A process that
// moves to another cgroup is no event here; the next record of it says where it is.
//
// # What arrives, and what does not
//
// A record arrives once, where the collector takes it at the first attempt. Where
// it does not, this is what holds:
//
//   - A batch, of at most 512 records, is tried again with growing pauses for as
//     long as [Options.Patience], five minutes if that is zero: where nobody
//     listens, the connection breaks or the answer takes too long, and where the
//     collector answers that it is not able to now (HTTP 429, 502, 503, 504). Then it
//     is lost. A batch that the collector refuses in another way is lost at once.
//     Of one that it says it took in part (a partial success) all counts as lost,
//     since the exporter does not tell which.
//   - A batch whose answer was lost with the connection is sent again, so that its
//     records may arrive twice. A receiver tells them by lineage.boot_id,
//     lineage.process.id, the event's name and lineage.event.boot_time.
//   - Meanwhile at most [Options.Queue] records wait, 8,192 if that is zero, and
//     behind them 16 MiB of events in the tree ([lineage.Tree.Events]): some
//     30,000 in all, which is three seconds of a host that starts 3,000 processes
//     a second, or an hour of one that starts three. What finds no room there is
//     lost, the newest first.
//   - Nothing is kept on disk. When Run's context ends, what waits is sent for at
//     most five seconds, and what is left then is lost.
//
// No loss is silent. Every one is counted in [Stats] and logged, and what was lost
// is told to the collector as a record too: one named [Loss], of severity WARN, in
// the place of the events that found no room, or with the next batch that the
// collector takes after it had not taken others, with how many those were. Only
// what is lost at the very end, and the processes that live when Run begins, have
// no record.
package otlp
