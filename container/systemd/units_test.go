package systemd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// open opens Units that ask anew each time.
func open(t *testing.T, socket string) *Units {
	t.Helper()
	u := Open(Options{Socket: socket, Interval: 1, Timeout: time.Minute})
	t.Cleanup(func() { u.Close() })
	return u
}

// settle waits for all that was asked.
func settle(t *testing.T, u *Units) {
	t.Helper()
	if !u.Settle(t.Context()) {
		t.Fatal("it does not settle")
	}
}

// learn asks for a unit, waits, and asks again.
func learn(t *testing.T, u *Units, name string) (string, bool) {
	t.Helper()
	settle(t, u)
	u.Description(name)
	settle(t, u)
	return u.Description(name)
}

func want(t *testing.T, u *Units, name, description string) {
	t.Helper()
	if got, ok := learn(t, u, name); got != description || ok != (description != "") {
		t.Errorf("%s: %q, %v, want %q; %v", name, got, ok, description, u.Err())
	}
}

func TestDescription(t *testing.T) {
	b := startBus(t, filepath.Join(t.TempDir(), "bus"))
	long := strings.Repeat("x", longest)
	f := startSystemd(t, b, map[string]any{
		"ssh.service":       "OpenBSD Secure Shell server",
		`dev-a\x2db.device`: "/dev/a-b",
		"user@1000.service": "Le gestionnaire de François",
		"long.service":      long,
	})
	u := open(t, b.socket)
	if d, ok := u.Description("ssh.service"); ok {
		t.Errorf("known before anybody was asked: %q", d)
	}
	want(t, u, "ssh.service", "OpenBSD Secure Shell server")
	want(t, u, `dev-a\x2db.device`, "/dev/a-b")
	want(t, u, "user@1000.service", "Le gestionnaire de François")
	want(t, u, "long.service", long)
	want(t, u, "none.service", "")
	if err := u.Err(); err != nil {
		t.Error(err)
	}

	// What changes is learnt, and what is gone is kept.
	f.set("ssh.service", "another one")
	want(t, u, "ssh.service", "another one")
	f.mu.Lock()
	delete(f.descriptions, "ssh.service")
	f.mu.Unlock()
	want(t, u, "ssh.service", "another one")

	// What cannot be the name of a unit is nobody's business.
	for _, name := range []string{"", ".service", "a.", "a", "a b.service", "a/b.service", "ä.service", strings.Repeat("a", 248) + ".service", "a\x00.service"} {
		want(t, u, name, "")
		if f.count(name) != 0 {
			t.Errorf("%q was asked for", name)
		}
	}
	settle(t, u)
	if err := u.Close(); err != nil {
		t.Error(err)
	}
	if d, ok := u.Description("long.service"); !ok || d != long {
		t.Errorf("after Close: %q, %v", d, ok)
	}
	if d, ok := u.Description("other.service"); ok {
		t.Errorf("asked after Close: %q", d)
	}
}

// A unit is asked about once in the interval, whoever asks for it how often.
func TestAskedOnce(t *testing.T) {
	b := startBus(t, filepath.Join(t.TempDir(), "bus"))
	names := map[string]any{}
	for i := range 3 * mostAsked {
		names[fmt.Sprintf("run-%d.scope", i)] = fmt.Sprintf("the %dth", i)
	}
	f := startSystemd(t, b, names)
	u := Open(Options{Socket: b.socket, Interval: time.Hour, Timeout: time.Minute})
	defer u.Close()
	for range 3 {
		for name := range names {
			u.Description(name)
		}
		u.Description("none.scope")
		settle(t, u)
	}
	for name, description := range names {
		if d, ok := u.Description(name); !ok || d != description || f.count(name) != 1 {
			t.Errorf("%s: %q, %v, asked %d times", name, d, ok, f.count(name))
		}
	}
	if n := f.count("none.scope"); n != 1 {
		t.Errorf("what there is not was asked for %d times", n)
	}
}

