package main

import (
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// passedSignals are those that somebody may send to lineage and mean the command
// that it runs. SIGCONT is not among them: what is continued must have been
// stopped, see [stopAs].
func passedSignals() []os.Signal {
	list := []os.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
		syscall.SIGTERM, syscall.SIGTSTP, syscall.SIGWINCH, syscall.SIGIO, syscall.SIGPWR,
	}
	for s := 35; s <= 64; s++ { // the C libraries keep the first real-time signals for themselves
		list = append(list, syscall.Signal(s))
	}
	return list
}

// catchSignals has the signals for the command come to the channel, but for those
// that lineage was started with ignored: the command is to ignore them as well.
// What is caught is not passed on by execve(2). Of SIGHUP and SIGINT alone Go's
// runtime looks whether they are ignored (initsig); all others it handles before
// anything here runs, by which it is no longer known.
func catchSignals() chan os.Signal {
	if signal.Ignored(syscall.SIGINT) {
		// A shell has both ignored by what it runs in the background. Go has put
		// a handler in the place of the other one.
		signal.Ignore(syscall.SIGQUIT)
	}
	var caught []os.Signal
	for _, s := range passedSignals() {
		if !signal.Ignored(s) {
			caught = append(caught, s)
		}
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, caught...)
	return signals
}

// isFromTerminal reports whether a terminal may have sent the signal, which then
// went to the whole process group: it is one of those that terminals send, and
// lineage is in the foreground of its terminal. Who sent it a handler of Go's is
// not told, and Go lets no thread block SIGINT and SIGQUIT, so that neither can
// signalfd(2) tell.
func isFromTerminal(s syscall.Signal) bool {
	switch s {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGWINCH:
	default:
		return false
	}
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false // there is none
	}
	defer terminal.Close() //nolint:errcheck // nothing was written
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// endsIt reports whether the signal ends who does not handle it, and may come from
// a user who wants that.
func endsIt(s os.Signal) bool {
	return s == syscall.SIGINT || s == syscall.SIGTERM || s == syscall.SIGHUP || s == syscall.SIGQUIT
}

// stopAs stops lineage by the signal that stopped the command, and returns once it
// is continued. It does nothing, and returns false, where its parent is no shell
// that would see to that: one of the session, and of another process group.
func stopAs(s syscall.Signal) bool {
	parent := os.Getppid()
	group, err := unix.Getpgid(parent)
	session, err2 := unix.Getsid(parent)
	own, err3 := unix.Getsid(0)
	if err != nil || err2 != nil || err3 != nil || session != own || group == unix.Getpgrp() {
		return false
	}
	raise(s)
	return true
}

// endAs ends lineage by the signal, so that whoever waits for it sees what they
// would have seen of the command. It returns where that is not possible.
func endAs(s syscall.Signal) {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // the command has dumped its core, if it has
	raise(s)
}

// raise has the signal do to lineage what it does to who does not handle it.
func raise(s syscall.Signal) {
	// SIG_DFL is 0, and so are no flags and no mask, wherever they stand in the
	// kernel's struct sigaction.
	var nothing, before [256]byte
	size := uintptr(8) // _NSIG/8
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		size = 16
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&nothing)), uintptr(unsafe.Pointer(&before)), size, 0, 0)
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), s) // its effect on one thread is that on all
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&before)), 0, size, 0, 0)
}
