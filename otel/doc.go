// Package otel says what lineage knows of a process in the words of
// OpenTelemetry, as attributes of a resource, a span, a log record or a profile.
//
// What the semantic conventions have a name for has that name, of the version in
// [SchemaURL]. What they lack is under lineage: an ID that names one process of a
// boot, who stands above it, and in which PID namespace it is.
package otel
