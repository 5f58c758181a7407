package container

import (
	"encoding/json"
	"testing"
)

const (
	hexID   = "8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9"
	otherID = "0000000000000000000000000000000000000000000000000000000000000001"
	podUID  = "05e102bf-8744-4942-a241-9b6f07983a53"
)

func TestString(t *testing.T) {
	for _, test := range []struct {
		of   Container
		want string
	}{
		{Container{ID: hexID}, "8fbd0ec4a1db"},
		{Container{ID: "mail"}, "mail"},
		{Container{ID: hexID, Name: "web"}, "web"},
		{Container{ID: hexID, Name: "nginx", Image: "nginx:1.27", Pod: Pod{Name: "web-7d4f", Namespace: "default"}}, "nginx (pod default/web-7d4f, image nginx:1.27)"},
		{Container{ID: hexID, Name: "web-7d4f", Sandbox: true, Pod: Pod{Name: "web-7d4f"}}, "web-7d4f (sandbox, pod web-7d4f)"},
		{
			Container{ID: hexID, Name: "shop-db-1", Image: "postgres:17", Labels: map[string]string{"com.docker.compose.service": "db", "com.docker.compose.project": "shop"}},
			"shop-db-1 (service shop/db, image postgres:17)",
		},
		{Container{ID: hexID, Name: "db", Labels: map[string]string{"io.podman.compose.service": "db"}}, "db"},
	} {
		if got := test.of.String(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.of, got, test.want)
		}
	}
}

func TestState(t *testing.T) {
	text, err := json.Marshal([]State{StateUnknown, StateCreated, StateRunning, StatePaused, StateExited, 99})
	if want := `["unknown","created","running","paused","exited","unknown"]`; err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

func TestWorkloadOf(t *testing.T) {
	type labels = map[string]string
	for _, test := range []struct {
		pod    string
		labels labels
		want   string
	}{
		{"web-7d4f9c-x2x9z", labels{"pod-template-hash": "7d4f9c"}, "deployment/web"},
		{"web-front-7d4f9c-x2x9z", labels{"pod-template-hash": "7d4f9c", "app": "other"}, "deployment/web-front"},
		{"web-x2x9z", labels{"pod-template-hash": "7d4f9c"}, ""}, // the name does not agree
		{"db-0", labels{"statefulset.kubernetes.io/pod-name": "db-0", "controller-revision-hash": "db-5f6"}, "statefulset/db"},
		{"agent-8zkq2", labels{"controller-revision-hash": "6c8"}, "daemonset/agent"},
		{"backup-28391230-abcde", labels{"batch.kubernetes.io/job-name": "backup-28391230"}, "job/backup-28391230"},
		{"old-abcde", labels{"job-name": "old"}, "job/old"},
		{"alone", labels{"app": "x"}, ""},
		{"alone", nil, ""},
		{"", labels{"controller-revision-hash": "x"}, ""},
		{"-", labels{"controller-revision-hash": "x"}, ""},
	} {
		if got := WorkloadOf(test.labels, test.pod); got != test.want {
			t.Errorf("%s %v: %q, want %q", test.pod, test.labels, got, test.want)
		}
	}
}
