package linux

import "golang.org/x/sys/unix"

// Capabilities is a set of capabilities.
type Capabilities uint64

// Has reports whether the set has a capability, such as unix.CAP_SYS_PTRACE.
func (c Capabilities) Has(capability int) bool { return c>>capability&1 != 0 }

// EffectiveCapabilities returns what the calling thread may do now, in its
// user namespace.
func EffectiveCapabilities() (Capabilities, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData // 32 capabilities each
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, err
	}
	return Capabilities(data[0].Effective) | Capabilities(data[1].Effective)<<32, nil
}
