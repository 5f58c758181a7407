package otlp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// builds is where the Collector is built, once.
var builds struct {
	once   sync.Once
	folder string
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if builds.folder != "" {
		if err := os.RemoveAll(builds.folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// program returns the Collector's path.
func program(t *testing.T) string {
	t.Helper()
	builds.once.Do(func() {
		//nolint:usetesting // other tests use it too
		if builds.folder, builds.err = os.MkdirTemp("", "otelcol-"); builds.err != nil {
			return
		}
		c := exec.Command("go", "build", "-o", builds.folder, ".")
		c.Dir = "../tools/otelcol"
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			builds.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if builds.err != nil {
		linuxtest.Lack(t, linuxtest.Otelcol, builds.err.Error())
	}
	return filepath.Join(builds.folder, "otelcol")
}

// A collector is a place where a Collector listens, or does not, and the file that
// it writes.
type collector struct {
	t       *testing.T
	file    string
	address string
	running *exec.Cmd
}

// newCollector returns one that runs.
func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{t: t, file: filepath.Join(t.TempDir(), "received"), address: "127.0.0.1:0"}
	c.start()
	t.Cleanup(c.kill)
	return c
}

func (c *collector) url() string { return "http://" + c.address }

var listens = regexp.MustCompile(`Starting HTTP server.*"endpoint": "([^"]+)"`)

// start starts it, where it was before, and waits until it is ready.
func (c *collector) start() {
	c.t.Helper()
	cmd := exec.Command(program(c.t), "-listen", c.address, "-file", c.file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.running = cmd
	var log strings.Builder
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		fmt.Fprintln(&log, lines.Text())
		if m := listens.FindStringSubmatch(lines.Text()); m != nil {
			c.address = m[1]
		}
		if strings.Contains(lines.Text(), "Everything is ready") {
			go func() {
				for lines.Scan() { // what it logs is not kept
					continue
				}
			}()
			return
		}
	}
	c.t.Fatalf("the Collector did not start: %v\n%s", cmd.Wait(), log.String())
}

// kill ends it, where it runs, and gives it no time for anything.
func (c *collector) kill() {
	if c.running == nil {
		return
	}
	_ = c.running.Process.Kill()
	_ = c.running.Wait()
	c.running = nil
}

// An arrival is a log record as the Collector got it.
type arrival struct {
	name, severity, body string
	at, observed         time.Time
	attributes, resource map[string]any
	scope                string
	request              int // the number of the request that it came with
}

// has reports whether the record has the attribute with the value.
func (a *arrival) has(key string, value any) bool {
	return fmt.Sprint(a.attributes[key]) == fmt.Sprint(value)
}

// pid is the PID of its process.
func (a *arrival) pid() int {
	n, _ := a.attributes["process.pid"].(int64)
	return int(n)
}

// received returns what has arrived so far.
func (c *collector) received() (list []arrival) {
	c.t.Helper()
	text, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	for n, line := range bytes.Split(text, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var request struct {
			ResourceLogs []struct {
				Resource  struct{ Attributes pairs }
				ScopeLogs []struct {
					Scope      struct{ Name string }
					LogRecords []struct {
						TimeUnixNano, ObservedTimeUnixNano, SeverityText, EventName string
						Body                                                        value
						Attributes                                                  pairs
					}
				}
			}
		}
		if err := json.Unmarshal(line, &request); err != nil {
			c.t.Fatalf("%v: %s", err, line)
		}
		for _, r := range request.ResourceLogs {
			for _, s := range r.ScopeLogs {
				for _, l := range s.LogRecords {
					body, _ := l.Body.any().(string)
					list = append(list, arrival{
						name: l.EventName, severity: l.SeverityText, body: body, at: unixNano(l.TimeUnixNano), observed: unixNano(l.ObservedTimeUnixNano),
						attributes: l.Attributes.all(), resource: r.Resource.Attributes.all(), scope: s.Scope.Name, request: n,
					})
				}
			}
		}
	}
	return list
}

func unixNano(text string) time.Time {
	n, _ := strconv.ParseInt(text, 10, 64)
	return time.Unix(0, n)
}

// pairs and value are as the JSON of OTLP has them.
type pairs []struct {
	Key   string
	Value value
}

func (p pairs) all() map[string]any {
	m := map[string]any{}
	for _, a := range p {
		m[a.Key] = a.Value.any()
	}
	return m
}

type value struct {
	StringValue *string
	IntValue    *string
	BoolValue   *bool
	DoubleValue *float64
	ArrayValue  *struct{ Values []value }
}

func (v *value) any() any {
	switch {
	case v.StringValue != nil:
		return *v.StringValue
	case v.IntValue != nil:
		n, _ := strconv.ParseInt(*v.IntValue, 10, 64)
		return n
	case v.BoolValue != nil:
		return *v.BoolValue
	case v.DoubleValue != nil:
		return *v.DoubleValue
	case v.ArrayValue != nil:
		list := []any{}
		for _, e := range v.ArrayValue.Values {
			list = append(list, e.any())
		}
		return list
	}
	return nil
}

// await waits until done reports true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	enough := time.After(time.Minute)
	for !done() {
		select {
		case <-again.C:
		case <-enough:
			t.Fatalf("waiting until %s", what)
		}
	}
}
