package cgroup

import "testing"

func TestRoleText(t *testing.T) {
	for _, role := range []Role{RoleNone, RoleContainer, RoleHelper, RoleSandbox} {
		text, err := role.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != role.String() {
			t.Errorf("text %q, string %q", text, role)
		}
		got := Role(99)
		if err := got.UnmarshalText(text); err != nil || got != role {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	if _, err := Role(99).MarshalText(); err == nil {
		t.Error("Role(99) has a text")
	}
	if got := Role(99).String(); got != "Role(99)" {
		t.Errorf("got %q", got)
	}
	role := RoleHelper
	for _, text := range []string{"", "x", "Helper"} {
		if err := role.UnmarshalText([]byte(text)); err == nil || role != RoleHelper {
			t.Errorf("%q: got %v, %v", text, role, err)
		}
	}
}
