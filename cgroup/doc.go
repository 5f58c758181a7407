// Package cgroup reads what a control group path says of the processes in it:
// which container and pod they belong to, and which systemd unit, slice and
// session.
//
// It works on text alone, the text of /proc/PID/cgroup (the membership) and
// the paths in it, and does no I/O. All functions are safe for concurrent use
// and take any input: what cannot be read is reported as not known.
//
// Strings in the results share the memory of the argument wherever no
// unescaping was needed. A caller that keeps one for long, of a large
// membership, may want to clone it.
package cgroup
