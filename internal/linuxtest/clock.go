package linuxtest

import (
	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

// Now reads the boot clock.
func Now() process.Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err) // Linux has had it since 2.6.39
	}
	return process.Instant(ts.Nano())
}
