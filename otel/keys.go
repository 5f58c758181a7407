package otel

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// SchemaURL is that of the semantic conventions that the attributes follow.
const SchemaURL = semconv.SchemaURL

// The attributes that the semantic conventions have no name for. An ID is a text
// as [process.ID.String] writes it: it names one process of one boot, which
// BootIDKey tells, also when the PID is another's.
const (
	// ProcessIDKey is the ID of the process, a string.
	ProcessIDKey = attribute.Key("lineage.process.id")
	// ParentIDKey is the ID of its parent now, which may have adopted it, a
	// string.
	ParentIDKey = attribute.Key("lineage.parent.id")
	// CreatorIDKey is the ID of the process that made it, a string.
	CreatorIDKey = attribute.Key("lineage.creator.id")
	// AncestorsKey is the IDs of those above it by current parent, nearest
	// first, strings.
	AncestorsKey = attribute.Key("lineage.ancestors")
	// CreatorsKey is the IDs of who made it, who made that one and so on,
	// nearest first, strings. It never changes.
	CreatorsKey = attribute.Key("lineage.creators")
	// BootIDKey is the boot ID of the host, a string.
	BootIDKey = attribute.Key("lineage.boot_id")
	// PIDNamespaceKey is the inode number of the PID namespace that the process
	// is in, an int. The kernel gives that of one that is gone to another one.
	PIDNamespaceKey = attribute.Key("lineage.pidns")
)

// workloads is the keys of the kinds of workload that a pod belongs to.
var workloads = map[string]attribute.Key{
	"cronjob":               semconv.K8SCronJobNameKey,
	"daemonset":             semconv.K8SDaemonSetNameKey,
	"deployment":            semconv.K8SDeploymentNameKey,
	"job":                   semconv.K8SJobNameKey,
	"replicaset":            semconv.K8SReplicaSetNameKey,
	"replicationcontroller": semconv.K8SReplicationControllerNameKey,
	"statefulset":           semconv.K8SStatefulSetNameKey,
}
