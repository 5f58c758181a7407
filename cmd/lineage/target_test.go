package main

import (
	"fmt"
	"github.com/proclineage/lineage/answer"
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
		m := inContainer(all, answer.NewDescriber(nil, nil), test.prefix, byIDPrefix(test.prefix))
		if got := pidsOf(m.processes); got != test.want {
			t.Errorf("container %s: %s, want %s", test.prefix, got, test.want)
		}
	}
	m := inContainer(all, answer.NewDescriber(nil, nil), hexID, byNameOrID(hexID))
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
