package systemd

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// A bus is a message bus of the test's own.
type bus struct {
	socket string
	stop   func()
}

// startBus starts dbus-daemon on the socket.
func startBus(t *testing.T, socket string) *bus {
	t.Helper()
	linuxtest.Need(t, linuxtest.DBus)
	config := filepath.Join(t.TempDir(), "bus.conf")
	text := fmt.Sprintf(`<busconfig>
<listen>unix:path=%s</listen>
<auth>EXTERNAL</auth>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
</policy>
</busconfig>`, socket)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &bus{socket: socket}
	b.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(b.stop)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.stop()
		t.Fatalf("dbus-daemon: %q, %v, %s", line, err, &stderr)
	}
	return b
}

// A fake is a systemd of the test's own.
type fake struct {
	conn *dbus.Conn

	mu           sync.Mutex
	descriptions map[string]any // by the name of the unit
	paths        map[string]dbus.ObjectPath
	asked        map[string]int
	hang         chan struct{} // answers wait until it is closed, nil for not
}

// startSystemd puts a fake on the bus.
func startSystemd(t *testing.T, b *bus, descriptions map[string]any) *fake {
	t.Helper()
	conn, err := dbus.Connect("unix:path=" + b.socket)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{conn: conn, descriptions: descriptions, paths: map[string]dbus.ObjectPath{}, asked: map[string]int{}}
	t.Cleanup(f.stop)
	for _, err := range []error{
		conn.Export(f, managerAt, managerAPI),
		conn.ExportSubtree(properties1{f}, managerAt+"/unit", properties),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := conn.RequestName(busName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
	return f
}

func (f *fake) stop() { _ = f.conn.Close() }

func (f *fake) set(name string, description any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.descriptions[name] = description
}

func (f *fake) setPath(name string, path dbus.ObjectPath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paths[name] = path
}

// hangFrom makes answers wait until the function that it returns is called.
func (f *fake) hangFrom() (goOn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hang := make(chan struct{})
	f.hang = hang
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.hang == hang {
			f.hang = nil
			close(hang)
		}
	}
}

func (f *fake) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[name]
}

// pathOf is how the fake names the objects of units.
func pathOf(name string) dbus.ObjectPath {
	return dbus.ObjectPath(unitsAt + fmt.Sprintf("x%x", name))
}

// GetUnit is org.freedesktop.systemd1.Manager.GetUnit.
func (f *fake) GetUnit(name string) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	f.asked[name]++
	_, ok := f.descriptions[name]
	path, hang := f.paths[name], f.hang
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if !ok {
		return "", dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit " + name + " not loaded."})
	}
	if path == "" {
		path = pathOf(name)
	}
	return path, nil
}

// properties1 is org.freedesktop.DBus.Properties of the units.
type properties1 struct{ *fake }

// Get is org.freedesktop.DBus.Properties.Get.
func (p properties1) Get(m dbus.Message, api, property string) (dbus.Variant, *dbus.Error) {
	path, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, description := range p.descriptions {
		if pathOf(name) == path && api == unitAPI && property == "Description" {
			return dbus.MakeVariant(description), nil
		}
	}
	return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownObject", []any{"Unknown object."})
}

// liar is a bus that says something else than a bus says: each connection gets
// the text, and is then read until it ends.
func liar(t *testing.T, socket, text string, more bool) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				for {
					if _, err := strings.NewReader(text).WriteTo(c); err != nil {
						return
					}
					if !more {
						break
					}
				}
				for buf := make([]byte, 4096); ; {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			})
		}
	})
	stop = sync.OnceFunc(func() {
		_ = l.Close()
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	return stop
}
