package otel

import (
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
)

// container adds the container that the process is in, which the path of its
// cgroup tells, with what its runtime says of it. A process of the runtime beside
// it is in none.
func (l *list) container(info *lineage.ProcessInfo) {
	m := &info.Container
	if m.Identity.Role == cgroup.RoleHelper {
		return
	}
	c := &m.Container
	kubernetes := isKubernetes(m)
	if m.In() {
		l.text(semconv.ContainerIDKey, m.Identity.Container)
		if !kubernetes { // there it is the name in the pod, which the runtime does not use
			l.text(semconv.ContainerNameKey, c.Name)
		}
		runtime := c.Runtime
		if runtime == "" {
			runtime = m.Identity.Runtime
		}
		l.text(semconv.ContainerRuntimeNameKey, string(runtime))
		l.image(c.Image)
	}
	if !kubernetes {
		return
	}
	uid := c.Pod.UID
	if uid == "" {
		uid = m.Identity.Pod
	}
	l.text(semconv.K8SPodUIDKey, uid)
	l.text(semconv.K8SPodNameKey, c.Pod.Name)
	l.text(semconv.K8SNamespaceNameKey, c.Pod.Namespace)
	if kind, name, ok := strings.Cut(c.Pod.Workload, "/"); ok {
		if key, ok := workloads[kind]; ok {
			l.text(key, name)
		}
	}
	if m.In() {
		l.text(semconv.K8SContainerNameKey, c.Name)
	}
}

// isKubernetes reports whether there is a pod and it is one of Kubernetes, not
// of Podman.
func isKubernetes(m *container.Membership) bool {
	if m.Container.Pod.Namespace != "" {
		return true
	}
	podman := m.Container.Runtime == cgroup.Podman || m.Identity.Runtime == cgroup.Podman
	return !podman && (m.Identity.Pod != "" || m.Container.Pod.UID != "")
}

// image adds the parts of the reference to an image.
func (l *list) image(reference string) {
	if digest, ok := strings.CutPrefix(reference, "sha256:"); ok || isDigest(reference) {
		if isDigest(digest) {
			l.text(semconv.ContainerImageIDKey, reference)
		}
		return
	}
	name, digest, pinned := strings.Cut(reference, "@")
	name, tag := cutTag(name)
	l.text(semconv.ContainerImageNameKey, name)
	if tag != "" {
		l.add(semconv.ContainerImageTagsKey.StringSlice([]string{valid(tag)}))
	}
	if pinned && name != "" && digest != "" {
		l.add(semconv.ContainerImageRepoDigestsKey.StringSlice([]string{valid(name + "@" + digest)}))
	}
}

// cutTag returns the tag of an image's name and what is before it, in which a
// colon may be that of a port.
func cutTag(name string) (before, tag string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.IndexByte(name[i:], '/') >= 0 {
		return name, ""
	}
	return name[:i], name[i+1:]
}

// isDigest reports whether s is the 64 digits of a SHA-256.
func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
