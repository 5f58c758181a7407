//go:build amd64 || arm64

package linuxtest

// chain makes c.left processes, each the child of the one before, each of
// which sends c.link. Where that fails c.link has the errno. When the channel
// closes, the last one ends, and each other one when its child has.
//
//go:noescape
func chain(c *crowd)

// spawn makes a child that ends at once, or with c.left stays until it is
// killed or its parent, c.pid, ends. It returns the child's PID or an errno
// with a minus.
//
//go:noescape
func spawn(c *crowd) int
