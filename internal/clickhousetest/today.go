package clickhousetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// Today returns the data source name of an empty database, which is dropped when
// the test ends, on today's ClickHouse: libchdb behind the front in tools/chdb,
// which speaks HTTP. All tests of a test binary have the same front, which ends
// with it. It needs [linuxtest.Chdb].
func Today(t testing.TB) string {
	t.Helper()
	linuxtest.Need(t, linuxtest.Chdb)
	front, err := today()
	if err != nil {
		t.Fatalf("starting tools/chdb: %v", err)
	}
	addr := front.addr
	options, err := clickhouse.ParseDSN(addr + "/default")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(errors.Join(err, conn.Close()))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of tools/chdb:\n%s", strings.Join(front.lines(), "\n"))
		}
		err := conn.Exec(context.Background(), "DROP DATABASE "+name)
		if err = errors.Join(err, conn.Close()); err != nil {
			t.Error(err)
		}
	})
	return addr + "/" + name
}

// CopyingName is the name of a cluster that [TodayInCluster] also knows, in which
// Distributed tables write to each replica themselves.
const CopyingName = "copying"

// TodayInCluster returns the data source name of today's ClickHouse as the only
// node of the cluster [ClusterName], with a ZooKeeper, to make a cluster's tables
// and ask them. Replicated tables stay empty and as they are (TABLE_IS_READ_ONLY):
// libchdb is no server that other replicas could ask. It needs [linuxtest.Chdb]
// and [linuxtest.ZooKeeper].
func TodayInCluster(t testing.TB) string {
	t.Helper()
	linuxtest.Need(t, linuxtest.Chdb, linuxtest.ZooKeeper)
	dir := t.TempDir()
	config := filepath.Join(dir, "config.xml")
	writeConfig(t, config, todaysConfig, topology{Name: ClusterName, ZooKeeper: newZooKeeper(t).port})
	program, err := buildFront(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := startFront(program, "-config", config, "-data", filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.kill(t) })
	return f.addr + "/default"
}

// databases counts those that Today has made.
var databases atomic.Int64

// A front is a run of the program in tools/chdb.
type front struct {
	*run
	addr string // as in a data source name without a database
}

// kill ends the front by SIGKILL, and returns when it has ended.
func (f *front) kill(t testing.TB) {
	t.Helper()
	if err := f.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := f.wait(); err != nil {
		t.Fatal(err)
	}
}

// today builds and starts the front at the first call.
var today = sync.OnceValues(func() (f *front, err error) {
	dir, err := os.MkdirTemp("", "chdb-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := buildFront(dir)
	if err != nil {
		return nil, err
	}
	return startFront(program)
})

// buildFront builds the program in the folder, and returns its path.
func buildFront(dir string) (program string, err error) {
	program = filepath.Join(dir, "chdb")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join(linuxtest.ChdbLibrary(), "../../../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
}

// startFront starts the program. If it is not told where to keep its data, it
// removes them at SIGTERM.
func startFront(program string, args ...string) (*front, error) {
	f := new(front)
	cmd := exec.Command(program, append([]string{"-lib", linuxtest.ChdbLibrary()}, args...)...)
	var err error
	f.run, err = start(cmd, syscall.SIGTERM, func(line string) bool {
		var found bool
		f.addr, found = strings.CutSuffix(strings.TrimSuffix(line, "\n"), "/default")
		return found
	})
	return f, err
}
