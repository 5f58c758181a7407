package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// settle sets the flags that were not given from their variables, and what is left
// from the file. A line of that is NAME = VALUE, as of a flag without its dashes; one
// that begins with # says nothing.
func settle(flags *pflag.FlagSet, file string, getenv func(string) string) error {
	if file == "" {
		file = getenv(variable("config"))
	}
	given := map[string]bool{"config": true}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || getenv(variable(f.Name)) != "" {
			given[f.Name] = true
		}
	})
	if err := fromEnvironment(flags, getenv); err != nil {
		return err
	}
	if file == "" {
		return nil
	}
	text, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("the settings: %w", err)
	}
	defer text.Close() //nolint:errcheck // it was read
	lines := bufio.NewScanner(text)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		f := flags.Lookup(name)
		switch {
		case !ok:
			return usagef("%s:%d: a line is NAME = VALUE", file, n)
		case f == nil || name == "config" || name == "help":
			return usagef("%s:%d: there is no setting called %s", file, n, quoted(name))
		case given[name]:
			continue
		}
		if err := f.Value.Set(value); err != nil {
			return usagef("%s:%d: %s = %s: it may be %s", file, n, name, quoted(value), valuesOf(f))
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the settings: %w", err)
	}
	return nil
}
