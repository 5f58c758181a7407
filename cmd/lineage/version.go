package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is what lineage version writes.
type Version struct {
	Schema  string  `json:"schema"`
	Command string  `json:"command"`
	Version string  `json:"version"`
	Commit  *string `json:"commit"`
	Dirty   bool    `json:"dirty"`
	Go      string  `json:"go"`
	OS      string  `json:"os"`
	Arch    string  `json:"arch"`
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "The version of this program",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			v := readVersion()
			if a.output.value != "text" {
				return a.encode(v, a.indent())
			}
			a.screen().line(span{v.String(), plain})
			return nil
		},
	}
}

func readVersion() Version {
	v := Version{
		Schema: schema, Command: "version", Version: "unknown",
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = optional(s.Value)
		case "vcs.modified":
			v.Dirty = s.Value == "true"
		}
	}
	return v
}

// String returns what people get.
func (v Version) String() string {
	text := "lineage " + v.Version
	if v.Commit != nil {
		text += " (" + *v.Commit
		if v.Dirty {
			text += ", changed since"
		}
		text += ")"
	}
	return text + " " + v.Go + " " + v.OS + "/" + v.Arch
}
