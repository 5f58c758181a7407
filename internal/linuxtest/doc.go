// Package linuxtest gives tests real processes on the real kernel, step by
// step, and says what the machine lacks for them.
//
// An [Actor] is a process that does what the test tells it, one system call
// at a time. Each call returns to the test only after it has returned in the
// actor, so that a test knows what the kernel has done when it looks:
//
//	a := linuxtest.Start(t)           // a child of the test
//	b := a.Fork()                     // a child of a
//	c := b.Clone(linuxtest.CloneOptions{Parent: true})
//	b.Exit(3)                         // b is a zombie when this returns
//	a.Wait(b)                         // and gone when this does
//	if c.Getppid() != a.PID { … }
//
// The test binary is the actor: importing the package is all that a test
// binary needs for it. All actors of a test end with it, and also when the
// test binary is killed. The test binary becomes a subreaper with the first
// actor, so that no orphan waits for PID 1 to reap it.
//
// A child of [Actor.Fork] and [Actor.Clone] is a bare copy: one thread that
// never returns into Go, cheap enough for thousands. After [Actor.Exec] it is
// a Go program, which [Actor.Thread] needs.
package linuxtest
