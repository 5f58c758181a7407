package main

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// processors returns two processors that this program may use, the same one
// twice where it may use no other.
func processors() (one, other int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, fmt.Errorf("sched_getaffinity: %w", err)
	}
	for !set.IsSet(one) {
		one++
	}
	if set.Count() == 1 {
		return one, one, nil
	}
	for other = one + 1; !set.IsSet(other); {
		other++
	}
	return one, other, nil
}

// onProcessor calls do on a thread that may use no other processor. Processes
// that it makes may not either.
func onProcessor(cpu int, do func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	defer func() { err = errors.Join(err, unix.SchedSetaffinity(0, &all)) }()
	return do()
}
