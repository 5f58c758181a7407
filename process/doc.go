// Package process says what is known of the processes of one boot of one
// host: [ID] names a process for good, [Event] is one thing learnt about one,
// and [Table] holds what all events together say.
//
// The package does no I/O and knows no kernel interface; sources of events
// live in the packages under source. The words are those of the manual pages:
// PID is the thread group ID, parent is what getppid(2) returns now, creator
// is the process whose thread called clone(2).
package process
