package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// straceFlags have strace(1) write what readStrace reads: who made whom, what ran
// and how it ended, with every argument whole and in hexadecimal. Without the
// signals it would leave out the ends by one as well.
func straceFlags(file string) []string {
	return []string{"-f", "-o", file, "-xx", "-s", "200000", "-e", "trace=process"}
}

// straced is a process as strace has seen it.
type straced struct {
	pid     int
	creator int // its place, -1 of the first
	execs   []stracedExec
	ended   bool
	status  syscall.WaitStatus
}

// stracedExec is an execve(2) that was not refused.
type stracedExec struct {
	file string
	args []string
}

// straceLine is a line of the log: what a thread did, the two halves of a call
// that others came between put together at the place of the second.
type straceLine struct {
	tid    int
	call   string // as in "execve", empty of an end
	args   string
	result string
	end    string // as in "exited with 0"
}

// readStrace reads a log of strace. The processes are in the order in which they
// are first told of.
func readStrace(log io.Reader) ([]straced, error) {
	lines, err := straceLines(log)
	if err != nil {
		return nil, err
	}
	type birth struct {
		tid    int // of the maker
		thread bool
	}
	births := map[int][]birth{} // by TID, one for each time that it was given away
	for _, l := range lines {
		if child, ok := l.made(); ok {
			births[child] = append(births[child], birth{l.tid, strings.Contains(l.args, "CLONE_THREAD")})
		}
	}
	var all []straced
	of := map[int]int{}    // by TID of those that live, the place of the process
	lives := map[int]int{} // by TID, how many there were
	begin := func(tid int) error {
		p := straced{pid: tid, creator: -1}
		if len(all) > 0 {
			if lives[tid] >= len(births[tid]) {
				return fmt.Errorf("nobody has made %d", tid)
			}
			b := births[tid][lives[tid]]
			lives[tid]++
			maker, ok := of[b.tid]
			if !ok {
				return fmt.Errorf("%d was made by %d, which has ended", tid, b.tid)
			}
			if b.thread {
				of[tid] = maker
				return nil
			}
			p.creator = maker
		}
		of[tid] = len(all)
		all = append(all, p)
		return nil
	}
	given := map[int]int{} // by TID, how often a call has returned it
	for _, l := range lines {
		if _, ok := of[l.tid]; !ok { // what it does may be told before the call that made it returns
			if err := begin(l.tid); err != nil {
				return nil, err
			}
		}
		if child, ok := l.made(); ok {
			given[child]++
			if lives[child] < given[child] {
				if err := begin(child); err != nil {
					return nil, err
				}
			}
		}
		if err := l.apply(&all[of[l.tid]], of); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// straceLines reads the lines of a log.
func straceLines(log io.Reader) ([]straceLine, error) {
	var lines []straceLine
	begun := map[int]string{} // by TID, the first half of its call
	in := bufio.NewScanner(log)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		number, text, _ := strings.Cut(in.Text(), " ")
		tid, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", in.Text(), err)
		}
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "--- ") {
			continue // a signal
		}
		if end, ok := strings.CutPrefix(text, "+++ "); ok {
			end = strings.TrimSuffix(end, " +++")
			var by int
			if _, err := fmt.Sscanf(end, "superseded by execve in pid %d", &by); err == nil {
				begun[tid] = begun[by] // which goes on under this one's number
			}
			lines = append(lines, straceLine{tid: tid, end: end})
			continue
		}
		if _, rest, ok := strings.Cut(text, " resumed>"); ok && strings.HasPrefix(text, "<... ") {
			text = begun[tid] + rest
		}
		if first, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
			begun[tid] = first
			continue
		}
		call, args, ok := strings.Cut(text, "(")
		at := strings.LastIndex(args, " = ")
		if !ok || at < 0 {
			return nil, fmt.Errorf("%q is no call", in.Text())
		}
		lines = append(lines, straceLine{tid: tid, call: call, args: args[:at], result: args[at+3:]})
	}
	return lines, in.Err()
}

// made returns the TID of what a call made.
func (l *straceLine) made() (tid int, ok bool) {
	switch l.call {
	case "fork", "vfork", "clone", "clone3":
		tid, err := strconv.Atoi(l.result)
		return tid, err == nil && tid > 0
	}
	return 0, false
}

