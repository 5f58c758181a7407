package record

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/proclineage/lineage/process"
)

// build returns what a build with make and gcc of at least n processes looks
// like: shells that run the compiler's driver, which runs cc1 and as, with the
// command lines of a real one.
func build(n int) *Recording {
	random := rand.New(rand.NewPCG(1, 2))
	r := &Recording{Header: Header{Version: Version, Command: []string{"make", "-j8"}, Dir: "/home/user/src/program", Began: time.Date(2026, 11, 26, 13, 0, 0, 0, time.UTC),
		BeganAt: began, Host: "host", Kernel: "6.18.0", BootID: "1e9c1f5e-5f3d-4f0e-8ee8-3ac0c8d1c2f5", CPUs: 8, Source: "bpf"}}
	now, pid, inode := began, 48211, uint64(90120)
	add := func(creator int, file string, args ...string) int {
		now += process.Instant(200_000 + random.Int64N(3_000_000))
		pid, inode = pid+1+random.IntN(2), inode+1+random.Uint64N(2)
		start := now
		now += process.Instant(150_000 + random.Int64N(200_000))
		p := Process{ID: process.ID{PID: pid, Start: start, Inode: inode, Precision: process.Exact}, Creator: creator, Start: start, UID: 1000}
		if creator >= 0 {
			p.CreatorEvidence = process.Observed
		}
		p.Name = file[strings.LastIndexByte(file, '/')+1:]
		p.Execs = []Exec{{At: now, File: file, Args: args}}
		cpu := 500_000 + random.Int64N(80_000_000)
		p.End = now + process.Instant(cpu+random.Int64N(2_000_000))
		p.Exit = process.Exit{Evidence: process.Observed, At: p.End, Usage: process.Usage{Known: true, User: time.Duration(cpu * 8 / 10), System: time.Duration(cpu / 10),
			MaxRSS: uint64(1500+random.IntN(30_000)) << 12, WrittenBytes: uint64(random.IntN(30)) << 12}}
		if random.IntN(50) == 0 {
			p.Exit.Status = 0x100
		}
		r.Processes = append(r.Processes, p)
		return len(r.Processes) - 1
	}
	add(-1, "/usr/bin/make", "make", "-j8")
	for i := 0; len(r.Processes) < n; i++ {
		name := fmt.Sprintf("%s%d", []string{"lex", "parse", "emit", "table", "string"}[i%5], i/5)
		flags := []string{"-DHAVE_CONFIG_H", "-I.", "-I..", "-I../include", "-g", "-O2", "-Wall"}
		shell := add(0, "/bin/sh", "/bin/sh", "-c", "gcc "+strings.Join(flags, " ")+" -MT "+name+".o -MD -MP -MF .deps/"+name+".Tpo -c -o "+name+".o "+name+".c")
		gcc := add(shell, "/usr/bin/gcc", append(append([]string{"gcc"}, flags...), "-MT", name+".o", "-MD", "-MP", "-MF", ".deps/"+name+".Tpo", "-c", "-o", name+".o", name+".c")...)
		temporary := fmt.Sprintf("/tmp/cc%06x.s", random.Uint32N(1<<24))
		add(gcc, "/usr/libexec/gcc/x86_64-linux-gnu/12/cc1", "/usr/libexec/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-I", ".", "-I", "..", "-I", "../include", "-imultiarch", "x86_64-linux-gnu",
			"-MD", name+".d", "-MF", ".deps/"+name+".Tpo", "-MP", "-MT", name+".o", "-D", "HAVE_CONFIG_H", name+".c", "-quiet", "-dumpbase", name+".c", "-dumpbase-ext", ".c",
			"-mtune=generic", "-march=x86-64", "-g", "-O2", "-Wall", "-fasynchronous-unwind-tables", "-o", temporary)
		add(gcc, "/usr/bin/as", "as", "-I", ".", "-I", "..", "-I", "../include", "--gdwarf-5", "--64", "-o", name+".o", temporary)
		add(0, "/bin/mv", "mv", "-f", ".deps/"+name+".Tpo", ".deps/"+name+".Po")
	}
	r.Processes = r.Processes[:max(n, 1)]
	r.Ended = now + 1e9
	r.Processes[0].End, r.Processes[0].Exit.At = now+1e9-1, now+1e9-1
	return r
}
