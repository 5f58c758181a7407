package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/proclineage/lineage/process"
)

func pidsOf(list []process.Process) string {
	var pids []string
	for i := range list {
		pids = append(pids, fmt.Sprint(list[i].ID.PID))
	}
	return strings.Join(pids, " ")
}

func TestInContainer(t *testing.T) {
	nested := process.Process{
		ID: process.ID{PID: 3000}, Name: "inner", Parent: below(902),
		Cgroup: in("/docker/" + hexID + "/docker/" + strings.Repeat("ab", 32)),
	}
	helper := process.Process{
		ID: process.ID{PID: 3001}, Name: "conmon", Parent: below(1),
		Cgroup: in("/machine.slice/libpod-conmon-" + hexID + ".scope"),
	}
	all := append(host(), nested, helper)
	tests := []struct{ prefix, want string }{
		{hexID, "990 3000"},
		{hexID[:12], "990 3000"},
		{strings.Repeat("ab", 6), "3000"},
		{"000000000000", ""},
	}
	for _, test := range tests {
		m := inContainer(all, test.prefix, func(id string) bool { return strings.HasPrefix(id, test.prefix) })
		if got := pidsOf(m.processes); got != test.want {
			t.Errorf("container %s: %s, want %s", test.prefix, got, test.want)
		}
	}
	m := inContainer(all, hexID, func(id string) bool { return id == hexID })
	if !strings.HasPrefix(m.note, "2 more processes of the container below: lineage tree 8fbd") {
		t.Errorf("note = %s", m.note)
	}
}

func TestTopFirst(t *testing.T) {
	var list []process.Process
	for _, p := range host() {
		if p.Name == "nginx" || p.Name == "bash" || p.Name == "make" {
			list = append([]process.Process{p}, list...)
		}
	}
	if got, want := pidsOf(topFirst(list)), "990 1101 1011 1012 1102"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTerminalName(t *testing.T) {
	for dev, want := range map[int]string{
		0: "", 0x8802: "pts/2", 0x401: "tty1", 0x440: "ttyS0", 0x501: "console", 0x100301: "3:257",
	} {
		if got := terminalName(dev); got != want {
			t.Errorf("terminalName(%#x) = %q, want %q", dev, got, want)
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
		w := whereaboutsOf(process.Cgroup{Membership: test.membership, Group: test.group})
		if w.identity.Container != test.container || w.unit.Name != test.unit {
			t.Errorf("%s: container %q, unit %q", test.name, w.identity.Container, w.unit.Name)
		}
	}
}
