package cgroup

import (
	"fmt"
	"strings"
	"testing"
)

func TestUnitOf(t *testing.T) {
	tests := []struct {
		path string
		want Unit
	}{
		{"/", Unit{Slice: "-.slice", OwnerUID: -1}},
		{"", Unit{Slice: "-.slice", OwnerUID: -1}},
		{"/init.scope", Unit{Name: "init.scope", Slice: "-.slice", OwnerUID: -1}},
		{"/foobar", Unit{Slice: "-.slice", OwnerUID: -1}},
		{"/system.slice", Unit{Slice: "system.slice", OwnerUID: -1}},
		{"system.slice", Unit{Slice: "system.slice", OwnerUID: -1}},
		{"/system.slice/ssh.service", Unit{Name: "ssh.service", Slice: "system.slice", OwnerUID: -1}},
		{"/system.slice/ssh.service/", Unit{Name: "ssh.service", Slice: "system.slice", OwnerUID: -1}},
		{"//system.slice//ssh.service//x/y.service", Unit{Name: "ssh.service", Slice: "system.slice", OwnerUID: -1}},
		{"/system.slice/system-getty.slice/getty@tty1.service", Unit{Name: "getty@tty1.service", Slice: "system-getty.slice", OwnerUID: -1}},
		{"/system.slice/_cpu.service/x", Unit{Name: "cpu.service", Slice: "system.slice", OwnerUID: -1}},
		{"/system.slice/__foo.service", Unit{Name: "_foo.service", Slice: "system.slice", OwnerUID: -1}},
		{"/_cpu.slice/foo.service", Unit{Name: "foo.service", Slice: "cpu.slice", OwnerUID: -1}},
		{"/system.slice/getty@.service", Unit{Slice: "system.slice", OwnerUID: -1}},
		{"/system.slice/@tty1.service", Unit{Slice: "system.slice", OwnerUID: -1}},
		{"/system.slice/get##ty@tty1.service", Unit{Slice: "system.slice", OwnerUID: -1}},
		{"/system.slice/foo/bar.service", Unit{Slice: "system.slice", OwnerUID: -1}},
		{"/foo/system.slice/bar.service", Unit{Slice: "-.slice", OwnerUID: -1}},
		{"/a@b.slice/bar.service", Unit{Slice: "-.slice", OwnerUID: -1}},
		{"/.slice/bar.service", Unit{Slice: "-.slice", OwnerUID: -1}},
		{"/system.slice/" + strings.Repeat("x", 300) + ".service", Unit{Slice: "system.slice", OwnerUID: -1}},
		{`/system.slice/system-serial\x2dgetty.slice/serial-getty@ttyS0.service`, Unit{Name: "serial-getty@ttyS0.service", Slice: `system-serial\x2dgetty.slice`, OwnerUID: -1}},
		{"/dev-hugepages.mount", Unit{Name: "dev-hugepages.mount", Slice: "-.slice", OwnerUID: -1}},

		{"/user.slice/user-1000.slice", Unit{Slice: "user-1000.slice", OwnerUID: 1000}},
		{"/user.slice/user-1000.slice/session-4.scope", Unit{Name: "session-4.scope", Slice: "user-1000.slice", UserSlice: "-.slice", Session: "4", OwnerUID: 1000}},
		{"/user.slice/user-0.slice/session-c1.scope/x", Unit{Name: "session-c1.scope", Slice: "user-0.slice", UserSlice: "-.slice", Session: "c1", OwnerUID: 0}},
		{"/user.slice/user-1000.slice/session-2.scope/foobar.service", Unit{Name: "session-2.scope", Slice: "user-1000.slice", UserUnit: "foobar.service", UserSlice: "-.slice", Session: "2", OwnerUID: 1000}},
		{"/user.slice/user-1000.slice/session-2.scope/waldo.slice/foobar.service", Unit{Name: "session-2.scope", Slice: "user-1000.slice", UserUnit: "foobar.service", UserSlice: "waldo.slice", Session: "2", OwnerUID: 1000}},
		{"/session-.scope", Unit{Name: "session-.scope", Slice: "-.slice", OwnerUID: -1}},
		{"/session-a_b.scope", Unit{Name: "session-a_b.scope", Slice: "-.slice", OwnerUID: -1}},
		{"/user.slice/user-1000.slice/user@1000.service", Unit{Name: "user@1000.service", Slice: "user-1000.slice", UserSlice: "-.slice", OwnerUID: 1000}},
		{"/user.slice/user-1000.slice/user@1000.service/init.scope", Unit{Name: "user@1000.service", Slice: "user-1000.slice", UserUnit: "init.scope", UserSlice: "-.slice", OwnerUID: 1000}},
		{
			"/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-868f9513-eee8-457d-8e36-1b37ae8ae622.scope",
			Unit{Name: "user@1000.service", Slice: "user-1000.slice", UserUnit: "vte-spawn-868f9513-eee8-457d-8e36-1b37ae8ae622.scope", UserSlice: "app.slice", OwnerUID: 1000},
		},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-a.slice/a.service/b", Unit{Name: "user@1000.service", Slice: "user-1000.slice", UserUnit: "a.service", UserSlice: "app-a.slice", OwnerUID: 1000}},
		{"/user.slice/user-1000.slice/user@.service/server.service", Unit{Slice: "user-1000.slice", OwnerUID: 1000}},
		{"/user.slice/user-1000.slice/user@x.service/server.service", Unit{Name: "user@x.service", Slice: "user-1000.slice", OwnerUID: 1000}},
		{"/user.slice/user-1000.slice/user@01000.service/server.service", Unit{Name: "user@01000.service", Slice: "user-1000.slice", OwnerUID: 1000}},
		{"/user.slice/user-waldo.slice", Unit{Slice: "user-waldo.slice", OwnerUID: -1}},
		{"/user.slice/user-65535.slice", Unit{Slice: "user-65535.slice", OwnerUID: -1}},
		{"/user.slice/user-4294967295.slice", Unit{Slice: "user-4294967295.slice", OwnerUID: -1}},
		{"/user.slice/user-99999999999.slice", Unit{Slice: "user-99999999999.slice", OwnerUID: -1}},
		{"/capsule.slice/capsule@web.service/app.slice/a.service", Unit{Name: "capsule@web.service", Slice: "capsule.slice", UserUnit: "a.service", UserSlice: "app.slice", OwnerUID: -1}},

		// A container's own systemd is not the host's.
		{"/docker/1f2e/system.slice/ssh.service", Unit{Slice: "-.slice", OwnerUID: -1}},
		{"/system.slice/docker-1f2e.scope/system.slice/ssh.service", Unit{Name: "docker-1f2e.scope", Slice: "system.slice", OwnerUID: -1}},

		// What is above a cgroup namespace's root is not known.
		{"/..", Unit{OwnerUID: -1}},
		{"/../../system.slice/ssh.service", Unit{OwnerUID: -1}},
		{"/..foo.slice/a.service", Unit{Name: "a.service", Slice: "..foo.slice", OwnerUID: -1}},
	}
	for _, tt := range tests {
		if got := UnitOf(tt.path); got != tt.want {
			t.Errorf("UnitOf(%q):\n got %+v\nwant %+v", tt.path, got, tt.want)
		}
	}
}