// While systemd hangs, everything is answered at once; once it does no more, all
// is known.
func TestHang(t *testing.T) {
	b := startBus(t, filepath.Join(t.TempDir(), "bus"))
	f := startSystemd(t, b, map[string]any{"a.service": "A", "b.service": "B"})
	u := Open(Options{Socket: b.socket, Interval: 1, Timeout: 20 * time.Millisecond})
	defer u.Close()
	for _, ok := learn(t, u, "a.service"); !ok; _, ok = learn(t, u, "a.service") {
		// On a machine this busy an answer took more than the timeout.
	}
	settle(t, u)
	goOn := f.hangFrom()
	want(t, u, "b.service", "")
	settle(t, u)
	if err := u.Err(); !timedOut(err) {
		t.Errorf("%v, want the deadline to have passed", err)
	}
	if d, ok := u.Description("a.service"); !ok || d != "A" {
		t.Errorf("what was known: %q, %v", d, ok)
	}
	goOn()
	for _, ok := learn(t, u, "b.service"); !ok; _, ok = learn(t, u, "b.service") {
	}
	settle(t, u)

	// Close waits for nobody.
	slow := Open(Options{Socket: b.socket, Timeout: time.Hour})
	goOn = f.hangFrom()
	defer goOn()
	slow.Description("a.service")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if slow.Settle(ctx) {
		t.Error("it settles while systemd hangs")
	}
	if err := slow.Close(); err != nil {
		t.Error(err)
	}
	if !slow.Settle(t.Context()) {
		t.Error("once closed there is nothing to wait for")
	}
}

func TestNoBusAndNoSystemd(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	u := open(t, socket)
	want(t, u, "a.service", "")
	settle(t, u)
	if err := u.Err(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a bus: %v, want ErrNotExist", err)
	}
	// Each part comes, and goes, and comes back.
	for round := range 2 {
		b := startBus(t, socket)
		want(t, u, fmt.Sprintf("b%d.service", round), "")
		settle(t, u)
		if err := u.Err(); !errors.Is(err, ErrNoSystemd) {
			t.Errorf("without systemd: %v, want ErrNoSystemd", err)
		}
		f := startSystemd(t, b, map[string]any{"a.service": fmt.Sprintf("A%d", round)})
		want(t, u, "a.service", fmt.Sprintf("A%d", round))
		settle(t, u)
		if err := u.Err(); err != nil {
			t.Error(err)
		}
		f.stop()
		want(t, u, "a.service", fmt.Sprintf("A%d", round))
		b.stop()
		_ = os.Remove(socket)
		want(t, u, "a.service", fmt.Sprintf("A%d", round))
		settle(t, u)
		if u.Err() == nil {
			t.Error("no error without a bus")
		}
	}
}

// After a failure nobody is asked for a while.
func TestPatience(t *testing.T) {
	u := Open(Options{Socket: filepath.Join(t.TempDir(), "bus"), Interval: time.Hour})
	defer u.Close()
	asked := time.Now()
	u.Description("a.service")
	settle(t, u)
	u.mu.Lock()
	first, until := u.patience, u.notBefore
	u.mu.Unlock()
	if first != firstPatience || until.Before(asked.Add(firstPatience)) {
		t.Errorf("patience %v until %v", first, until)
	}
	u.mu.Lock()
	u.notBefore = time.Now().Add(time.Hour)
	u.mu.Unlock()
	for _, name := range []string{"a.service", "b.service"} {
		u.Description(name)
	}
	u.mu.Lock()
	if len(u.due) != 0 || len(u.units) != 1 {
		t.Errorf("due %v, %d units, while nobody is to be asked", u.due, len(u.units))
	}
	u.notBefore = time.Time{}
	u.mu.Unlock()
	u.Description("a.service")
	settle(t, u)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.patience != 2*first {
		t.Errorf("patience %v after a second failure", u.patience)
	}
}

// A systemd that answers something else describes nothing, and spoils nothing
// that is known.
func TestGarbage(t *testing.T) {
	b := startBus(t, filepath.Join(t.TempDir(), "bus"))
	f := startSystemd(t, b, map[string]any{"good.service": "good", "a.service": "x"})
	u := open(t, b.socket)
	want(t, u, "good.service", "good")
	for _, description := range []any{42, []string{"a"}, map[string]string{"a": "b"}, dbus.MakeVariant("x"), strings.Repeat("x", longest+1), strings.Repeat("x", 1<<20)} {
		f.set("a.service", description)
		want(t, u, "a.service", "")
		settle(t, u)
		if u.Err() == nil {
			t.Errorf("no error for %.20v", description)
		}
	}
	f.set("a.service", "x")
	for _, path := range []dbus.ObjectPath{"/", "/org/freedesktop/systemd1", "/elsewhere/unit/a"} {
		f.setPath("a.service", path)
		want(t, u, "a.service", "")
		settle(t, u)
		if err := u.Err(); !errors.Is(err, errAnswer) {
			t.Errorf("%s: %v, want errAnswer", path, err)
		}
	}
	f.setPath("a.service", "")
	want(t, u, "a.service", "x")
	want(t, u, "good.service", "good")
}

