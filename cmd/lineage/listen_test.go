package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSocket(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the lines are of a little-endian machine")
	}
	tests := []struct {
		line, address string
		state         uint8
		inode         uint64
	}{
		{"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3456 1 ffff 100 0 0 10 0", "127.0.0.1:8080", tcpListen, 3456},
		{"   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0", "[::1]:80", tcpListen, 99},
		{"  12: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 7 2 ffff 0", "0.0.0.0:53", tcpClose, 7},
	}
	for _, test := range tests {
		s, ok := parseSocket(test.line)
		if !ok || s.address.String() != test.address || s.state != test.state || s.inode != test.inode {
			t.Errorf("%+v, %v of %s", s, ok, test.line)
		}
	}
	for _, line := range []string{
		"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
		"   0: 0100007F:1F90 00000000:0000 06 00000000:00000000 00:00000000 00000000     0        0 0 1 ffff", // no socket
		"   0: 0100007:1F90 00000000:0000 0A 0:0 0:0 0 0 0 5 1",
		"   0: 0100007F:1F9Z 00000000:0000 0A 0:0 0:0 0 0 0 5 1",
		"   0: 0100007F 00000000:0000 0A 0:0 0:0 0 0 0 5 1",
	} {
		if s, ok := parseSocket(line); ok {
			t.Errorf("%+v of %q", s, line)
		}
	}
}

func FuzzParseSocket(f *testing.F) {
	f.Add("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3456 1 ffff 100 0 0 10 0")
	f.Add("   1: 00000000000000000000000001000000:0050 0:0 0A 0:0 0:0 0 0 0 99 1 0")
	f.Fuzz(func(t *testing.T, line string) {
		if s, ok := parseSocket(line); ok && (!s.address.IsValid() || s.inode == 0) {
			t.Errorf("%+v of %q", s, line)
		}
	})
}

// TestListeners reads a folder that looks like /proc, with a socket that two
// processes hold and one that nobody does.
func TestListeners(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the lines are of a little-endian machine")
	}
	proc := t.TempDir()
	line := func(address, state, inode string) string {
		return "  0: " + address + " 00000000:0000 " + state + " 0:0 0:0 0 0 0 " + inode + " 1\n"
	}
	write := func(name string, lines ...string) {
		file := filepath.Join(proc, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("  sl\n"+strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		file := filepath.Join(proc, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, file); err != nil {
			t.Fatal(err)
		}
	}
	write("self/net/tcp", line("00000000:0050", "0A", "100"), line("0100007F:0050", "01", "101"), line("00000000:0051", "0A", "102"))
	link("net:[1]", "self/ns/net")
	link("net:[1]", "10/ns/net")
	link("socket:[100]", "10/fd/3")
	link("socket:[100]", "11/fd/4")
	link("socket:[101]", "12/fd/4")
	link("/dev/null", "12/fd/5")
	// Another network namespace.
	link("net:[2]", "20/ns/net")
	write("20/net/udp", line("0100007F:0050", "07", "200"))

	got, err := listeners(proc, []int{10, 11, 12, 20}, 80)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.holders[10]) != 1 || got.holders[10][0] != "tcp 0.0.0.0:80" || len(got.holders[11]) != 1 || len(got.holders[12]) != 0 {
		t.Errorf("holders = %v", got.holders)
	}
	if len(got.unheld) != 1 || got.unheld[0] != "udp 127.0.0.1:80" {
		t.Errorf("unheld = %v", got.unheld)
	}
	if got.denied {
		t.Error("nothing was denied")
	}
	if _, err := listeners(t.TempDir(), nil, 80); err == nil {
		t.Error("no error where no sockets could be read")
	}
}
