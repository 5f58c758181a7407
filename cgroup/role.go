package cgroup

import "fmt"

// A Role is what a process is to the container that its cgroup stands for.
type Role uint8

const (
	// RoleNone is the role of processes that no container is known for.
	RoleNone Role = iota
	// RoleContainer is the role of the processes in a container.
	RoleContainer
	// RoleHelper is the role of a runtime's own processes beside a
	// container, such as conmon or the monitor of LXC.
	RoleHelper
	// RoleSandbox is the role of what holds a pod's resources and runs no
	// workload of its own. Few paths tell: most runtimes name the cgroup of
	// a pause container like that of any other, and such a process has
	// RoleContainer.
	RoleSandbox
)

var roleNames = [...]string{
	RoleNone:      "none",
	RoleContainer: "container",
	RoleHelper:    "helper",
	RoleSandbox:   "sandbox",
}

// String returns "none", "container", "helper" or "sandbox".
func (r Role) String() string {
	if int(r) >= len(roleNames) {
		return fmt.Sprintf("Role(%d)", uint8(r))
	}
	return roleNames[r]
}

// MarshalText returns the role's name.
func (r Role) MarshalText() ([]byte, error) {
	if int(r) >= len(roleNames) {
		return nil, fmt.Errorf("cgroup: no such role: %d", uint8(r))
	}
	return []byte(roleNames[r]), nil
}

// UnmarshalText sets r by the role's name.
func (r *Role) UnmarshalText(text []byte) error {
	for i, name := range roleNames {
		if name == string(text) {
			*r = Role(i)
			return nil
		}
	}
	return fmt.Errorf("cgroup: no such role: %q", text)
}
