//go:build !amd64 && !arm64

package linuxtest

import "syscall"

func chain(c *crowd) {
	c.link.op, c.link.args[0] = opAnswer, uint64(syscall.ENOSYS)
}

func spawn(*crowd) int { return -int(syscall.ENOSYS) }
