// Package container says in which container a process is, by name.
//
// Which container it is in follows from its cgroups alone ([Of]). The runtimes
// only name it: a [Resolver] has what they say in memory and answers at once,
// with nothing where they have not answered yet. So a runtime that is slow,
// hangs or lies leaves a container without a name, and delays no answer and
// puts no process into a container that it is not in.
//
// The packages below this one each ask one kind of runtime over its own socket,
// with calls that only read.
package container
