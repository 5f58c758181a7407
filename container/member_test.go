package container

import (
	"reflect"
	"strings"
	"testing"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/process"
)

// fixed is a Resolver that knows a few.
type fixed struct {
	ids   map[string]Container
	paths map[string]Container
}

func (f fixed) ByID(id string) (Container, bool) { c, ok := f.ids[id]; return c, ok }
func (f fixed) ByCgroup(path string) (Container, string, bool) {
	for at := path; at != ""; at = at[:strings.LastIndexByte(at, '/')] {
		if c, ok := f.paths[at]; ok {
			return c, at, true
		}
	}
	return Container{}, "", false
}

func TestOf(t *testing.T) {
	web := Container{Runtime: cgroup.Docker, ID: hexID, Name: "web"}
	inner := Container{Runtime: cgroup.Podman, ID: otherID, Name: "inner"}
	known := func(c ...Container) fixed {
		f := fixed{ids: map[string]Container{}}
		for _, c := range c {
			f.ids[c.ID] = c
		}
		return f
	}
	pod := func(c Container, uid string) Container { c.Pod.UID = uid; return c }
	owned := func(c Container, uid int) Container { c.Owner = uid; return c }
	const kube = "/kubepods/besteffort/pod" + podUID + "/" + hexID
	for name, test := range map[string]struct {
		path  string
		names Resolver
		in    string // the ID of the container
		role  cgroup.Role
		named string
		outer []string
	}{
		"no resolver":                {"/docker/" + hexID, nil, hexID, cgroup.RoleContainer, "", nil},
		"known":                      {"/docker/" + hexID, known(web), hexID, cgroup.RoleContainer, "web", nil},
		"not known":                  {"/docker/" + hexID, known(inner), hexID, cgroup.RoleContainer, "", nil},
		"the host's":                 {"/system.slice/ssh.service", known(web), "", cgroup.RoleNone, "", nil},
		"another under its ID":       {"/docker/" + hexID, fixed{ids: map[string]Container{hexID: inner}}, hexID, cgroup.RoleContainer, "", nil},
		"a helper":                   {"/machine.slice/libpod-conmon-" + hexID + ".scope", known(web), "", cgroup.RoleHelper, "web", nil},
		"its pod":                    {kube, known(pod(web, podUID)), hexID, cgroup.RoleContainer, "web", nil},
		"another pod":                {kube, known(pod(web, "11111111-8744-4942-a241-9b6f07983a53")), hexID, cgroup.RoleContainer, "", nil},
		"a sandbox":                  {kube, known(Container{ID: hexID, Name: "pause", Sandbox: true}), hexID, cgroup.RoleSandbox, "pause", nil},
		"a user's, of the host":      {"/docker/" + hexID, known(owned(web, 1000)), hexID, cgroup.RoleContainer, "", nil},
		"a user's, of the user":      {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + hexID + ".scope", known(owned(web, 1000)), hexID, cgroup.RoleContainer, "web", nil},
		"a user's, of another":       {"/user.slice/user-1001.slice/user@1001.service/user.slice/libpod-" + hexID + ".scope", known(owned(web, 1000)), hexID, cgroup.RoleContainer, "", nil},
		"nested":                     {"/docker/" + hexID + "/docker/" + otherID, known(web, inner), otherID, cgroup.RoleContainer, "inner", []string{"web"}},
		"nested, the inner unknown":  {"/docker/" + hexID + "/docker/" + otherID, known(web), otherID, cgroup.RoleContainer, "", []string{"web"}},
		"a path that does not tell":  {"/jobs/7", fixed{paths: map[string]Container{"/jobs/7": web}}, hexID, cgroup.RoleContainer, "web", nil},
		"a user's, by its cgroup":    {"/jobs/7", fixed{paths: map[string]Container{"/jobs/7": owned(web, 1000)}}, "", cgroup.RoleNone, "", nil},
		"one in a learnt one":        {"/jobs/7/docker/" + hexID, fixed{ids: map[string]Container{hexID: web}, paths: map[string]Container{"/jobs/7": inner}}, hexID, cgroup.RoleContainer, "web", []string{"inner"}},
		"one in a container of ours": {"/docker/" + hexID + "/jobs/7", fixed{ids: map[string]Container{hexID: web}, paths: map[string]Container{"/docker/" + hexID + "/jobs/7": inner}}, otherID, cgroup.RoleContainer, "inner", []string{"web"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := Of(process.Cgroup{Membership: "0::" + test.path + "\n", Group: test.path}, test.names)
			if m.Identity.Container != test.in || m.Identity.Role != test.role || m.Container.Name != test.named {
				t.Errorf("%s: %v %q, named %q; want %v %q, named %q", test.path, m.Identity.Role, m.Identity.Container, m.Container.Name, test.role, test.in, test.named)
			}
			var outer []string
			for _, c := range m.Outer {
				outer = append(outer, c.Name)
			}
			if !reflect.DeepEqual(outer, test.outer) {
				t.Errorf("%s: in %q, want %q", test.path, outer, test.outer)
			}
			if len(m.Outer) > 0 && len(m.Outer) != len(m.Identity.Outer) {
				t.Errorf("%s: %d names of %d containers", test.path, len(m.Outer), len(m.Identity.Outer))
			}
			if want := test.role == cgroup.RoleContainer || test.role == cgroup.RoleSandbox; m.In() != want {
				t.Errorf("In: %v, want %v", m.In(), want)
			}
		})
	}
}

func TestOfLines(t *testing.T) {
	// A hybrid host: the container group is of a v1 hierarchy, and the unit is
	// where systemd names itself.
	m := Of(process.Cgroup{
		Membership: "9:cpu:/jobs/7\n1:name=systemd:/system.slice/docker-" + hexID + ".scope\n0::/system.slice/containerd.service\n",
		Group:      "/jobs/7",
	}, nil)
	if m.Identity.Container != hexID || m.Unit.Name != "docker-"+hexID+".scope" {
		t.Errorf("container %q, unit %q", m.Identity.Container, m.Unit.Name)
	}
}

func TestSame(t *testing.T) {
	of := func(path string) *Membership {
		m := Of(process.Cgroup{Membership: "0::" + path + "\n", Group: path}, nil)
		return &m
	}
	a, b := of("/docker/"+hexID), of("/docker/"+hexID+"/init")
	if !a.Same(b) || a.Same(of("/docker/"+otherID)) || a.Same(of("/")) || of("/").Same(of("/")) {
		t.Error("which are in the same container")
	}
}
