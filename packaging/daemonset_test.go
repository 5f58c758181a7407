package packaging_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// object is one of the objects of the DaemonSet's file.
type object interface {
	apps.DaemonSet | core.Namespace | core.ServiceAccount
}

// decode reads an object, which may have no field that Kubernetes does not know.
func decode[T object](t *testing.T, text []byte, o *T) {
	t.Helper()
	if err := yaml.UnmarshalStrict(text, o); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// TestDaemonSet holds what the DaemonSet may do, and may not.
func TestDaemonSet(t *testing.T) {
	text, err := os.ReadFile("kubernetes/daemonset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parts := bytes.Split(text, []byte("\n---\n"))
	if len(parts) != 3 {
		t.Fatalf("%d objects", len(parts))
	}
	var space core.Namespace
	var account core.ServiceAccount
	var set apps.DaemonSet
	decode(t, parts[0], &space)
	decode(t, parts[1], &account)
	decode(t, parts[2], &set)
	if space.Name != set.Namespace || account.Namespace != set.Namespace || set.Spec.Template.Spec.ServiceAccountName != account.Name {
		t.Errorf("%s, %s/%s and %s/%s do not belong together", space.Name, account.Namespace, account.Name, set.Namespace, set.Name)
	}
	for key, value := range set.Spec.Selector.MatchLabels {
		if set.Spec.Template.Labels[key] != value {
			t.Errorf("it does not select its pods by %s", key)
		}
	}
	pod := set.Spec.Template.Spec
	if a := pod.AutomountServiceAccountToken; a == nil || *a {
		t.Error("it has a token of the cluster, and asks it nothing")
	}
	if !pod.HostPID || pod.HostNetwork || pod.HostIPC || len(pod.Containers) != 1 {
		t.Errorf("of the host it needs the processes alone: %+v", pod)
	}
	c := pod.Containers[0]
	s := c.SecurityContext
	if *s.Privileged || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem ||
		!slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) ||
		!slices.Equal(s.Capabilities.Add, []core.Capability{"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"}) {
		t.Errorf("%+v", s)
	}
	written := []string{"/run/lineage", "/var/lib/lineage", "/tmp"}
	for _, m := range c.VolumeMounts {
		if m.ReadOnly == slices.Contains(written, m.MountPath) {
			t.Errorf("%s: read-only is %v", m.MountPath, m.ReadOnly)
		}
		if !slices.ContainsFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == m.Name }) {
			t.Errorf("%s: there is no volume %s", m.MountPath, m.Name)
		}
	}
	if c.ReadinessProbe == nil || c.LivenessProbe == nil || c.Resources.Limits.Memory().IsZero() {
		t.Error("it is not watched, or not limited")
	}
}
