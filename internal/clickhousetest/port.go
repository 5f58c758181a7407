package clickhousetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// ports returns n ports of 127.0.0.1 that nothing listens to, for servers that
// must be told theirs. Until the test ends no other call, of any process, gets
// them. They are outside of the range that the kernel gives to outgoing connections
// (ip_local_port_range), so that a server that is started again finds them free.
func ports(t testing.TB, n int) []int {
	t.Helper()
	const first, last = 10_000, 32_767
	var found []int
	for tries := 0; len(found) < n; tries++ {
		port := first + rand.IntN(last-first+1)
		claim, err := claimed(port)
		if err == nil {
			t.Cleanup(func() { _ = claim.Close() })
			found = append(found, port)
		} else if tries >= 1000 {
			t.Fatalf("no free port: %v", err)
		}
	}
	return found
}

// claimed returns a socket that stands for the port while it is open.
func claimed(port int) (net.Listener, error) {
	claim, err := net.Listen("unix", fmt.Sprintf("@lineage-test-port-%d", port))
	if err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		err = free.Close()
	}
	if err != nil {
		return nil, errors.Join(err, claim.Close())
	}
	return claim, nil
}
