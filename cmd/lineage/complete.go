package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// completePIDs offers the PIDs there are, with the names of the processes.
func (a *app) completePIDs(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(typed, false)
}

// completeTargets offers the names of processes, and PIDs to who has typed a
// digit.
func (a *app) completeTargets(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(typed, true)
}

func (a *app) complete(typed string, names bool) ([]cobra.Completion, cobra.ShellCompDirective) {
	t, err := a.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer t.Close()
	all, _ := t.Processes() // what there is will do
	var list []cobra.Completion
	seen := map[string]bool{}
	for i := range all {
		p := &all[i]
		name := safe(p.Name)
		pid := strconv.Itoa(p.ID.PID)
		switch {
		case p.Kernel:
		case (!names || typed != "") && strings.HasPrefix(pid, typed):
			list = append(list, cobra.CompletionWithDesc(pid, name))
		case names && name != "" && name == p.Name && !seen[name] && strings.HasPrefix(name, typed):
			seen[name] = true
			list = append(list, name)
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}
