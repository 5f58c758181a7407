package answer

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// TerminalName returns the name of a terminal by its device number, below
// /dev, empty for none. The numbers are those of the kernel's devices.txt.
func TerminalName(dev int) string {
	if dev == 0 {
		return ""
	}
	major, minor := unix.Major(uint64(uint32(dev))), unix.Minor(uint64(uint32(dev)))
	switch {
	case major >= 136 && major <= 143:
		return fmt.Sprintf("pts/%d", (major-136)<<20+minor)
	case major == 4 && minor < 64:
		return fmt.Sprintf("tty%d", minor)
	case major == 4:
		return fmt.Sprintf("ttyS%d", minor-64)
	case major == 5 && minor == 1:
		return "console"
	case major == 204 && minor >= 64 && minor < 68:
		return fmt.Sprintf("ttyAMA%d", minor-64)
	case major == 229:
		return fmt.Sprintf("hvc%d", minor)
	default:
		return fmt.Sprintf("%d:%d", major, minor)
	}
}
