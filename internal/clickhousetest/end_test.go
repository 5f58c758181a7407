package clickhousetest_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// endEnv makes TestEnding wait for its end.
const endEnv = "LINEAGE_CLICKHOUSE_END"

// TestEnding is a test that TestNothingIsLeft runs in a process of its own.
func TestEnding(t *testing.T) {
	if os.Getenv(endEnv) == "" {
		return
	}
	clickhousetest.Today(t)
	fmt.Println(clickhousetest.TodayPID(), clickhousetest.Old(t).PID())
	select {}
}

// TestNothingIsLeft kills a test binary: its servers end with it.
func TestNothingIsLeft(t *testing.T) {
	linuxtest.Need(t, linuxtest.Chdb, linuxtest.ClickHouse)
	t.Parallel()
	temp := t.TempDir()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestEnding$")
	cmd.Env = append(os.Environ(), endEnv+"=1", "TMPDIR="+temp)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var servers []int // pidfds
	for text := range strings.FieldsSeq(line) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		servers = append(servers, fd)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	for _, fd := range servers {
		if err := awaitEnd(fd); err != nil {
			t.Error(err)
		}
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), "chdb-") {
			t.Errorf("%s is left", entry.Name())
		}
	}
}

// awaitEnd waits for the end of the process of a pidfd, and closes it.
func awaitEnd(fd int) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	limit := time.Now().Add(time.Minute)
	for {
		n, err := unix.Poll(fds, int(time.Until(limit).Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = errors.New("a server goes on")
		}
		return errors.Join(err, unix.Close(fd))
	}
}
