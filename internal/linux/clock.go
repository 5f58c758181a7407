package linux

import (
	"time"

	"golang.org/x/sys/unix"
)

// Boottime returns the boot clock (CLOCK_BOOTTIME) in nanoseconds, as it is
// in the time namespace of the caller.
func Boottime() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("linux: CLOCK_BOOTTIME: " + err.Error()) // there since Linux 2.6.39
	}
	return uint64(ts.Nano())
}

// Booted returns the wall-clock time at which the boot clock was zero, as the
// wall clock stands now.
func Booted() time.Time {
	return time.Now().Add(-time.Duration(Boottime()))
}
