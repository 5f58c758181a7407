package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listening is who holds the sockets that are bound to a port.
type listening struct {
	// holders are the addresses that each process holds, by PID: "tcp
	// 0.0.0.0:80".
	holders map[int][]string
	// unheld are the addresses that no process was found to hold.
	unheld []string
	// denied says that the descriptors of some process may not be read.
	denied bool
}

// listeners finds which of the processes hold a socket that listens on a TCP
// port, or has a UDP port and no peer, in any network namespace that can be
// seen.
func listeners(proc string, pids []int, port uint16) (listening, error) {
	l := listening{holders: map[int][]string{}}
	sockets := map[uint64]string{} // address by inode
	var readAny error = fs.ErrNotExist
	seen := map[string]bool{}
	for _, who := range append([]string{"self", "1"}, decimals(pids)...) {
		namespace, err := os.Readlink(filepath.Join(proc, who, "ns/net"))
		if err != nil && who != "self" && who != "1" || err == nil && seen[namespace] {
			continue
		}
		seen[namespace] = true
		for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
			err := readSockets(filepath.Join(proc, who, "net", protocol), protocol, port, sockets)
			if err == nil {
				readAny = nil
			} else if readAny != nil && !errors.Is(err, fs.ErrNotExist) {
				readAny = err
			}
		}
	}
	if readAny != nil {
		return l, fmt.Errorf("reading the sockets of this host: %w", readAny)
	}
	if len(sockets) == 0 {
		return l, nil
	}
	held := map[uint64]bool{}
	for _, pid := range pids {
		inodes, err := socketsOf(proc, pid)
		l.denied = l.denied || errors.Is(err, fs.ErrPermission)
		for inode := range inodes {
			if address, ok := sockets[inode]; ok {
				held[inode] = true
				l.holders[pid] = append(l.holders[pid], address)
			}
		}
		slices.Sort(l.holders[pid])
		l.holders[pid] = slices.Compact(l.holders[pid])
	}
	for inode, address := range sockets {
		if !held[inode] {
			l.unheld = append(l.unheld, address)
		}
	}
	slices.Sort(l.unheld)
	l.unheld = slices.Compact(l.unheld)
	return l, nil
}

func decimals(numbers []int) []string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return texts
}

// socketsOf returns the inodes of the sockets that a process has open.
func socketsOf(proc string, pid int) (map[uint64]bool, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid), "fd")
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	inodes := map[uint64]bool{}
	for _, name := range names {
		link, lerr := os.Readlink(filepath.Join(dir, name))
		if errors.Is(lerr, fs.ErrPermission) {
			err = lerr
		}
		number, isSocket := strings.CutPrefix(link, "socket:[")
		if !isSocket {
			continue
		}
		if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64); err == nil {
			inodes[inode] = true
		}
	}
	return inodes, err
}

// readSockets adds the sockets of one of the files of /proc/PID/net that are
// bound to the port to those known.
func readSockets(name, protocol string, port uint16, known map[uint64]string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return parseSockets(f, func(s socket) {
		if s.address.Port() == port && s.listens(protocol) {
			known[s.inode] = strings.TrimSuffix(protocol, "6") + " " + s.address.String()
		}
	})
}

// A socket is one line of /proc/net/tcp and its siblings (tcp4_seq_show,
// udp4_seq_show and those of version 6 in the kernel).
type socket struct {
	address netip.AddrPort
	state   uint8
	inode   uint64
}

// The states of sockets, from the kernel's tcp_states.h.
const (
	tcpClose  = 7 // of UDP: no peer
	tcpListen = 10
)

// listens reports whether anyone may send to the socket.
func (s socket) listens(protocol string) bool {
	if strings.HasPrefix(protocol, "udp") {
		return s.state == tcpClose
	}
	return s.state == tcpListen
}

// parseSockets reads the lines that can be read, and skips others: they are
// in a form of a later kernel.
func parseSockets(r io.Reader, yield func(socket)) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if s, ok := parseSocket(lines.Text()); ok {
			yield(s)
		}
	}
	return lines.Err()
}

func parseSocket(line string) (socket, bool) {
	// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
	fields := strings.Fields(line)
	if len(fields) < 10 {
		return socket{}, false
	}
	address, ok := parseAddress(fields[1])
	if !ok {
		return socket{}, false
	}
	state, err := strconv.ParseUint(fields[3], 16, 8)
	if err != nil {
		return socket{}, false
	}
	inode, err := strconv.ParseUint(fields[9], 10, 64)
	if err != nil || inode == 0 { // no socket any more, only a connection
		return socket{}, false
	}
	return socket{address, uint8(state), inode}, true
}

// parseAddress reads an address as the kernel writes it: words of 32 bits in
// the order of the machine, each in hexadecimal, and the port.
func parseAddress(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	if !ok || len(port) != 4 || len(host) != 8 && len(host) != 32 {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip, uint16(n)), ok
}
