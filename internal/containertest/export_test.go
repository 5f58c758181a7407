package containertest

// Own returns what must be gone after the rig: its folder, the name of its
// cgroup and the process that keeps it.
func (rig *Rig) Own() (dir, group string, keeper int) {
	return rig.dir, rig.group, rig.keeper.cmd.Process.Pid
}

// Kill ends the processes.
func Kill(pids ...int) error { return kill(pids...) }
