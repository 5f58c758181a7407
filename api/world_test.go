package api_test

import (
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// hostile is what processes may have for arguments.
var hostile = []string{
	"evil", "<script>alert(1)</script>", "\x1b[31m", "a\xffb", "\u202e", "\n\r\n\r\nHTTP/1.1 200 OK", `"},{"pid":1}`, "data: x\n\nevent: exit", "&<>\u2028",
}

// webGroup is the path of a container's cgroup.
const webGroup = "/system.slice/docker-8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9.scope"

const webID = "8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9"

// world is a live view and a history with one of each kind of process: 1 is init; 2
// is sshd; 3 is the shell of the user 1000 and was made by 90, which has ended; 4 is
// nginx in a container; 5 has hostile arguments; 6 has a secret; 7 is an orphan of
// whom nobody knows who made it.
func world() (*fakeTree, *memory) {
	group := process.Cgroup{Membership: "0::" + webGroup + "\n", Group: webGroup}
	init := process.Process{
		ID: idOf(1, 1), Name: "init", State: process.Alive, Parent: link(process.ID{}), Creator: link(process.ID{}),
		Owner: owner(0), Evidence: process.Scanned, Exec: process.Command{Args: []string{"/sbin/init"}},
	}
	sshd := child(&init, 2, 2, "sshd", 0)
	ended := child(&sshd, 90, 3, "sshd", 0)
	ended.State = process.Ended
	ended.Exit = process.Exit{Evidence: process.Observed, At: 5e9, Usage: process.Usage{Known: true, MaxRSS: 1 << 20}}
	shell := child(&ended, 3, 4, "bash", 1000, "-bash")
	shell.Parent = link(init.ID)
	shell.SessionID, shell.GroupID, shell.TTY = 3, 3, 136<<8
	nginx := child(&init, 4, 10, "nginx", 33, "nginx: worker process")
	nginx.Cgroup, nginx.NamespacePIDs = group, []int{4, 1}
	evil := child(&shell, 5, 20, "evil\xff\x1b", 1000, hostile...)
	secret := child(&shell, 6, 30, "app", 1000, "app", "--password=hunter2")
	secret.Exec.ArgsCut, secret.Exec.File = true, "/usr/bin/app"
	orphan := child(&init, 7, 40, "orphan", 0, "orphan", "--token", "hunter2")
	orphan.Creator = process.Link{}
	thread := child(&init, 8, 41, "kthreadd", 0)
	thread.Kernel = true
	tree := &fakeTree{
		procs: []process.Process{init, sshd, ended, shell, nginx, evil, secret, orphan, thread},
		exes:  map[int]string{1: "/sbin/init", 3: "/bin/bash", 6: "/usr/bin/app", 7: "/usr/bin/orphan"},
	}
	return tree, past(tree)
}

// child is a process that another one made, with what it runs.
func child(by *process.Process, pid int, at float64, name string, uid int, args ...string) process.Process {
	p := process.Process{
		ID: idOf(pid, at), Name: name, State: process.Alive, Parent: link(by.ID), Creator: link(by.ID), Owner: owner(uid),
		Evidence: process.Observed, GroupID: pid, SessionID: pid,
	}
	if len(args) > 0 {
		p.Exec = process.Command{File: "/bin/" + args[0], Args: args, At: p.ID.Start + 1000}
	}
	return p
}

// past is a history of the same processes, and of some that have ended: 100 failed,
// 101 was killed, 102 was in a pod, 103 is of another boot and of 104 it is not known
// when it ended.
func past(tree *fakeTree) *memory {
	m := &memory{last: time.Now().Add(-time.Second), names: map[string]string{"ffff": "old.test"}}
	for _, p := range tree.procs {
		m.procs = append(m.procs, kept(&p))
	}
	sshd := &tree.procs[1]
	failed := child(sshd, 100, 50, "false", 0, "false")
	failed.Exit = process.Exit{Evidence: process.Observed, At: 51e9, Status: 1 << 8, Usage: process.Usage{Known: true, User: time.Second, ReadBytes: 7}}
	killed := child(sshd, 101, 60, "sleep", 1000, "sleep", "--api-key", "hunter2")
	killed.Exit = process.Exit{Evidence: process.Observed, At: 61e9, Status: 0x89}
	pod := child(sshd, 102, 70, "java", 33, "java")
	pod.Exit = process.Exit{Evidence: process.Observed, At: 71e9}
	other := child(sshd, 103, 80, "old", 0, "old")
	other.Creator, other.Parent = process.Link{}, process.Link{}
	other.Exit = process.Exit{Evidence: process.Inferred, At: 81e9}
	uncertain := child(sshd, 104, 90, "lost", 0, "lost")
	uncertain.Exit = process.Exit{Evidence: process.Scanned, At: 95e9}
	for _, p := range []*process.Process{&failed, &killed, &pod, &other, &uncertain} {
		m.procs = append(m.procs, kept(p))
	}
	for i := range m.procs {
		p := &m.procs[i]
		switch p.ID.PID {
		case 3:
			p.Session, p.UserUnit = "7", "app.service"
		case 4:
			p.Container, p.Group = webID, webGroup
			p.Stored = &store.Container{ID: webID, Runtime: "docker", Name: "web", Image: "nginx:1.27", Service: "web", Project: "shop"}
		case 102:
			p.Container = "aaaabbbbccccddddeeee"
			p.Stored = &store.Container{
				ID: p.Container, Runtime: "containerd", Name: "java", PodUID: "pod-uid", PodName: "java-1", Namespace: "prod", Workload: "deployment/java",
			}
		case 2:
			p.Container, p.Helper, p.Unit = "aaaabbbbccccddddeeee", true, "ssh.service"
		case 103:
			p.Host, p.Boot = "ffff", "99999999-2222-3333-4444-555555555555"
		}
	}
	m.gaps = []store.Gap{{
		Host: host, Boot: boot, Reason: store.Lost, Since: 50e9, Until: 52e9, From: booted.Add(50 * time.Second), To: booted.Add(52 * time.Second), Lost: 3,
	}}
	return m
}

// kept is a process as a history has it.
func kept(p *process.Process) store.Process {
	s := store.Process{
		Key: store.Key{Host: host, Boot: boot, ID: p.ID}, Began: booted.Add(time.Duration(p.ID.Start)), Name: p.Name, Creator: p.Creator,
		Parent: p.Parent, Owner: p.Owner, GroupID: p.GroupID, SessionID: p.SessionID, TTY: p.TTY, NamespacePIDs: p.NamespacePIDs,
		Exit: p.Exit, Evidence: p.Evidence,
	}
	if p.Exec.Args != nil {
		s.Execs, s.ExecCount = []process.Command{p.Exec}, 1
	}
	if p.Exit.At != 0 {
		s.Ended = booted.Add(time.Duration(p.Exit.At))
	}
	return s
}