func TestUnitOfAllocations(t *testing.T) {
	for _, row := range pathRows(t) {
		if n := testing.AllocsPerRun(10, func() { UnitOf(row.path) }); n != 0 {
			t.Errorf("UnitOf(%q): %v allocations", row.path, n)
		}
	}
}

func TestUnescape(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"my-box", "my-box"},
		{`my\x2dbox`, "my-box"},
		{`\x2d`, "-"},
		{`a\x5cx2d`, `a\x2d`},
		{`a\x2`, `a\x2`},
		{`a\xzzb`, `a\xzzb`},
		{`a\`, `a\`},
		{`\xff\x00`, "\xff\x00"},
	}
	for _, tt := range tests {
		if got := unescape(tt.in); got != tt.want {
			t.Errorf("unescape(%q): got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzUnitOf(f *testing.F) {
	for _, path := range []string{
		"/", "/init.scope", "/system.slice/_cpu.service/x", "/../x",
		"/user.slice/user-1000.slice/user@1000.service/app.slice/a@b.service",
		"/user.slice/user-1000.slice/session-c1.scope",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u := UnitOf(path)
		for _, name := range []string{u.Name, u.UserUnit, u.Session} {
			if !strings.Contains(path, name) {
				t.Errorf("%q is not in the path", name)
			}
		}
		for _, slice := range []string{u.Slice, u.UserSlice} {
			if slice != RootSlice && !strings.Contains(path, slice) {
				t.Errorf("slice %q is not in the path", slice)
			}
		}
		if u.UserUnit != "" && (u.Name == "" || u.UserSlice == "") {
			t.Errorf("a user's unit without a user's systemd: %+v", u)
		}
		if u.OwnerUID < -1 {
			t.Errorf("owner %d", u.OwnerUID)
		}
	})
}

func BenchmarkUnitOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		UnitOf("/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-1234.scope")
	}
}

func ExampleUnitOf() {
	u := UnitOf("/user.slice/user-1000.slice/user@1000.service/app.slice/pipewire.service")
	fmt.Println(u.UserUnit, u.OwnerUID)
	// Output: pipewire.service 1000
}
