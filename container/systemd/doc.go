// Package systemd has the descriptions of systemd's units, as systemctl shows
// them: "OpenBSD Secure Shell server" for ssh.service.
//
// In which unit a process is follows from its cgroup alone; systemd only
// describes it. [Units] has what it said in memory and answers at once. Where
// there is no systemd, no message bus, or one of them hangs or lies, units have
// no description, and nothing waits for one.
package systemd
