package linuxtest

// A crowd is what its many processes need in memory, which they share
// (CLONE_VM): where a process is copied 10,000 deep, the kernel links each
// mapping to those of all processes above it (anon_vma_clone).
//
// They run code in assembly that keeps to registers, since they share the
// stack as well. The code knows the offsets of the fields.
type crowd struct {
	args    cloneArgs
	left    uint64 // at 88: links to make, or whether children stay
	channel uint64 // at 96
	pid     uint64 // at 104: of who makes children
	link    struct {
		op, nr uint64    // at 112
		args   [6]uint64 // at 128: depth, PID, PID of the parent
	}
}
