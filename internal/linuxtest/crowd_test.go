package linuxtest

import (
	"errors"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestCrowdLayout holds the structure to what the assembly takes it for.
func TestCrowdLayout(t *testing.T) {
	var c crowd
	for _, field := range []struct {
		name      string
		got, want uintptr
	}{
		{"args", unsafe.Sizeof(c.args), 88},
		{"left", unsafe.Offsetof(c.left), 88},
		{"channel", unsafe.Offsetof(c.channel), 96},
		{"pid", unsafe.Offsetof(c.pid), 104},
		{"link", unsafe.Offsetof(c.link), 112},
		{"link.args", unsafe.Offsetof(c.link) + unsafe.Offsetof(c.link.args), 128},
		{"link, the whole", unsafe.Sizeof(c.link), uintptr(headerSize)},
		{"a message's header", uintptr(headerSize), 64},
		{"opAnswer", opAnswer, 6},
	} {
		if field.got != field.want {
			t.Errorf("%s: %d, and %d in the assembly", field.name, field.got, field.want)
		}
	}
}

// TestChainThatBreaks has one that may make no process.
func TestChainThatBreaks(t *testing.T) {
	a := Start(t).Fork()
	limit := make([]byte, 16)
	*(*[2]uint64)(unsafe.Pointer(&limit[0])) = [2]uint64{0, 0}
	const nobody, prlimitNproc = 65534, 6
	if _, err := a.Syscall(syscall.SYS_SETRLIMIT, prlimitNproc, limit); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Syscall(syscall.SYS_SETUID, nobody); err != nil && !errors.Is(err, syscall.EPERM) {
		t.Fatal(err)
	}
	if links, err := a.Chain(3); len(links) != 0 || err == nil {
		t.Errorf("%d links, %v", len(links), err)
	}
}

// TestEndOfTheTest is what an actor sees when the test binary is killed.
func TestEndOfTheTest(t *testing.T) {
	a := Start(t)
	b := a.Fork()
	c := b.Fork()
	c.Exec("")
	c.NewThread()
	d := c.Clone(CloneOptions{Vfork: true})
	e := b.Fork()
	if _, err := e.Chain(20); err != nil {
		t.Fatal(err)
	}
	f := a.Fork()
	children, err := f.Churn(20, 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, actor := range []*Actor{a, b, c, d, e, f} {
		for _, th := range actor.threads {
			_ = th.ch.conn.Close()
		}
	}
	for _, actor := range []*Actor{a, b, c, d, e, f} {
		if err := AwaitEnd(actor.pidfd); err != nil {
			t.Errorf("%d: %v", actor.PID, err)
		}
	}
	for _, pid := range children {
		if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != nil {
			t.Errorf("%d, adopted by the test: %v", pid, err)
		}
	}
}
