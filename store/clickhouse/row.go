package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// unread are the columns of processes that nothing is told of.
const unread = " version batch seen host_name program plain ancestors_end inner_pid "

// whole is what reads a process: the columns that row.scan takes.
func (d dialect) whole() string {
	var read []string
	for i := range processesTable.columns {
		if c := &processesTable.columns[i]; !strings.Contains(unread, " "+c.name+" ") {
			read = append(read, d.selected(c))
		}
	}
	return strings.Join(read, ", ")
}

// A row is a process as it is read.
type row struct {
	store.Process
	key   key
	hour  int64
	above []key
}

// scan reads a row.
func (r *row) scan(scan func(...any) error) error {
	p := &r.Process
	var hour uint32
	var id string
	var self, creator, parent rowID
	var began, ended int64
	var program string
	var creatorEvidence, parentEvidence, exit, evidence int8
	var above, args, files []string
	var kernel, helper, owner, commands, cut, usage uint8
	var uid, euid, gid, egid, group, session, tty int64
	var pids []int64
	var execs, execAt, exitAt, status uint64
	var earlierArgs [][]string
	var earlierCut []uint8
	var earlierAt []uint64
	var user, system int64
	u := &p.Exit.Usage
	err := scan(
		&hour, &p.Host, &p.Boot, &id, &self.pid, &self.start, &self.inode, &self.precision, &began, &ended, &p.Name,
		&creator.pid, &creator.start, &creator.inode, &creator.precision, &creatorEvidence,
		&parent.pid, &parent.start, &parent.inode, &parent.precision, &parentEvidence,
		&above, &kernel, &helper, &owner, &uid, &euid, &gid, &egid, &p.User, &group, &session, &tty, &pids,
		&p.Group, &p.Container, &p.Unit, &p.UserUnit, &p.Session, &commands, &execs, &program, &args, &cut, &execAt,
		&files, &earlierArgs, &earlierCut, &earlierAt,
		&exit, &exitAt, &status, &usage, &user, &system, &u.MaxRSS, &u.ReadBytes, &u.WrittenBytes, &evidence,
	)
	if err != nil {
		return err
	}
	if len(id) != keySize || len(files) != len(earlierArgs) || len(files) != len(earlierCut) || len(files) != len(earlierAt) || len(files) != max(int(commands)-1, 0) {
		return fmt.Errorf("PID %d of %s: %w", self.pid, p.Host, store.ErrCorrupt)
	}
	r.key, r.hour, r.above = key(id), int64(hour), keysOf(above)
	p.ID = self.id()
	p.Began, p.Ended = timeOf(began), timeOf(ended)
	p.Creator = process.Link{ID: creator.id(), Evidence: process.Evidence(creatorEvidence)}
	p.Parent = process.Link{ID: parent.id(), Evidence: process.Evidence(parentEvidence)}
	p.Kernel, p.Helper = kernel != 0, helper != 0
	p.Owner = process.Owner{Known: owner != 0, UID: int(uid), EffectiveUID: int(euid), GID: int(gid), EffectiveGID: int(egid)}
	p.GroupID, p.SessionID, p.TTY = int(group), int(session), int(tty)
	for _, pid := range pids {
		p.NamespacePIDs = append(p.NamespacePIDs, int(pid))
	}
	for i, file := range files {
		p.Execs = append(p.Execs, process.Command{File: file, Args: earlierArgs[i], ArgsCut: earlierCut[i] != 0, At: process.Instant(earlierAt[i])})
	}
	if commands > 0 {
		p.Execs = append(p.Execs, process.Command{File: program, Args: args, ArgsCut: cut != 0, At: process.Instant(execAt)})
	}
	p.ExecCount = int(execs)
	p.Exit.Evidence, p.Exit.At, p.Exit.Status = process.Evidence(exit), process.Instant(exitAt), syscall.WaitStatus(status)
	u.Known, u.User, u.System = usage != 0, time.Duration(user), time.Duration(system)
	p.Evidence = process.Evidence(evidence)
	return nil
}

// readKeys calls each for the processes for which the condition holds, which is about
// what never changes of a process. So it may be asked for before FINAL.
func (s *Store) readKeys(ctx context.Context, where string, each func(*row) error) error {
	return s.read(ctx, "PREWHERE "+where, each)
}

// read calls each for the processes for which the clause holds.
func (s *Store) read(ctx context.Context, clause string, each func(*row) error) error {
	return s.rows(ctx, "SELECT "+s.whole()+" FROM "+s.table("processes")+" FINAL "+clause, func(scan func(...any) error) error {
		var r row
		if err := r.scan(scan); err != nil {
			return err
		}
		return each(&r)
	})
}

// contain says of the processes what is known of their containers.
func (s *Store) contain(ctx context.Context, of []*store.Process) error {
	type containerKey struct{ host, id string }
	byID := map[containerKey]*store.Container{}
	var asked []containerKey
	for _, p := range of {
		k := containerKey{p.Host, p.Container}
		if _, ok := byID[k]; k.id != "" && !ok {
			byID[k] = nil
			asked = append(asked, k)
		}
	}
	for part := range slices.Chunk(asked, store.MaxLimit) {
		const columns = "host, id, runtime, name, image, pod, pod_name, namespace, workload, service, project"
		query := "SELECT " + columns + " FROM " + s.table("containers") + " FINAL WHERE (host, id) IN (" +
			list(part, func(k containerKey) string { return "(" + quote(k.host) + ", " + quote(k.id) + ")" }) + ")"
		err := s.rows(ctx, query, func(scan func(...any) error) error {
			var c store.Container
			var host string
			if err := scan(&host, &c.ID, &c.Runtime, &c.Name, &c.Image, &c.PodUID, &c.PodName, &c.Namespace, &c.Workload, &c.Service, &c.Project); err != nil {
				return err
			}
			byID[containerKey{host, c.ID}] = &c
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, p := range of {
		if c := byID[containerKey{p.Host, p.Container}]; c != nil {
			copied := *c
			p.Stored = &copied
		}
	}
	return nil
}
