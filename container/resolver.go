package container

// A Resolver has in memory what is known of containers. Its methods are called
// for every answer and must return at once, whatever a runtime does; they may be
// called from several goroutines at once.
type Resolver interface {
	// ByID returns the container with the ID, in full. It reports false where
	// nothing is known of it, or not yet.
	ByID(id string) (Container, bool)

	// ByCgroup returns the container whose first process was found in the
	// cgroup with the path, as [process.Cgroup.Group] has it, or in one above
	// it, for paths from which no container can be read; and the path at which
	// it was found.
	ByCgroup(path string) (c Container, at string, ok bool)
}
