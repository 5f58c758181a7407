package clickhousetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"text/template"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// A Server is Debian's clickhouse-server, with its data and ports until the test
// ends. Its methods end the test if they fail.
type Server struct {
	*daemon

	settings settings
	disk     *disk // where its data are, nil for a folder
}

// Old starts Debian's clickhouse-server, 18.16, and returns when it is ready. It
// has no data. It needs [linuxtest.ClickHouse].
func Old(t testing.TB) *Server {
	t.Helper()
	linuxtest.Need(t, linuxtest.ClickHouse)
	return newServer(t, "clickhouse-server", settings{Data: filepath.Join(t.TempDir(), "data")}, nil)
}

// OldOnDisk is [Old] with its data on a disk of its own of the size, in bytes:
// see [Server.Fill]. It also needs [linuxtest.Root].
func OldOnDisk(t testing.TB, size int64) *Server {
	t.Helper()
	linuxtest.Need(t, linuxtest.ClickHouse, linuxtest.Root)
	d := newDisk(t, size)
	return newServer(t, "clickhouse-server", settings{Data: filepath.Join(d.path(), "data")}, d)
}

// settings are what a server's configuration is made of.
type settings struct {
	Dir              string // of the configuration
	Data             string
	TCP, HTTP, Inter int // ports

	Cluster *topology // nil: it is in none
	Shard   int       // as the macro
	Replica int
}

func newServer(t testing.TB, name string, s settings, d *disk) *Server {
	t.Helper()
	s.Dir = t.TempDir()
	if s.TCP == 0 {
		p := ports(t, 3)
		s.TCP, s.HTTP, s.Inter = p[0], p[1], p[2]
	}
	writeConfig(t, filepath.Join(s.Dir, "config.xml"), config, s)
	writeConfig(t, filepath.Join(s.Dir, "users.xml"), users, s)
	server := &Server{settings: s, disk: d}
	ready := []string{"Ready for connections."}
	if s.Cluster != nil {
		// Until its thread for distributed DDL has a session of ZooKeeper, 18.16
		// crashes at ON CLUSTER (zkutil::ZooKeeper::createImpl of none).
		ready = append(ready, "DDLWorker: Waiting a watch")
	}
	server.daemon = newDaemon(t, name, server.command, ready...)
	return server
}

func writeConfig(t testing.TB, path string, text *template.Template, data any) {
	t.Helper()
	var out bytes.Buffer
	if err := text.Execute(&out, data); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) command() *exec.Cmd {
	cmd := exec.Command("clickhouse-server", "--config-file="+filepath.Join(s.settings.Dir, "config.xml"))
	cmd.Dir = s.settings.Dir
	return cmd
}

// DSN is its data source name for clickhouse-go, by the native protocol. The
// database is default.
func (s *Server) DSN() string { return DSN(s.Addr()) }

// Addr is its address for the native protocol.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.settings.TCP) }

// DSN returns the data source name of a server at the address, such as that of a
// [Proxy], by the native protocol.
func DSN(addr string) string { return "clickhouse://" + addr + "/default" }
