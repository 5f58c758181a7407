package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// asFromShell has no signal ignored by what the test starts, as by what is typed
// at a shell. Who started the test may have it otherwise: nohup(1), or a script
// with an ampersand.
func asFromShell(t *testing.T) {
	var ignored []os.Signal
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} { // Go's runtime handles all others
		if signal.Ignored(s) {
			ignored = append(ignored, s)
		}
	}
	if len(ignored) > 0 {
		handled := make(chan os.Signal, 1) // execve(2) resets what is handled, not what is ignored
		signal.Notify(handled, ignored...)
		t.Cleanup(func() {
			signal.Stop(handled)
			signal.Ignore(ignored...)
		})
	}
}

// recordCommand is lineage record with the flags of a command. It and what it
// starts are a process group, of which nothing is left where the test ends before
// lineage does.
func recordCommand(t *testing.T, file string, flags []string, command ...string) *exec.Cmd {
	t.Helper()
	asFromShell(t)
	c := exec.CommandContext(t.Context(), "/proc/self/exe", append(append([]string{"record", "-O", file}, flags...), command...)...)
	c.Args[0] = "lineage"
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	t.Cleanup(func() {
		if c.Process != nil && c.ProcessState == nil { // else the group may be another one's
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			_ = c.Wait()
		}
	})
	return c
}

// recorded runs a command under lineage record, and returns what was recorded and
// how lineage ended.
func recordedRun(t *testing.T, flags []string, command ...string) (*record.Recording, syscall.WaitStatus) {
	t.Helper()
	linuxtest.Quiet(t)
	file := filepath.Join(t.TempDir(), "r.lineage")
	c := recordCommand(t, file, flags, command...)
	var stderr strings.Builder
	c.Stderr = &stderr
	err := c.Run()
	if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if !strings.Contains(stderr.String(), "lineage: recorded ") {
		t.Errorf("it says %q", stderr.String())
	}
	return readTestRecording(t, file), c.ProcessState.Sys().(syscall.WaitStatus)
}

