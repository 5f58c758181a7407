// Package recordtest makes recordings for tests: of a build, as large as wanted
// and the same at each call, and of processes that mean harm.
package recordtest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// began is when each recording begins, on the boot clock.
const began = process.Instant(3600 * time.Second)

// builder makes up the processes of a build. Their Creator is a place in all
// until they are sorted.
type builder struct {
	all  []record.Process
	rand *rand.Rand
	jobs []process.Instant // when each job of make is free again
	pid  int
}

// Build returns a recording of about n processes, at least 8, of a make -j8: a
// make for each folder, below it shells, gcc, cc1 and as, and at the end of each
// folder collect2 and ld. Some fail, some are killed, one is a daemon that goes
// on; some ran in a container; a few creators are inferred or not known; events
// were lost once, and there is a limit.
func Build(n int) *record.Recording {
	b := &builder{rand: rand.New(rand.NewPCG(1, uint64(n))), jobs: make([]process.Instant, 8), pid: 4000}
	top := b.fork(-1, began+instant(300*time.Microsecond))
	b.exec(top, "/usr/bin/make", "make", "-j8", "all")
	now := b.all[top].Start + instant(4*time.Millisecond)
	for i := range b.jobs {
		b.jobs[i] = now
	}
	daemon := b.fork(top, now)
	b.exec(daemon, "/usr/lib/ccache/ccached", "ccached", "--socket", "/run/user/1000/ccached.sock")
	for folder := 0; len(b.all) < n; folder++ {
		b.folder(top, folder, n)
	}
	var end process.Instant
	for i := range b.all {
		end = max(end, b.all[i].End)
	}
	end += instant(3 * time.Millisecond)
	b.end(top, end, 2<<8)
	return b.recording(end + instant(time.Millisecond))
}

// folder builds one folder of sources.
func (b *builder) folder(top, folder, n int) {
	sub := b.fork(top, slices.Min(b.jobs))
	b.exec(sub, "/usr/bin/make", "make", "-C", fmt.Sprintf("src/mod%d", folder), "all")
	if folder%7 == 3 {
		b.all[sub].Container = "builder-" + fmt.Sprint(folder%3)
	}
	last := b.all[sub].Start
	for unit := 0; unit < 40 && len(b.all) < n-1; unit++ {
		last = max(last, b.unit(sub, folder, unit))
	}
	at := last + b.some(time.Millisecond)
	link := b.fork(sub, at)
	lib := fmt.Sprintf("mod%d.so", folder)
	b.exec(link, "/usr/lib/gcc/x86_64-linux-gnu/12/collect2", "collect2", "-shared", "-o", lib)
	ld := b.fork(link, at+b.some(2*time.Millisecond))
	b.exec(ld, "/usr/bin/ld", "ld", "-shared", "-plugin", "liblto_plugin.so", "-o", lib, "--as-needed", "-lc")
	b.end(ld, b.all[ld].Start+instant(time.Millisecond)+b.some(90*time.Millisecond), 0)
	b.end(link, b.all[ld].End+b.some(time.Millisecond), 0)
	b.end(sub, b.all[link].End+b.some(time.Millisecond), 0)
}

// unit compiles one file: sh runs gcc, which runs cc1 and as. It returns when
// that was done.
func (b *builder) unit(sub, folder, unit int) process.Instant {
	job := 0
	for i, free := range b.jobs {
		if free < b.jobs[job] {
			job = i
		}
	}
	source := fmt.Sprintf("src/mod%d/file%d.c", folder, unit)
	object := fmt.Sprintf("obj/mod%d/file%d.o", folder, unit)
	gcc := []string{"gcc", "-O2", "-g", "-Wall", "-Wextra", "-fPIC", "-DNAME=\"mod " + fmt.Sprint(folder) + "\"", "-Iinclude", "-c", "-o", object, source}
	sh := b.fork(sub, max(b.jobs[job], b.all[sub].Start+instant(time.Millisecond)))
	b.exec(sh, "/bin/sh", "sh", "-c", "test -d obj || mkdir obj; gcc -O2 -g -Wall -Wextra -fPIC -Iinclude -c -o "+object+" "+source)
	test := b.fork(sh, b.all[sh].Start+b.some(time.Millisecond)) // of the shell itself, without an exec
	b.end(test, b.all[test].Start+b.some(300*time.Microsecond), syscall.WaitStatus(b.rand.IntN(12)/11)<<8)
	driver := b.fork(sh, b.all[test].End+b.some(time.Millisecond))
	b.exec(driver, "/usr/bin/gcc", gcc...)
	cc1 := b.fork(driver, b.all[driver].Start+b.some(3*time.Millisecond))
	asm := fmt.Sprintf("/tmp/cc%06x.s", b.rand.IntN(1<<24))
	b.exec(cc1, "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", append([]string{"cc1", "-quiet", "-imultiarch", "x86_64-linux-gnu"}, append(gcc[1:8:8], "-o", asm, source)...)...)
	var status syscall.WaitStatus
	switch b.rand.IntN(150) {
	case 0:
		status = 1 << 8
	case 1:
		status = 0x80 | syscall.WaitStatus(syscall.SIGSEGV)
	}
	b.end(cc1, b.all[cc1].Start+instant(15*time.Millisecond)+b.some(400*time.Millisecond), status)
	done := b.all[cc1].End
	if status == 0 {
		as := b.fork(driver, done+b.some(time.Millisecond))
		b.exec(as, "/usr/bin/as", "as", "--64", "-o", object, asm)
		b.end(as, b.all[as].Start+instant(time.Millisecond)+b.some(20*time.Millisecond), 0)
		done = b.all[as].End
	} else {
		status = 1 << 8
	}
	b.end(driver, done+b.some(time.Millisecond), status)
	b.end(sh, b.all[driver].End+b.some(time.Millisecond), status)
	b.jobs[job] = b.all[sh].End + b.some(500*time.Microsecond)
	return b.all[sh].End
}

