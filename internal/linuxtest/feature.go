package linuxtest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A Feature is a privilege, or a feature of the kernel, that a test needs and
// not every machine has.
type Feature string

// The features, by the names that LINEAGE_MUST_RUN takes.
const (
	// Root is to be root, with the capabilities to read and end the
	// processes of others.
	Root Feature = "root"
	// Cgroups is to make a cgroup, in the hierarchy that the container
	// group is taken from, and to move a process there.
	Cgroups Feature = "cgroup"
	// PIDNamespace is to make a PID namespace, as root or with a user
	// namespace.
	PIDNamespace Feature = "pidns"
	// UserNamespace is to make a user namespace.
	UserNamespace Feature = "userns"
	// PidfdInfo is PIDFD_GET_INFO, of Linux 6.13.
	PidfdInfo Feature = "pidfd-info"
	// Pidfs is the identity of a process by the inode of a pidfd, of
	// Linux 6.9.
	Pidfs Feature = "pidfs"
	// SetTID is to choose the PID of a new process: clone3 with set_tid.
	SetTID Feature = "set-tid"
	// HostPID is to be in the first PID namespace, which has the threads of
	// the kernel.
	HostPID Feature = "host-pid"
	// Hidepid is to mount a /proc with hidepid.
	Hidepid Feature = "hidepid"
	// BPF is to trace the kernel with BPF: ring buffers (Linux 5.8) and the
	// types of the kernel (BTF), with the capabilities to use them.
	BPF Feature = "bpf"
	// Connector is to listen to the kernel's process events connector: as
	// root, or on Linux 6.6 and later, in the first PID, user and network
	// namespace.
	Connector Feature = "connector"
	// CC is a C compiler for static programs.
	CC Feature = "cc"
	// Quick is to end a process and give its PID to another one within a
	// clock tick, of 10 ms. Only a test that tries finds out: see Lack.
	Quick Feature = "quick"
	// CgroupV1 is to have the controller cpu in a hierarchy of cgroup v1,
	// as hybrid machines too have it.
	CgroupV1 Feature = "cgroup-v1"
	// CgroupV2 is to mount cgroup v2, which hybrid machines can too.
	CgroupV2 Feature = "cgroup-v2"
	// Busybox is a static busybox, which is all that is in the containers
	// of tests.
	Busybox Feature = "busybox"
	// Runc is runc, with which most others start their containers.
	Runc Feature = "runc"
	// Crun is crun.
	Crun Feature = "crun"
	// Podman is Podman, with conmon.
	Podman Feature = "podman"
	// Containerd is containerd, with ctr and the shim for runc.
	Containerd Feature = "containerd"
	// Nspawn is systemd-nspawn.
	Nspawn Feature = "nspawn"
	// Docker is Docker Engine and the command docker.
	Docker Feature = "docker"
	// DBus is dbus-daemon, a message bus.
	DBus Feature = "dbus"
	// Chromium is Chromium, without a screen.
	Chromium Feature = "chromium"
	// Speedscope is the viewer of traces in record/chrome/viewers.
	Speedscope Feature = "speedscope"
	// Playwright runs the tests of the page in web.
	Playwright Feature = "playwright"
	// Strace is strace.
	Strace Feature = "strace"
	// Hello is the source of GNU hello, and make to build it with: see
	// [HelloSource].
	Hello Feature = "hello"
	// ClickHouse is Debian's clickhouse-server.
	ClickHouse Feature = "clickhouse"
	// ZooKeeper is Debian's ZooKeeper, with Java.
	ZooKeeper Feature = "zookeeper"
	// Chdb is libchdb, today's ClickHouse as a library, and Go to build what
	// serves it: see [ChdbLibrary].
	Chdb Feature = "chdb"
	// Otelcol is Go with the modules to build the OpenTelemetry Collector of
	// tools/otelcol. Only a test that tries finds out: see Lack.
	Otelcol Feature = "otelcol"
)

// MustRunEnv names the environment variable with the features, separated by
// commas, that the machine has to have, or "all".
const MustRunEnv = "LINEAGE_MUST_RUN"

// Need skips the test if the machine lacks one of the features, and fails it
// if LINEAGE_MUST_RUN demands that one.
func Need(t testing.TB, features ...Feature) {
	t.Helper()
	if _, unknown := demands(os.Getenv(MustRunEnv)); unknown != "" {
		t.Fatalf("%s: there is no feature %q", MustRunEnv, unknown)
	}
	for _, f := range features {
		probe, known := probes[f]
		if !known {
			t.Fatalf("there is no feature %q", f)
		}
		why, ok := probe()
		if !ok {
			Lack(t, f, why)
		}
	}
}

// Lack skips the test, or fails it if LINEAGE_MUST_RUN demands the feature,
// which the test has found the machine to lack.
func Lack(t testing.TB, f Feature, why string) {
	t.Helper()
	if demanded, _ := demands(os.Getenv(MustRunEnv)); demanded(f) {
		t.Fatalf("needs %s, which %s demands: %s", f, MustRunEnv, why)
	}
	t.Skipf("needs %s: %s", f, why)
}

// Has reports whether the machine has the feature.
func Has(f Feature) bool {
	_, ok := probes[f]()
	return ok
}

// demands reads the value of LINEAGE_MUST_RUN. It returns a name in it that is
// none of a feature.
func demands(value string) (demanded func(Feature) bool, unknown string) {
	names := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
	for _, name := range names {
		if _, ok := probes[Feature(name)]; !ok && name != "all" {
			return nil, name
		}
	}
	return func(f Feature) bool {
		return slices.Contains(names, "all") || slices.Contains(names, string(f))
	}, ""
}
