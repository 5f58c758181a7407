package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

var (
	aNoon    = time.Date(2026, 11, 23, 19, 4, 0, 0, time.UTC)
	aZone    = time.UTC
	procText = sourceLine(lineage.SourceInfo{Name: "procfs", Limits: []source.Limit{source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsUnseen}})
)

func nginx() Object {
	return Object{
		PID: 1012, ID: "1012@17123.45", PPID: new(990), ParentID: new("990@17100.00"), ParentEvidence: "scanned", CreatorEvidence: "unknown",
		Name: "nginx", State: "alive", Evidence: "scanned",
		Start: new("2026-11-23T16:58:23.12Z"), StartPrecision: new("tick"),
		UID: new(33), User: new("www-data"), RUID: new(33),
		Exe: new("/usr/sbin/nginx"), Args: []string{"nginx: worker process"},
		PGID: new(990), SID: new(990), NamespacePIDs: []int{1012, 7},
		ContainerGroup: new("/system.slice/docker-" + hexID + ".scope"),
		Container:      &Container{Runtime: new("docker"), ID: new(hexID), Role: new("container")},
		Unit:           new("docker-" + hexID + ".scope"),
		Listens:        []string{"tcp 0.0.0.0:80", "tcp [::]:80"},
		Chain:          []Link{{PID: 1, ID: "1@0.01", Name: "systemd", State: "alive"}, {PID: 902, ID: "902@9.00", Name: "containerd-shim", State: "alive"}, {PID: 990, ID: "990@17100.00", Name: "nginx", State: "alive"}, {PID: 1012, ID: "1012@17123.45", Name: "nginx", State: "alive"}},
		ChainComplete:  new(true),
	}
}

func TestWhyGolden(t *testing.T) {
	ssh := Object{
		PID: 48213, Name: "curl\x1b]0;\a", State: "alive", PPID: new(1101), CreatorPID: new(1101), CreatorEvidence: "inferred",
		Start: new("2026-11-20T10:00:00Z"), UID: new(0), User: new("root"), RUID: new(1000),
		Exe: new("/usr/bin/curl (deleted)"), Args: []string{"curl", "-H", "Accept: it's", "https://example.org/?a=b", "line\nbreak", ""},
		PGID: new(48213), SID: new(1101), TTY: new("pts/2"),
		Unit: new("session-4.scope"), LoginSession: new("4"), ContainerGroup: new("/user.slice/user-1000.slice/session-4.scope"),
		Chain: []Link{{PID: 1101, ID: "", Name: "bash", State: "alive"}, {PID: 48213, ID: "", Name: "curl\x1b]0;\a", State: "alive"}}, ChainComplete: new(false),
	}
	zombie := Object{
		PID: 77, Name: "job", State: "zombie", PPID: new(1), CreatorEvidence: "unknown", Missing: "the process has ended",
		Chain: []Link{{PID: 1, ID: "", Name: "init", State: "alive"}, {PID: 77, ID: "", Name: "job", State: "alive"}},
	}
	ended := Object{
		PID: 78, Name: "job", State: "ended", PPID: new(77), CreatorPID: new(77), CreatorEvidence: "observed", Missing: "the process has ended",
		Args:  []string{"job", "-x"},
		Chain: []Link{{PID: 1, Name: "init", State: "alive"}, {PID: 77, Name: "cron", State: "ended"}, {PID: 78, Name: "job", State: "ended"}},
	}
	kernel := Object{
		PID: 3, Name: "kworker/0:1", Kernel: true, State: "alive", PPID: new(2), CreatorEvidence: "unknown",
		Start: new("2026-11-23T16:00:00Z"), UID: new(0), User: new("root"), RUID: new(0), ContainerGroup: new("/"),
		Chain: []Link{{PID: 2, ID: "", Name: "kthreadd", State: "alive"}, {PID: 3, ID: "", Name: "kworker/0:1", State: "alive"}},
	}
	helper := Object{
		PID: 500, Name: "conmon", State: "alive", PPID: new(0), CreatorPID: new(0), CreatorEvidence: "scanned",
		Container: &Container{Runtime: new("podman"), Role: new("helper"), Serves: new(hexID)}, ContainerGroup: new("/x"),
		Chain: []Link{{PID: 500, ID: "", Name: "conmon", State: "alive"}},
	}
	tests := []struct {
		file   string
		width  int
		object Object
		note   string
	}{
		{"why_container.txt", 0, nginx(), ""},
		{"why_container_50.txt", 50, nginx(), ""},
		{"why_session.txt", 0, ssh, "48214 is a thread of process 48213"},
		{"why_zombie.txt", 80, zombie, ""},
		{"why_ended.txt", 80, ended, ""},
		{"why_kernel.txt", 80, kernel, ""},
		{"why_container_30.txt", 30, nginx(), ""},
		{"why_container_80.txt", 80, nginx(), ""},
		{"why_helper.txt", 80, helper, ""},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			golden(t, test.file, test.width, func(s *screen) {
				writeWhy(s, &test.object, test.note, procText, aNoon, aZone)
			})
		})
	}
	t.Run("why_many_80.txt", func(t *testing.T) {
		golden(t, "why_many_80.txt", 80, func(s *screen) {
			m := matches{how: `named "nginx"`, left: 180}
			writeMatches(s, []Object{nginx(), nginx()}, m, new(finder).treeCommand("nginx: worker"), procText, aNoon)
		})
	})
	t.Run("why_several_60.txt", func(t *testing.T) {
		golden(t, "why_several_60.txt", 60, func(s *screen) {
			second := nginx()
			second.PID, second.Start = 1013, new("2026-11-23T19:03:58Z")
			writeMatches(s, []Object{nginx(), second}, matches{how: `named "nginx"`, note: "a note"}, "", procText, aNoon)
		})
	})
}

