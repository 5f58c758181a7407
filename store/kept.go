package store

import (
	"slices"

	"github.com/proclineage/lineage/process"
)

// Kept returns the process as it is kept where the store knows it as old so far,
// zero where it does not: under the better of both IDs, and with at most
// [MaxExecs] of its calls of execve(2), the first one and the last ones.
func Kept(p *Process, old process.ID) Process {
	k := *p
	if old.Precision > k.ID.Precision {
		k.ID.Start, k.ID.Precision = old.Start, old.Precision
	}
	if k.ID.Inode == 0 {
		k.ID.Inode = old.Inode
	}
	k.ExecCount = max(k.ExecCount, len(k.Execs))
	if n := len(k.Execs); n > MaxExecs {
		k.Execs = append(slices.Clone(k.Execs[:1]), k.Execs[n-MaxExecs+1:]...)
	}
	return k
}
