package main

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proclineage/lineage/api/client"
)

// newRoot returns the command with all of its subcommands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "lineage",
		Short: "Who started a process, through whom, in which container",
		Long: `lineage answers, for any process of this host: who started it, through whom,
and in which container.

Questions are answered by reading /proc (--source procfs), which is all that
they need; with --source bpf it is also known who made a process where that
follows from the kernel's rules. watch and tree --exited need a source that tells
what happens, bpf or else cnproc, and take the best that works. lineage doctor
says which do and what they lack.

Each flag below that all commands share can be set by a variable as well:
LINEAGE_OUTPUT for --output, LINEAGE_NO_TRUNC for --no-trunc and so on. A flag
goes before its variable. NO_COLOR is heeded where --color is auto. In a locale
(LC_ALL, LC_CTYPE, LANG) that is set and is not UTF-8, text is ASCII.

Exit status:
` + indent(exitHelp, "  "),
		Example: `  lineage why nginx          why is nginx running?
  lineage why :8080          who listens on port 8080, and why?
  lineage ancestors 48213    one line for each process above 48213
  lineage tree --by container
  lineage watch --failed     every process that fails, as it happens
  lineage doctor             what can lineage know on this host?`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := fromEnvironment(c.Root().PersistentFlags(), a.getenv); err != nil {
				return err
			}
			a.understood = true
			return nil
		},
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetFlagErrorFunc(flagError)

	a.output = choice{"text", []string{"text", "json", "ndjson"}}
	a.color = choice{"auto", []string{"auto", "always", "never"}}
	a.source = choice{"auto", []string{"auto", "bpf", "cnproc", "procfs"}}
	a.runtimes = sockets{text: "auto", auto: true}
	f := root.PersistentFlags()
	f.VarP(&a.output, "output", "o", "how to answer: text, json (one document) or ndjson (one object a line)")
	f.Var(&a.color, "color", "when to colour: auto, always or never")
	f.StringVar(&a.proc, "proc", "/proc", "procfs is mounted at `PATH`")
	f.Var(&a.source, "source", "where to learn of processes: auto, bpf, cnproc or procfs (see 'lineage --help')")
	f.Var(&a.runtimes, "runtime", "who names containers: auto (the sockets at the usual paths), none, or `LIST` of KIND:PATH such as docker:/run/docker.sock")
	f.StringVar(&a.socket, "socket", "", "the daemon listens at `PATH`, or at a URL; none to ask no daemon (the usual path is "+client.DefaultSocket+")")
	f.BoolVar(&a.noTrunc, "no-trunc", false, "do not cut lines at the width of the terminal")
	f.BoolVar(&a.strict, "strict", false, "end with status 5 where the answer is not complete")
	for name, c := range map[string]*choice{"output": &a.output, "color": &a.color, "source": &a.source} {
		must(root.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(c.allowed, cobra.ShellCompDirectiveNoFileComp)))
	}

	root.AddCommand(
		newWhy(a),
		newAncestors(a),
		newTree(a),
		newWatch(a),
		newRecord(a),
		newShow(a),
		newDiff(a),
		newServe(a),
		newHistory(a),
		newFleet(a),
		newCgroup(a),
		newDoctor(a),
		newVersion(a),
		newMan(a),
	)
	root.SetHelpCommand(newHelp(root))
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		c.Args = noSuchCommand
		for _, shell := range c.Commands() {
			shell.Args = noArguments
		}
	}
	return root
}

// one asks for exactly one argument.
func one(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usagef("%s is missing", what)
		case len(args) > 1:
			return usagef("one %s is asked for, not %d", what, len(args))
		}
		return nil
	}
}

// atMostOne asks for one argument or none.
func atMostOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return one(what)(c, args)
	}
}

// atLeastOne asks for one argument or more.
func atLeastOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s is missing", what)
		}
		return nil
	}
}

// noArguments refuses arguments.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q: '%s' takes no argument", args[0], c.CommandPath())
	}
	return nil
}

// newHelp is cobra's help, but for topics that there are not: those are wrong
// usage.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help for a command",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range root.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q: 'lineage --help' lists them", strings.Join(args, " "))
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

// noSuchCommand refuses arguments of a command that only has subcommands.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("there is no command %q: did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return usagef("there is no command %q", strings.Join(append(strings.Fields(c.CommandPath())[1:], args[0]), " "))
}

// flagError makes pflag's errors say what may be given.
func flagError(c *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		// A number after a dash is a PID, where one may stand.
		if number := unknown.GetSpecifiedShortnames(); isDigits(number) && (strings.Contains(c.Use, "PID") || strings.Contains(c.Use, "TARGET")) {
			return usagef("-%s: a PID is 1 or more", number)
		}
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usagef("--%s %q: it may be %s", bad.GetFlag().Name, bad.GetValue(), valuesOf(bad.GetFlag()))
	}
	return err
}

// valuesOf says what a flag may be set to.
func valuesOf(f *pflag.Flag) string {
	switch v := f.Value.(type) {
	case *choice:
		return v.list()
	case *kinds:
		return v.list()
	case *sockets:
		return v.choose()
	case *days:
		return v.list()
	}
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "int":
		return "a number, from 1 to " + strconv.Itoa(math.MaxInt)
	case "duration":
		return "a time with its unit, such as 90s, 10m or 2h, up to 2562047h (292 years)"
	default:
		return "any " + f.Value.Type()
	}
}

// fromEnvironment sets each flag that was not given from its variable.
func fromEnvironment(flags *pflag.FlagSet, getenv func(string) string) error {
	var bad error
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		value := getenv(name)
		if f.Changed || value == "" || bad != nil {
			return
		}
		if err := f.Value.Set(value); err != nil {
			bad = usagef("%s=%q: it may be %s", name, value, valuesOf(f))
		}
	})
	return bad
}

// variable returns the name of the variable that stands for a flag.
func variable(flag string) string {
	return "LINEAGE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// choice is the value of a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

var errChoice = errors.New("not one of the words that may stand here")

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "WORD" }

// Set implements [pflag.Value].
func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return errChoice
	}
	c.value = s
	return nil
}

func (c *choice) list() string {
	last := len(c.allowed) - 1
	return strings.Join(c.allowed[:last], ", ") + " or " + c.allowed[last]
}

// must is for what only a mistake in this program can make fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(text, "\n", "\n"+by)
}
