package container

import "strings"

// WorkloadOf returns what a Kubernetes pod belongs to, as "deployment/web", by
// its labels and its name. It is empty where the labels do not tell. Those that
// count are set by Kubernetes' own controllers: what people label is not looked
// at.
func WorkloadOf(labels map[string]string, podName string) string {
	before := func(suffix string) string {
		name, ok := strings.CutSuffix(podName, suffix)
		if !ok || name == "" {
			return ""
		}
		return name
	}
	last := podName[strings.LastIndexByte(podName, '-')+1:]
	switch job, revision := labels["batch.kubernetes.io/job-name"], labels["controller-revision-hash"]; {
	case job != "":
		return "job/" + job
	case labels["job-name"] != "": // before Kubernetes 1.27
		return "job/" + labels["job-name"]
	case labels["statefulset.kubernetes.io/pod-name"] != "":
		if name := before("-" + last); name != "" {
			return "statefulset/" + name
		}
	case labels["pod-template-hash"] != "":
		// A deployment makes ReplicaSets of its own name and the hash.
		if name := before("-" + labels["pod-template-hash"] + "-" + last); name != "" {
			return "deployment/" + name
		}
	case revision != "":
		if name := before("-" + last); name != "" {
			return "daemonset/" + name
		}
	}
	return ""
}
