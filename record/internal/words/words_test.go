package words

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

func TestCommand(t *testing.T) {
	args := []string{"cc", "-DX=1", "a b.c"}
	if got, want := Command(args, false), record.Shell(args); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := Command(args, true), record.Shell(args)+" …"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestShellReads gives commands back to bash, which must get what they were.
func TestShellReads(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"", " ", "a'b", `\`, "$(id)", "`id`", "é", "\xc3", "\n", "\t\r", "a\x01b1", "\u202eabc", "\U000e0001f", "~", "{a,b}", "!!", "a\\'\n"}
	out, err := exec.Command(bash, "-c", "export LC_ALL=C.UTF-8; printf '%s\\0' "+Command(args, false)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(args, "\x00") + "\x00"; string(out) != want {
		t.Errorf("bash got %q, want %q", out, want)
	}
}

func FuzzText(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;x\x07\xff\u202e\\")
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{Text(s), Command([]string{s, s}, false), Program(&record.Exec{File: s})} {
			if strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("%q became %q", s, got)
			}
		}
	})
}

func TestEnding(t *testing.T) {
	for want, p := range map[string]record.Process{
		"not seen to end":                   {},
		"ended, not seen how":               {End: 1, Exit: process.Exit{Evidence: process.Scanned}},
		"exited 0":                          {End: 1, Exit: process.Exit{Evidence: process.Observed}},
		"exited 3":                          {End: 1, Exit: process.Exit{Evidence: process.Observed, Status: 3 << 8}},
		"killed by SIGKILL":                 {End: 1, Exit: process.Exit{Evidence: process.Observed, Status: syscall.WaitStatus(syscall.SIGKILL)}},
		"killed by SIGSEGV (core dumped)":   {End: 1, Exit: process.Exit{Evidence: process.Observed, Status: 0x80 | syscall.WaitStatus(syscall.SIGSEGV)}},
		"killed by signal 40 (core dumped)": {End: 1, Exit: process.Exit{Evidence: process.Observed, Status: 0x80 | 40}},
	} {
		if got := Ending(&p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	r := &record.Recording{
		Header: record.Header{BeganAt: 100},
		Processes: []record.Process{
			{Start: 90, Execs: []record.Exec{{At: 95}, {At: 80}, {At: 400}}},
			{Start: 120, End: 110},
		},
		Losses: []record.Loss{{Until: 300}},
	}
	s := Of(r)
	if want := (Span{90, 400}); s != want {
		t.Fatalf("%v, want %v", s, want)
	}
	if b, e, open := s.Life(&r.Processes[0]); b != 90 || e != 400 || !open {
		t.Error(b, e, open)
	}
	if b, e, open := s.Life(&r.Processes[1]); b != 120 || e != 120 || open {
		t.Error(b, e, open)
	}
	for i, want := range []process.Instant{95, 95, 400} {
		if got := s.Exec(&r.Processes[0], i); got != want {
			t.Errorf("exec %d at %d, want %d", i, got, want)
		}
	}
	if since, until := s.Loss(r.Losses[0]); since != 90 || until != 300 {
		t.Error(since, until)
	}
	if n := len(Unseen(r)); n != 2 {
		t.Error(Unseen(r))
	}
}
