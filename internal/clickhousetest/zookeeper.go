package clickhousetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// A ZooKeeper is Debian's ZooKeeper, a single server, with its data and port
// until the test ends. Its methods end the test if they fail.
type ZooKeeper struct {
	*daemon
	port int
}

func newZooKeeper(t testing.TB) *ZooKeeper {
	t.Helper()
	dir := t.TempDir()
	z := &ZooKeeper{port: ports(t, 1)[0]}
	file := filepath.Join(dir, "zoo.cfg")
	// Sessions last from 2 ticks to 20.
	text := fmt.Sprintf("tickTime=1000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
		filepath.Join(dir, "data"), z.port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	z.daemon = newDaemon(t, "ZooKeeper", func() *exec.Cmd {
		return exec.Command("java", "-Xmx256m", "-cp", linuxtest.ZooKeeperLibrary+":"+zooKeeperLog,
			"org.apache.zookeeper.server.ZooKeeperServerMain", file)
	}, "ZooKeeper audit is disabled.")
	return z
}

// zooKeeperLog is what makes it log to its output. It comes with ZooKeeper.
const zooKeeperLog = "/usr/share/java/slf4j-simple.jar"