func instant(d time.Duration) process.Instant { return process.Instant(d) }

// some returns a time of up to limit.
func (b *builder) some(limit time.Duration) process.Instant {
	return 1 + process.Instant(b.rand.Int64N(int64(limit)))
}

func (b *builder) fork(creator int, at process.Instant) int {
	b.pid++
	p := record.Process{
		ID:      process.ID{PID: b.pid, Start: at, Inode: uint64(100000 + b.pid), Precision: process.Exact},
		Creator: creator, CreatorEvidence: process.Observed, Start: at, UID: 1000,
	}
	if creator >= 0 {
		p.Name, p.Container = b.all[creator].Name, b.all[creator].Container
	}
	b.all = append(b.all, p)
	return len(b.all) - 1
}

func (b *builder) exec(i int, file string, args ...string) {
	p := &b.all[i]
	p.Execs = append(p.Execs, record.Exec{At: p.Start + b.some(500*time.Microsecond), File: file, Args: args})
	p.Name = args[0]
}

func (b *builder) end(i int, at process.Instant, status syscall.WaitStatus) {
	p := &b.all[i]
	p.End = at
	busy := time.Duration(at-p.Start) * time.Duration(40+b.rand.IntN(55)) / 100
	p.Exit = process.Exit{Evidence: process.Observed, At: at, Status: status, Usage: process.Usage{
		Known: true, User: busy * 4 / 5, System: busy / 5,
		MaxRSS: uint64(1+b.rand.IntN(200)) << 20, ReadBytes: uint64(b.rand.IntN(1 << 20)), WrittenBytes: uint64(b.rand.IntN(1 << 22)),
	}}
}

// recording sorts the processes by start and takes some of what is known away.
func (b *builder) recording(ended process.Instant) *record.Recording {
	order := make([]int, len(b.all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(b.all[i].Start, b.all[j].Start) })
	place := make([]int, len(order))
	for to, from := range order {
		place[from] = to
	}
	r := &record.Recording{
		Header: record.Header{
			Version: 1, Command: []string{"make", "-j8", "all"}, Dir: "/home/user/project",
			Began: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), BeganAt: began,
			Host: "builder", Kernel: "6.1.0-32-amd64", BootID: "c0ffee00-0000-4000-8000-000000000000", CPUs: 8,
			Source: "bpf", Limits: []string{"Processes in other PID namespaces are told of as this one sees them."},
		},
		Processes: make([]record.Process, 0, len(order)),
		Losses:    []record.Loss{{Since: began + (ended-began)/2, Until: began + (ended-began)*51/100}},
		Ended:     ended,
	}
	for to, from := range order {
		p := b.all[from]
		if p.Creator >= 0 {
			p.Creator = place[p.Creator]
		}
		switch {
		case to > 0 && to%997 == 0:
			p.Creator, p.CreatorEvidence = -1, process.Unknown
		case to > 0 && to%211 == 0:
			p.CreatorEvidence = process.Inferred
			p.ID.Precision = process.ToTick
			p.Exit = process.Exit{Evidence: process.Scanned, At: p.End}
		}
		r.Processes = append(r.Processes, p)
	}
	return r
}
