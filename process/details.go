package process

// Details is what is seldom asked about a process and costs more to learn
// than what a [Process] holds.
type Details struct {
	// Exe is the path of the program's file as the kernel gives it, with
	// " (deleted)" after it where the file is gone. It is empty for threads
	// of the kernel and zombies, and where it may not be read.
	Exe string
	// Args is the command line as the process has it in memory now, which
	// it may have changed. It is nil for threads of the kernel and zombies.
	Args []string
	// UID and EffectiveUID are the real and the effective user ID.
	UID, EffectiveUID int
	// GID and EffectiveGID are the real and the effective group ID.
	GID, EffectiveGID int
	// Threads is the number of threads.
	Threads int
	// NamespacePIDs is the PID in each PID namespace from the reader's to
	// the one that the process is in, at least one.
	NamespacePIDs []int
	// PIDNamespace is the inode number of the PID namespace that the process
	// is in, as the link /proc/PID/ns/pid shows it. The kernel gives the
	// number of a namespace that is gone to another one. It is zero where it
	// may not be read.
	PIDNamespace uint64
	// Missing is why something above could not be read, nil where all was.
	Missing error
}