// While a tree is told what happens, the chain has those that have ended.
func TestDeadInTheChain(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	tree, err := lineage.NewTree(lineage.Options{Source: "bpf"})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	top := linuxtest.Start(t)
	top.SetSubreaper(true)
	a := top.Fork()
	b := a.Fork()
	chain := func() string {
		p, err := tree.Process(b.PID)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := explainAll(&app{}, tree, matches{processes: []process.Process{p}})
		if err != nil || len(objects) != 1 {
			t.Fatalf("%d, %v", len(objects), err)
		}
		return strings.Join(chainTexts(&objects[0]), arrow)
	}
	pid := func(a *linuxtest.Actor) string { return fmt.Sprint(" ", a.PID) }
	if got := chain(); strings.Contains(got, dead) || !strings.Contains(got, pid(a)+arrow) {
		t.Errorf("%s", got)
	}
	a.Exit(0)
	top.Wait(a)
	if got := chain(); !strings.Contains(got, pid(top)+arrow) || !strings.Contains(got, pid(a)+" "+dead+arrow) || !strings.HasSuffix(got, pid(b)) {
		t.Errorf("%s, want %d, the ended %d, and %d", got, top.PID, a.PID, b.PID)
	}
	object := Object{Chain: []Link{{PID: 1, Name: "init", Gap: true}, {PID: 9, Name: "sshd", State: "ended"}, {PID: 10, Name: "bash"}}}
	if got, want := strings.Join(chainTexts(&object), arrow), "init 1 → … → sshd 9 † → bash 10"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAncestorsGolden(t *testing.T) {
	objects := []Object{
		nginx(),
		{PID: 902, Name: "containerd-shim", State: "alive", UID: new(0), User: new("root"), Start: new("2026-11-23T16:00:00Z"), ContainerGroup: new("/system.slice/containerd.service"), Gap: new(true)},
		{PID: 12, Name: "", State: "ended", Gap: new(false)},
		{PID: 1, Name: "systemd", State: "alive", UID: new(0), User: new("root"), Start: new("2026-11-20T08:00:00Z"), ContainerGroup: new("/init.scope"), Gap: new(false)},
	}
	golden(t, "ancestors.txt", 0, func(s *screen) { writeAncestors(s, objects, false, aZone) })
	golden(t, "ancestors_creators_70.txt", 70, func(s *screen) { writeAncestors(s, objects, true, aZone) })
	golden(t, "ancestors_100.txt", 100, func(s *screen) { writeAncestors(s, objects, false, aZone) })
}

// TestFewer leaves out what would fill more than a screen.
func TestFewer(t *testing.T) {
	for found, shown := range map[int]int{3: 3, mostMatches: mostMatches, mostMatches + 1: mostMatches, 212: mostMatches} {
		m := matches{processes: make([]process.Process, found)}
		m.fewer()
		if len(m.processes) != shown || m.left != found-shown {
			t.Errorf("of %d: %d, and %d more", found, len(m.processes), m.left)
		}
	}
}
