// Command lineage answers, for any process of a Linux host: who started it,
// through whom, and in which container.
//
// Its output is documented in docs/output.md.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"google.golang.org/grpc/grpclog"
)

func main() {
	// What gRPC has to say is no answer, and no line of ours.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command but for the exit. What goes to stdout is an answer;
// everything else, in lines that begin with "lineage: ", goes to stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{
		stdin:    stdin,
		stdout:   bufio.NewWriterSize(stdout, 64<<10),
		out:      stdout,
		columns:  func() int { return terminalWidth(stdout) },
		attended: terminalWidth(stderr) > 0,
		stderr:   stderr,
		getenv:   os.Getenv,
		ascii:    !isUTF8(os.Getenv),
	}
	defer a.close()
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(a.stdout)
	if a.ascii {
		root.SetOut(asciiWriter{a.stdout})
	}
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err != nil && !a.understood {
		err = usagef("%w (see '%s --help')", err, cmd.CommandPath())
	}
	err = failing(cmd, err)
	if werr := a.stdout.Flush(); werr != nil {
		if errors.Is(werr, syscall.EPIPE) {
			return exitError // whoever read has had enough
		}
		err = fmt.Errorf("writing the answer: %w", werr)
	}
	if err = a.incomplete(err); err != nil {
		a.warn(oneLine(err.Error()))
	}
	return exitStatus(err)
}

// asciiWriter is where help goes, a whole text at a time, in a locale that has
// no other characters.
type asciiWriter struct{ w io.Writer }

func (a asciiWriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(a.w, ascii(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