// A bus that is none is an error, however much it says.
func TestLyingBus(t *testing.T) {
	signal := message(t, 0)
	long := bytes.Clone(signal)
	binary.LittleEndian.PutUint32(long[4:], 1<<31)
	broken := bytes.Clone(signal)
	for i := headSize; i < len(broken); i++ {
		broken[i] = 0xFF
	}
	for name, text := range map[string]struct {
		text string
		more bool
	}{
		"refuses":                {"REJECTED EXTERNAL\r\n", false},
		"says something else":    {"HTTP/1.1 400 Bad Request\r\n\r\n", false},
		"never ends a line":      {strings.Repeat("x", 4096), true},
		"says nothing of D-Bus":  {"OK 1234\r\nnothing of D-Bus that is long enough", false},
		"announces a lot":        {"OK 1234\r\n" + string(long), false},
		"breaks a message":       {"OK 1234\r\n" + string(broken), false},
		"talks all the time":     {"OK 1234\r\n" + strings.Repeat(string(signal), mostOthers+1), false},
		"answers before a call":  {"OK 1234\r\n" + string(message(t, 1)) + string(message(t, 2)) + string(message(t, 3)), false},
		"answers with no string": {"OK 1234\r\n" + string(message(t, 1)) + string(message(t, 2)), false},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "bus")
			stop := liar(t, socket, text.text, text.more)
			u := open(t, socket)
			want(t, u, "a.service", "")
			settle(t, u)
			if err := u.Err(); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one in one line", err)
			}
			stop()
			_ = os.Remove(socket)
			startSystemd(t, startBus(t, socket), map[string]any{"a.service": "A"})
			want(t, u, "a.service", "A")
		})
	}
}

// A bus that takes the connection and says nothing delays nobody.
func TestSilentBus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	liar(t, socket, "", false)
	u := Open(Options{Socket: socket, Interval: 1, Timeout: time.Millisecond})
	defer u.Close()
	want(t, u, "a.service", "")
	settle(t, u)
	if err := u.Err(); !timedOut(err) {
		t.Errorf("%v, want the deadline to have passed", err)
	}
}

// timedOut reports whether the time for it had passed, to connect or to answer.
func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// message returns an answer without a body, or for 0 a signal.
func message(t testing.TB, serial uint32) []byte {
	t.Helper()
	m := dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(serial)}}
	if serial == 0 {
		m = dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath:      dbus.MakeVariant(dbus.ObjectPath("/a")),
			dbus.FieldInterface: dbus.MakeVariant("a.b"),
			dbus.FieldMember:    dbus.MakeVariant("C"),
		}}
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b.Bytes()[8:], 7)
	return b.Bytes()
}

// However many units are asked for, there is room for a stated number.
func TestBounds(t *testing.T) {
	u := Open(Options{Socket: filepath.Join(t.TempDir(), "bus"), Interval: time.Hour})
	u.Close() // nobody asks: what is due stays
	u.ctx = context.Background()
	for i := range 2 * mostUnits {
		u.Description(fmt.Sprintf("due-%d.service", i))
	}
	if len(u.units) != mostUnits || len(u.due) != mostUnits {
		t.Errorf("%d units and %d due, want %d", len(u.units), len(u.due), mostUnits)
	}
	for len(u.due) > 0 {
		names := u.take()
		for _, name := range names {
			u.learn(name, "a unit", true)
		}
		u.finish(names, nil)
	}
	u.Description("new.service")
	if len(u.units) != mostUnits || u.units["new.service"] == nil {
		t.Errorf("%d units, the new one among them %v", len(u.units), u.units["new.service"] != nil)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(message(f, 0))
	f.Add(message(f, 1))
	f.Add(append(message(f, 1), message(f, 2)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		m, err := read(r)
		if (m == nil) != (err != nil) || len(b)-r.Len() > mostBytes {
			t.Errorf("%v, %v, of %d bytes read", m, err, len(b)-r.Len())
		}
	})
}

// Asking costs a look at memory.
func BenchmarkDescription(b *testing.B) {
	u := Open(Options{Socket: filepath.Join(b.TempDir(), "bus")})
	defer u.Close()
	for b.Loop() {
		u.Description("ssh.service")
	}
}
