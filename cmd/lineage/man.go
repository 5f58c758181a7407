package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan(*app) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages",
		Long: `Write the manual pages lineage.1, lineage-why.1 and so on to the folder DIR, which
is made if it is not there.`,
		Example: `  lineage man /usr/local/share/man/man1`,
		Args:    one("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writeManual(c.Root(), args[0])
		},
	}
}

// writeManual writes a page for the command and for each below it.
func writeManual(c *cobra.Command, dir string) error {
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
	if err := os.WriteFile(filepath.Join(dir, name), manPage(c), 0o644); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() || sub.Name() == "help" {
			continue
		}
		if err := writeManual(sub, dir); err != nil {
			return err
		}
	}
	return nil
}

// manPage returns the manual page of a command, in the macros of man(7).
func manPage(c *cobra.Command) []byte {
	c.InitDefaultHelpFlag()
	page := strings.ReplaceAll(c.CommandPath(), " ", "-")
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"lineage\" \"User Commands\"\n", roff(strings.ToUpper(page)))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(page), roff(lowerFirst(c.Short)))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(synopsis(c)))
	b.WriteString(".SH DESCRIPTION\n")
	manText(&b, c.Long)
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s.\n", roff(sub.Use), roff(sub.Short))
			}
		}
	}
	manFlags(&b, "OPTIONS", c.NonInheritedFlags())
	manFlags(&b, "OPTIONS OF ALL COMMANDS", c.InheritedFlags())
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	b.WriteString(".SH EXIT STATUS\n")
	for line := range strings.Lines(exitHelp) {
		status, meaning, _ := strings.Cut(strings.TrimSpace(line), "  ")
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", status, roff(meaning))
	}
	b.WriteString(".SH ENVIRONMENT\n")
	c.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(&b, ".TP\n.B %s\nis used where\n.B \\-\\-%s\nis not given\n", variable(f.Name), roff(f.Name))
	})
	b.WriteString(".TP\n.B COLUMNS\nhow many columns the terminal has, in place of what it says itself\n")
	b.WriteString(".TP\n.B NO_COLOR\nif set and not empty, there is no colour unless\n.B \\-\\-color\nasks for it\n")
	if c.HasParent() {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roff(strings.ReplaceAll(c.Parent().CommandPath(), " ", "-")))
	}
	return []byte(b.String())
}

func synopsis(c *cobra.Command) string {
	if !c.HasParent() {
		return c.Use + " [options] COMMAND"
	}
	return c.Parent().CommandPath() + " [options] " + c.Use
}

// manText writes paragraphs; those that are indented keep their lines.
func manText(b *strings.Builder, text string) {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		lines := strings.Split(paragraph, "\n")
		i := 0
		b.WriteString(".PP\n")
		for ; i < len(lines) && !strings.HasPrefix(lines[i], " "); i++ {
			fmt.Fprintf(b, "%s\n", roff(lines[i]))
		}
		if i < len(lines) {
			fmt.Fprintf(b, ".PP\n.nf\n%s\n.fi\n", roff(strings.Join(lines[i:], "\n")))
		}
	}
}

func manFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s", roff(strings.TrimSpace(name+" "+value)), roff(usage))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			fmt.Fprintf(b, " (default %s)", roff(f.DefValue))
		}
		b.WriteByte('\n')
	})
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\&...`, "×", `\[mu]`, dead, `\[dg]`, "\n.", "\n\\&.", "\n'", "\n\\&'")

// roff escapes text for man(7).
func roff(s string) string {
	s = roffEscapes.Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