// apply has a process do what a line tells. Of is the processes of the threads.
func (l *straceLine) apply(p *straced, of map[int]int) error {
	switch {
	case strings.HasPrefix(l.call, "execve") && l.result == "0":
		x, err := l.exec()
		p.execs = append(p.execs, x)
		return err
	case l.end == "":
		return nil
	}
	var by int
	if _, err := fmt.Sscanf(l.end, "superseded by execve in pid %d", &by); err == nil {
		delete(of, by)
		return nil
	}
	delete(of, l.tid)
	if l.tid != p.pid {
		return nil // a thread
	}
	var code int
	p.ended = true
	if _, err := fmt.Sscanf(l.end, "exited with %d", &code); err == nil {
		p.status = syscall.WaitStatus(code << 8)
		return nil
	}
	name, core := strings.CutSuffix(strings.TrimPrefix(l.end, "killed by "), " (core dumped)")
	number := unix.SignalNum(name)
	if number == 0 {
		return fmt.Errorf("%d has %q", l.tid, l.end)
	}
	p.status = syscall.WaitStatus(number)
	if core {
		p.status |= 0x80
	}
	return nil
}

var straceString = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?`)

// exec returns the file and the arguments of an execve.
func (l *straceLine) exec() (x stracedExec, err error) {
	text, _, _ := strings.Cut(l.args, "]")
	for i, found := range straceString.FindAllStringSubmatch(text, -1) {
		raw, err := hex.DecodeString(strings.ReplaceAll(found[1], `\x`, ""))
		switch {
		case err != nil:
			return x, err
		case found[2] != "":
			return x, fmt.Errorf("strace has cut an argument of %d", l.tid)
		case i == 0:
			x.file = string(raw)
		default:
			x.args = append(x.args, string(raw))
		}
	}
	return x, nil
}

// TestReadStrace reads what a build does not have, and what it seldom has.
func TestReadStrace(t *testing.T) {
	const log = `10  execve("\x2f\x61", ["\x61", "\x3d\x5d\x22", ""], 0x1 /* 3 vars */) = 0
10  vfork( <unfinished ...>
11  execve("\x2f\x6e", ["\x6e"], 0x1 /* 3 vars */) = -1 ENOENT (No such file or directory)
11  execve("\x2f\x62", ["\x62"], 0x1 /* 3 vars */ <unfinished ...>
10  <... vfork resumed>)              = 11
10  wait4(-1,  <unfinished ...>
11  <... execve resumed>)             = 0
11  clone3({flags=CLONE_VM|CLONE_VFORK|CLONE_CLEAR_SIGHAND, exit_signal=SIGCHLD, stack=0x1, stack_size=0x9000}, 88 <unfinished ...>
12  exit_group(1)                     = ?
12  +++ exited with 1 +++
11  <... clone3 resumed>)             = 12
11  clone3({flags=CLONE_VM|CLONE_SIGHAND|CLONE_THREAD, child_tid=0x1, exit_signal=0} => {parent_tid=[13]}, 88) = 13
13  clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x1 <unfinished ...>
12  exit_group(2)                     = ?
13  <... clone resumed>)              = 12
12  +++ killed by SIGSEGV (core dumped) +++
13  execve("\x2f\x63", ["\x63"], 0x1 /* 3 vars */ <unfinished ...>
11  +++ superseded by execve in pid 13 +++
11  <... execve resumed>)             = 0
11  fork()                            = 13
13  +++ killed by SIGTERM +++
11  +++ exited with 3 +++
10  <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 11
10  exit_group(0)                     = ?
10  +++ exited with 0 +++
`
	want := []straced{
		{10, -1, []stracedExec{{"/a", []string{"a", `=]"`, ""}}}, true, 0},
		{11, 0, []stracedExec{{"/b", []string{"b"}}, {"/c", []string{"c"}}}, true, 3 << 8},
		{12, 1, nil, true, 1 << 8},
		{12, 1, nil, true, syscall.WaitStatus(syscall.SIGSEGV) | 0x80},
		{13, 1, nil, true, syscall.WaitStatus(syscall.SIGTERM)},
	}
	got, err := readStrace(strings.NewReader(log))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, not %+v: %v", got, want, err)
	}
	for _, bad := range []string{
		"10  fork() = 11\n12  exit(0) = ?\n", "x\n", "10  fork\n", "10  +++ killed by SIGNOTHING +++\n",
		"10  execve(\"\\x61\", [\"\\x61\"...], 0x1) = 0\n",
	} {
		if got, err := readStrace(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}
