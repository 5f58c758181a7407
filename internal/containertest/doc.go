// Package containertest gives tests real containers, of every runtime that
// Debian has a package of, and what they do step by step.
//
// A [Rig] is one runtime with all of its state in a folder of its own, its
// daemon where it has one, and the containers of one test:
//
//	rig := containertest.Start(t, containertest.Docker)
//	c := rig.Run("web", containertest.Spec{Labels: map[string]string{"a": "b"}})
//	child := c.Fork()           // of the container's init
//	orphan := child.Orphan()    // which the init adopts
//	child.Become("nginx")       // by exec
//	entered := c.Exec()         // as by docker exec
//	c.Remove()
//
// Each container is made of Debian's busybox-static alone: no image is fetched
// and no network is used. Its processes are shells that read what to do from a
// FIFO; every call returns when it has been done.
//
// All that a rig starts is in a mount namespace of its own, and all containers
// are in one cgroup that only the rig has, so that a rig leaves nothing behind:
// no process, no mount, no cgroup and no file, also when the test fails, or
// when the test binary is killed. Cgroup paths have that cgroup before what the
// runtime gives by itself: /lineage-rig-x/docker/ID.
//
// Where the machine has both versions of cgroups, every kind runs with every
// [Layout] but crun, which refuses the hybrid one, and every kind that can nest
// does so. The paths that they give, below the rig's cgroup:
//
//	Runc, Crun  /runc/NAME, /crun/NAME (called by hand they have no usual one)
//	Podman      /libpod_parent/libpod-ID, with conmon in /libpod_parent/conmon
//	Containerd  /default/NAME
//	CRI         /kubepods/besteffort/podUID/ID
//	Nspawn      /machine.slice/systemd-nspawn@NAME.service/payload, with the
//	            last element in name=systemd and v2 alone
//	Docker      /docker/ID
//
// The shims of containerd are in the cgroup of the test, as they are in that of
// the daemon's unit elsewhere.
//
// The test binary is also what starts commands and tidies up, as a process
// between the test and the runtime which adopts what daemonizes: importing the
// package is all that it needs for it.
package containertest
