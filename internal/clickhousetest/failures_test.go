package clickhousetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// insertText inserts a row that does not compress to less than its size.
func insertText(conn driver.Conn, size int) error {
	return conn.Exec(context.Background(), "INSERT INTO text SELECT arrayStringConcat(arrayMap(i -> toString(cityHash64(i)), range("+
		strconv.Itoa(size/20)+")))")
}

// TestDisk fills the disk of a server and frees it.
func TestDisk(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	t.Parallel()
	server := clickhousetest.OldOnDisk(t, 64<<20)
	conn := open(t, server.DSN())
	do(t, conn, "CREATE TABLE text (text String) ENGINE = MergeTree ORDER BY tuple()")
	if err := insertText(conn, 1<<20); err != nil {
		t.Fatal(err)
	}
	server.Fill()
	err := insertText(conn, 1<<20)
	var thrown *clickhouse.Exception
	if !errors.As(err, &thrown) || !strings.Contains(thrown.Message, "space") {
		t.Errorf("inserting with a full disk: %v", err)
	}
	server.Kill()
	server.Start()
	server.Free()
	if err := insertText(conn, 1<<20); err != nil {
		t.Errorf("inserting with a disk that was full: %v", err)
	}
	if n := number(t, conn, "SELECT count() FROM text"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

// echo is a server that says what it hears.
func echo(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return l
}

// hears reads the word, within the time.
func hears(conn net.Conn, word string, within time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	b := make([]byte, len(word))
	_, err := io.ReadFull(conn, b)
	if err == nil && string(b) != word {
		err = fmt.Errorf("%q, want %q", b, word)
	}
	return err
}

func TestProxy(t *testing.T) {
	t.Parallel()
	const patience = time.Minute
	proxy := clickhousetest.NewProxy(t, echo(t).Addr().String())
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", proxy.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	say := func(conn net.Conn, word string) {
		t.Helper()
		if _, err := io.WriteString(conn, word); err != nil {
			t.Fatal(err)
		}
	}
	passes := func(conn net.Conn, word string) {
		t.Helper()
		if err := hears(conn, word, patience); err != nil {
			t.Errorf("hearing %q: %v", word, err)
		}
	}
	first := dial()
	say(first, "plain")
	passes(first, "plain")

	proxy.Cut()
	if err := hears(first, "?", patience); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a connection that is cut: %v", err)
	}
	late, err := net.Dial("tcp", proxy.Addr()) // may be reset as early as that
	if err == nil {
		err = errors.Join(hears(late, "?", patience), late.Close())
	}
	if !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a new connection while they are cut: %v", err)
	}

	proxy.Mend()
	second := dial()
	say(second, "mended")
	passes(second, "mended")

	proxy.Hang()
	third := dial()
	for _, conn := range []net.Conn{second, third} {
		say(conn, "held")
		if err := hears(conn, "?", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection that hangs: %v", err)
		}
	}
	proxy.Mend()
	passes(second, "held")
	passes(third, "held")

	proxy.Slow(20 * time.Millisecond)
	fourth := dial()
	before := time.Now()
	say(fourth, "slow")
	passes(fourth, "slow")
	if took := time.Since(before); took < 40*time.Millisecond {
		t.Errorf("with a delay of 20 ms each way it took %v", took)
	}
}
