package answer

import (
	"strings"
	"testing"

	"github.com/proclineage/lineage/process"
)

var hexID = strings.Repeat("0f", 32)

func TestTerminalName(t *testing.T) {
	for dev, want := range map[int]string{
		0: "", 0x8802: "pts/2", 0x401: "tty1", 0x440: "ttyS0", 0x501: "console", 0x100301: "3:257",
	} {
		if got := TerminalName(dev); got != want {
			t.Errorf("TerminalName(%#x) = %q, want %q", dev, got, want)
		}
	}
}

func TestWhereabouts(t *testing.T) {
	tests := []struct {
		name            string
		membership      string
		group           string
		container, unit string
	}{
		{"v2", "0::/system.slice/ssh.service\n", "/system.slice/ssh.service", "", "ssh.service"},
		{
			"the unit is in another hierarchy than the container group",
			"4:cpu:/\n1:name=systemd:/system.slice/cron.service\n0::/\n", "/", "", "cron.service",
		},
		{
			"so is the container",
			"4:cpu:/\n3:pids:/docker/" + hexID + "\n1:name=systemd:/\n", "/", hexID, "",
		},
		{"malformed", "x\n0::/system.slice/ssh.service", "", "", "ssh.service"},
		{"not known", "", "", "", ""},
	}
	for _, test := range tests {
		m := NewDescriber(nil, nil).Whereabouts(process.Cgroup{Membership: test.membership, Group: test.group})
		if m.Identity.Container != test.container || m.Unit.Name != test.unit {
			t.Errorf("%s: container %q, unit %q", test.name, m.Identity.Container, m.Unit.Name)
		}
	}
}
