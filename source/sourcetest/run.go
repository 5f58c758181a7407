// Package sourcetest holds every source to one workload on the real kernel.
//
// [Run] plays scenes of real processes, whose truth it knows because it
// directs each step of them (see package linuxtest) or because they report it
// themselves with getpid(2), getppid(2) and the like. After each step the
// source has to tell the same: by a scan, a [source.Reader] by single reads as
// well, and a [source.Live] by events alone. Where it cannot, it has to have
// said so: [source.Source.Limits] must name exactly what it cannot tell.
package sourcetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// A scene is one workload.
type scene struct {
	name  string
	needs []linuxtest.Feature
	play  func(*run)
}

var scenes = []scene{
	{"tree", nil, tree},
	{"names", nil, names},
	{"sessions", nil, sessions},
	{"double fork", nil, doubleFork},
	{"adoption by init", nil, adoptionByInit},
	{"nested subreapers", nil, nestedSubreapers},
	{"vfork", nil, vfork},
	{"CLONE_PARENT", nil, cloneParent},
	{"worker threads", nil, workerThreads},
	{"leader first", nil, leaderFirst},
	{"exec", nil, execs},
	{"exec by a worker thread", nil, execByThread},
	{"owners", []linuxtest.Feature{linuxtest.Root}, owners},
	{"terminal", nil, terminal},
	{"zombies", nil, zombies},
	{"slow ends", nil, slowEnds},
	{"exits", nil, exits},
	{"usage", nil, usage},
	{"short lives", nil, shortLives},
	{"reuse within a tick", []linuxtest.Feature{linuxtest.SetTID}, reuse},
	{"reuse of a parent's PID", []linuxtest.Feature{linuxtest.SetTID}, reuseOfParent},
	{"PID namespaces", []linuxtest.Feature{linuxtest.PIDNamespace}, namespaces},
	{"cgroups", []linuxtest.Feature{linuxtest.Cgroups}, cgroups},
	{"cgroup of the dying", []linuxtest.Feature{linuxtest.Cgroups}, cgroupsOfTheDying},
	{"opened late", nil, late},
	{"errors", nil, failures},
	{"threads of the kernel", []linuxtest.Feature{linuxtest.HostPID}, kernelThreads},
	{"deep", nil, deep},
	{"siblings", nil, siblings},
	{"storm", nil, storm},
	{"adoptions meanwhile", nil, adoptionsMeanwhile},
}

// Run holds the source that open opens to all scenes, each in a subtest with
// a source of its own, which Run closes. With -short the large crowds are
// smaller ones.
func Run(t *testing.T, open func(t *testing.T) source.Source) {
	runScenes(t, open, testing.Short())
}

func runScenes(t *testing.T, open func(t *testing.T) source.Source, small bool) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			linuxtest.Need(t, s.needs...)
			for _, problem := range s.perform(t, open, small) {
				t.Error(problem)
			}
		})
	}
}

// perform plays the scene, with small crowds or large ones, and returns what
// the source got wrong. A failure of the scene itself fails t.
func (s scene) perform(t *testing.T, open func(t *testing.T) source.Source, small bool) []string {
	t.Helper()
	r := &run{t: t, open: open, small: small}
	r.reopen()
	s.play(r)
	r.finish()
	r.checkLimits()
	r.close()
	return r.problems
}

// run is one performance of a scene.
type run struct {
	t     *testing.T
	open  func(t *testing.T) source.Source
	small bool
	src   source.Source
	read  source.Reader // src, nil if it is none
	live  source.Live   // src, nil if it is none
	test  *subject      // the test binary

	table  *process.Table  // in step as users of the source keep it
	scans  *process.Table  // in step by scans alone; table, if src is not live
	opened process.Instant // when src was
	heard  heard
	news   bool // something has happened since the last drain

	limits map[source.Limit]bool
	cast   []*subject
	seen   evidence

	mu       sync.Mutex
	problems []string
}

// maxProblems keeps a source that gets everything wrong from flooding the log.
const maxProblems = 20

// errorf notes that the source is wrong. It may be called from any goroutine.
func (r *run) errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, fmt.Sprintf(format, args...))
	}
}

// reopen begins again with a new source and an empty table.
func (r *run) reopen() {
	r.t.Helper()
	r.close()
	r.src = r.open(r.t)
	r.read, _ = r.src.(source.Reader)
	r.live, _ = r.src.(source.Live)
	r.limits = map[source.Limit]bool{}
	for _, l := range r.src.Limits() {
		if r.limits[l] {
			r.errorf("Limits names %q twice", l)
		}
		r.limits[l] = true
	}
	if r.src.Name() == "" {
		r.errorf("Name is empty")
	}
	if r.read == nil && r.live == nil {
		r.t.Fatal("a source that can neither be asked nor tells what happens")
	}
	r.seen, r.heard, r.news = evidence{}, heard{}, false
	r.test = r.self()
	r.opened = linuxtest.Now()
	r.begin(process.Retention{Age: time.Hour, Count: 1 << 20, Bytes: 1 << 30})
}

// begin begins again with empty tables.
func (r *run) begin(keep process.Retention) {
	r.t.Helper()
	r.table = process.NewTable(keep)
	r.scans = r.table
	if r.live != nil {
		r.scans = process.NewTable(keep)
		r.sync()
	}
}

func (r *run) close() {
	if r.src == nil {
		return
	}
	if err := r.src.Close(); err != nil {
		r.errorf("Close: %v", err)
	}
	r.src = nil
}
