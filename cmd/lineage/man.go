package main

import "github.com/spf13/cobra"

func newMan(a *app) *cobra.Command { return &cobra.Command{Use: "man"} }
