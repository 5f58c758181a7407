package clickhousetest

import "testing"

// Front builds a front like that of Today, with its data in the folder. The one
// function starts it, the other ends it by SIGKILL.
func Front(t testing.TB, data string) (start func() (dsn string), kill func()) {
	t.Helper()
	program, err := buildFront(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var f *front
	start = func() string {
		t.Helper()
		if f, err = startFront(program, "-data", data); err != nil {
			t.Fatal(err)
		}
		return f.addr + "/default"
	}
	kill = func() {
		t.Helper()
		f.kill(t)
	}
	return start, kill
}

// TodayPID is the PID of the front of Today, which a test must have called.
func TodayPID() int {
	f, _ := today()
	return f.cmd.Process.Pid
}
