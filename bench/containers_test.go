package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// TestContainers makes every measurement of containers once.
func TestContainers(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	linuxtest.Need(t, linuxtest.Cgroups)
	linuxtest.Need(t, linuxtest.BPF)
	needPrograms(t, "go", "ps", "pstree")
	program, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var s sheaf
	if err := s.containers(t.Context(), t.TempDir(), program, 2*inEach, 1, 1, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	for _, note := range s.Notes {
		t.Error(note)
	}
	contenders := map[string]int{}
	for _, r := range s.Results {
		contenders[r.Question]++
		if r.Nanoseconds.Median <= 0 || r.Processes != 2*inEach {
			t.Errorf("%s: %s: %+v", r.Question, r.Contender, r)
		}
	}
	for question, want := range map[string]int{byContainerText: 6, whyHostText: 4, whyInsideText: 4} {
		if got := contenders[question]; got != want {
			t.Errorf("%s: %d contenders, not %d", question, got, want)
		}
	}
	rules := 0
	for _, l := range s.Limits {
		// How many have their names depends on how soon a runtime answers.
		if l.Measured == nil || l.Measured.Median == 0 && !strings.Contains(l.Text, "with their names") {
			t.Errorf("%s: %v", l.Text, l.Measured)
		}
		if l.Rule != "" {
			rules++
		}
	}
	if rules != 3 {
		t.Errorf("%d limits, not 3", rules)
	}
}

func TestCgroups(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	linuxtest.Need(t, linuxtest.Cgroups)
	containers := newContainers(2)
	where, err := newCgroups([]string{containers[0].ID, containers[1].ID})
	if err != nil {
		t.Fatal(err)
	}
	own, err := truthGroup(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPopulation(order{Processes: 7, Chains: 2, Length: 3, Cgroups: where})
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]string{p.Head: own, p.Others[0]: own}
	for i, chain := range p.Chains {
		if len(chain) != 3 {
			t.Errorf("a chain of %d", len(chain))
		}
		for _, pid := range chain {
			want[pid] = "/docker/" + containers[i].ID
		}
	}
	for pid, group := range want {
		if got, err := truthGroup(pid); err != nil || !strings.HasSuffix(got, group) {
			t.Errorf("%d is in %q, not in %q, %v", pid, got, group, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range containers {
		if _, err := os.Stat(filepath.Join(where.Above, c.ID)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a cgroup is left: %v", err)
		}
	}
}

// TestNoCgroups has cgroups that cannot be made: the population is none, and
// nothing is left.
func TestNoCgroups(t *testing.T) {
	dir := t.TempDir() // which is no cgroup
	containers := newContainers(1)
	where := &cgroups{Home: dir, Above: filepath.Join(dir, "none", "docker"), IDs: []string{containers[0].ID}}
	if _, err := newPopulation(order{Processes: 3, Chains: 1, Length: 3, Cgroups: where}); err == nil || !strings.Contains(err.Error(), "a cgroup") {
		t.Errorf("no folder for cgroups: %v", err)
	}
	if err := where.try(); err == nil {
		t.Error("a cgroup where there is no folder for it")
	}
}

func TestContainerLine(t *testing.T) {
	for membership, want := range map[string]string{
		"0::/init.scope\n":                           "0::/init.scope",
		"5:memory:/\n3:cpu,cpuacct:/\n0::/a\n":       "3:cpu,cpuacct:/",
		"9:name=systemd:/\n3:cpu,cpuacct:/\n0::/a\n": "9:name=systemd:/",
	} {
		if got, err := containerLine(membership); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v", membership, got, err)
		}
	}
	if got, err := containerLine("5:memory:/\n0::/\n"); err == nil {
		t.Errorf("of no container group: %v", got)
	}
}

// ask asks the daemon at the socket as Docker is asked.
func ask(t *testing.T, socket, path string) (answer string, code int) {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Api-Version"); got != "1.41" {
		t.Errorf("%s: version %q of the API", path, got)
	}
	return b.String(), resp.StatusCode
}

func TestDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	containers := newContainers(2)
	containers[1].PID = 77
	d, err := newDaemon(engine{Socket: socket, Containers: containers})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"/_ping":                        {"OK"},
		"/v1.41/version":                {`"ApiVersion":"1.41"`},
		"/v1.41/containers/json?all=1":  {containers[0].ID, `"/bench-0000"`, containers[1].ID, `"/bench-0001"`, image},
		"/containers/json":              {containers[0].ID},
		inspectPath(containers[1].ID):   {containers[1].ID, `"Pid":77`, image},
		inspectPath("bench-0000"):       nil,
		inspectPath(containers[0].Name): nil,
	} {
		answer, code := ask(t, socket, path)
		if (code == http.StatusOK) != (want != nil) {
			t.Errorf("%s: status %d", path, code)
		}
		for _, part := range want {
			if !strings.Contains(answer, part) {
				t.Errorf("%s: no %s in %.200q", path, part, answer)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	if _, err := newDaemon(engine{Socket: filepath.Join(t.TempDir(), "none", "s")}); err == nil {
		t.Error("a daemon that cannot listen")
	}
}

func inspectPath(id string) string { return "/v1.41/containers/" + id + "/json" }

func TestDaemonHangs(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	d, err := newDaemon(engine{Socket: socket, Hangs: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it answers: %d bytes, %v", n, err)
	}
	if err := d.Close(); err != nil { // also while one waits for it
		t.Error(err)
	}
}

func TestCheckTree(t *testing.T) {
	h := &harbour{containers: newContainers(2)}
	id := h.containers[1].ID
	inside := strings.Repeat("  sleeper\n", inEach)
	first := "container bench-0000 (image nginx:1.27)  docker, 0123456789ab, 20 processes\n" + inside
	second := "container " + id + "  docker, 20 processes\n" + inside
	rest := "\ncontainer db  docker, 1 process\n  sleeper\n\nhost  in no container, 2 processes\n  sleeper\n"
	if named, err := h.check(first + "\n" + second + rest); named != 1 || err != nil {
		t.Errorf("%d have names, %v", named, err)
	}
	for _, text := range []string{
		"", first, first + first + second,
		first + strings.Replace(second, "  sleeper\n", "", 1) + rest,
		first + strings.Replace(second, "20", "19", 1),
		strings.Replace(first, image, "other", 1) + second,
	} {
		if _, err := h.check(text); err == nil {
			t.Errorf("right: %.300q", text)
		}
	}
}
