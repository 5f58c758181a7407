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
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command but for the exit. What goes to stdout is an answer;
// everything else, in lines that begin with "lineage: ", goes to stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{
		stdin:    stdin,
		stdout:   bufio.NewWriterSize(stdout, 64<<10),
		terminal: terminalWidth(stdout),
		stderr:   stderr,
		getenv:   os.Getenv,
	}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(a.stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err != nil && !a.began {
		err = usagef("%w (see '%s --help')", err, cmd.CommandPath())
	}
	if werr := a.stdout.Flush(); werr != nil {
		if errors.Is(werr, syscall.EPIPE) {
			return exitError // whoever read has had enough
		}
		err = fmt.Errorf("writing the answer: %w", werr)
	}
	if err = a.incomplete(err); err != nil {
		_, _ = fmt.Fprintf(stderr, "lineage: %s\n", oneLine(err.Error()))
	}
	return exitStatus(err)
}