func readTestRecording(t *testing.T, file string) *record.Recording {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := record.Read(f, record.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// openTestRecording reads a recording that may be written yet, nil where nothing
// can be read.
func openTestRecording(f *os.File) *record.Recording {
	rec, _ := record.Read(f, record.ReadOptions{}) // what could be read counts
	return rec
}

// recordTree is the names of the processes of a recording, each in brackets after
// its maker: "sh(ls sh(cat))".
func recordTree(rec *record.Recording) string {
	children := map[int][]int{}
	for i := range rec.Processes {
		children[rec.Processes[i].Creator] = append(children[rec.Processes[i].Creator], i)
	}
	var draw func(list []int) string
	draw = func(list []int) string {
		var names []string
		for _, i := range list {
			name := rec.Processes[i].Name
			if below := draw(children[i]); below != "" {
				name += "(" + below + ")"
			}
			names = append(names, name)
		}
		return strings.Join(names, " ")
	}
	return draw(children[-1])
}

// anySource runs a test with each way to record that works here.
func anySource(t *testing.T, test func(t *testing.T, flags []string)) {
	for _, name := range []string{"bpf", "cnproc", "procfs"} {
		if name == "bpf" && !linuxtest.Has(linuxtest.BPF) || name == "cnproc" && !linuxtest.Has(linuxtest.Connector) {
			continue // procfs always works
		}
		t.Run(name, func(t *testing.T) { test(t, []string{"--source", name}) })
	}
}

// TestRecordStatus ends as the command does, which is recorded however short its life.
func TestRecordStatus(t *testing.T) {
	asFromShell(t)
	anySource(t, func(t *testing.T, flags []string) {
		for _, end := range []string{
			"exit 0", "exit 1", "exit 42", "exit 125", "exit 255",
			"kill -TERM $$", "kill -INT $$", "kill -KILL $$", "kill -SEGV $$", "kill -PIPE $$", "kill -QUIT $$", "kill -HUP $$", "kill -USR1 $$",
		} {
			bare := exec.Command("sh", "-c", "ulimit -c 0; "+end)
			_ = bare.Run() // its status is looked at
			want := bare.ProcessState.Sys().(syscall.WaitStatus)
			command := []string{"sh", "-c", "ulimit -c 0; " + end}
			rec, got := recordedRun(t, flags, command...)
			if got != want {
				t.Errorf("%s: %v, without lineage %v", end, got, want)
			}
			if root := rec.Processes[0]; root.Exit.Status != want || root.Exit.Evidence != process.Observed || root.Creator != -1 {
				t.Errorf("%s: recorded: %+v", end, root)
			} else if len(root.Execs) != 1 || !slices.Equal(root.Execs[0].Args, command) || root.Execs[0].File == "" {
				t.Errorf("%s: it ran %+v", end, root.Execs)
			}
			if rec.Ended == 0 {
				t.Errorf("%s: the recording has no end", end)
			}
		}
	})
}

// TestRecordCannotRun tells why there was nothing to record, and leaves no file.
func TestRecordCannotRun(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("echo \"$0 $1\""), 0o755); err != nil {
		t.Fatal(err)
	}
	plainFile := filepath.Join(dir, "plain")
	if err := os.WriteFile(plainFile, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/bin:/usr/bin") // directories that may not be read would make it 126
	for _, test := range []struct {
		status int
		args   []string
	}{
		{0, []string{"record", "-O", "FILE", "script", "-x"}}, // as execvp(3) has it
		{0, []string{"record", "-O", "FILE", "--", "script", "-x"}},
		{125, []string{"record"}},
		{125, []string{"record", "-O", "FILE", "--"}},
		{125, []string{"record", "-O", "FILE", "--bad", "true"}},
		{125, []string{"record", "-O", "FILE", "--format", "bad", "true"}},
		{125, []string{"record", "-O", "-", "true"}},
		{125, []string{"record", "-O", dir + "/none/file", "true"}},
		{125, []string{"record", "-O", "FILE", "--source", "none", "true"}},
		{126, []string{"record", "-O", "FILE", plainFile}},
		{126, []string{"record", "-O", "FILE", "plain"}},
		{126, []string{"record", "-O", "FILE", dir}},
		{127, []string{"record", "-O", "FILE", "no-such-command-at-all"}},
		{127, []string{"record", "-O", "FILE", dir + "/none"}},
		{127, []string{"record", "-O", "FILE", ""}},
	} {
		file := filepath.Join(t.TempDir(), "r.lineage")
		args := slices.Clone(test.args)
		if i := slices.Index(args, "FILE"); i >= 0 {
			args[i] = file
		}
		c := exec.Command("/proc/self/exe", args...)
		c.Args[0] = "lineage"
		c.Dir = dir
		var stdout, stderr strings.Builder
		c.Stdout, c.Stderr = &stdout, &stderr
		_ = c.Run() // its status is looked at
		if got := c.ProcessState.ExitCode(); got != test.status {
			t.Errorf("%q: status %d, not %d: %s", args, got, test.status, stderr.String())
		}
		_, err := os.Stat(file)
		if test.status == 0 && (err != nil || stdout.String() != script+" -x\n") {
			t.Errorf("%q: %v: %q", args, err, stdout.String())
		}
		if test.status != 0 && (err == nil || strings.Count(stderr.String(), "\n") != 1) {
			t.Errorf("%q: it leaves %v and says %q", args, err, stderr.String())
		}
	}
}

// TestRecordChangesNothing has the command say what it runs as and with, and
// compares that with what it says without lineage.
func TestRecordChangesNothing(t *testing.T) {
	const script = `cat; echo to stderr >&2; cat <&3; ls -l /proc/self/fd | grep -c pipe; pwd; umask; env | sort
		grep -E '^(Uid|Gid|Groups|SigBlk|SigIgn|SigCgt|NoNewPrivs|Cap|Cpus_allowed_list)' /proc/self/status
		cat /proc/self/limits /proc/self/oom_score_adj
		cut -d' ' -f 5,6,7,8,18,19 /proc/self/stat`
	asFromShell(t)
	run := func(args ...string) string {
		c := exec.CommandContext(t.Context(), "sh", args...)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(w, "from descriptor 3")
		w.Close()
		defer r.Close()
		c.ExtraFiles = []*os.File{r}
		c.Dir = t.TempDir()
		c.Env = append(os.Environ(), "A=b", "EMPTY=")
		c.Stdin = strings.NewReader("from stdin\n")
		var stdout, stderr strings.Builder
		c.Stdout, c.Stderr = &stdout, &stderr
		if err := c.Run(); err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		said, _, _ := strings.Cut(stderr.String(), "lineage: ")
		return strings.ReplaceAll(stdout.String(), c.Dir, "DIR") + said
	}
	anySource(t, func(t *testing.T, flags []string) {
		for _, before := range []string{"", "trap '' INT QUIT HUP;", "trap '' INT;", "ulimit -Sn 100;", "ulimit -l 8;", "umask 77;"} {
			file := filepath.Join(t.TempDir(), "r.lineage")
			want := run("-c", before+` exec sh -c "$0"`, script)
			got := run("-c", before+` exec lineage record -O "$1" "$2" "$3" -- sh -c "$0"`, script, file, flags[0], flags[1])
			if strings.HasPrefix(before, "trap '' INT;") { // Go takes one for both, see record
				want = ignoresInterrupt.ReplaceAllString(want, "${1}6")
			}
			if got != want {
				t.Errorf("%q: with lineage:\n%s\nwithout:\n%s", before, got, want)
			}
		}
	})
}

// ignoresInterrupt is SIGINT ignored and SIGQUIT not, whatever else is.
var ignoresInterrupt = regexp.MustCompile(`(?m)^(SigIgn:\t[0-9a-f]{15})2$`)

// TestRecordMembership records what descends from the command by creation, also
// what detaches itself, and nothing else.
func TestRecordMembership(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // strangers come and go meanwhile
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = exec.Command("true").Run()
			}
		}
	}()
	rec, _ := recordedRun(t, []string{"--wait"}, "sh", "-c", `
		ls / | cat >/dev/null
		sh -c 'setsid sh -c "(sleep 0.2; uname) >/dev/null 2>&1 </dev/null & " & '
		false
		true & wait; exec date >/dev/null`)
	close(stop)
	<-done
	const want = "date(ls cat sh(sh(uname(sleep))) sh)"
	if got := recordTree(rec); got != want {
		t.Errorf("recorded: %s, not %s", got, want)
	}
	for i := range rec.Processes {
		p := &rec.Processes[i]
		if p.Exit.Evidence != process.Observed || p.End < p.Start || i > 0 && (p.Creator < 0 || p.CreatorEvidence != process.Observed) {
			t.Errorf("%+v", p)
		}
	}
}
