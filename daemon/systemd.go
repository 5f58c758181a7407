package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// passed returns the Unix sockets that systemd listens on for the daemon (socket
// activation).
func passed() (list []*net.UnixListener, err error) {
	all, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		u, ok := l.(*net.UnixListener)
		if !ok {
			return nil, errors.New("one is no Unix socket that listens: TCP is listened on by --listen alone")
		}
		list = append(list, u)
	}
	return list, nil
}

// Journaled reports whether what is written to the file goes to the journal
// (JOURNAL_STREAM of systemd.exec(5)).
func Journaled(f *os.File) bool {
	var s unix.Stat_t
	if unix.Fstat(int(f.Fd()), &s) != nil {
		return false
	}
	device, inode, ok := strings.Cut(os.Getenv("JOURNAL_STREAM"), ":")
	return ok && device == strconv.FormatUint(s.Dev, 10) && inode == strconv.FormatUint(s.Ino, 10)
}

// tell tells systemd how the daemon does. It does nothing where there is none.
func tell(state string) { _, _ = sd.SdNotify(false, state) }

// watchdog tells systemd that all is well, as often as it wants to hear that, as
// long as that is so, until ctx ends.
func watchdog(ctx context.Context, well func() bool) {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return
	}
	ticker := time.NewTicker(every / 3)
	defer ticker.Stop()
	for {
		if well() {
			tell(sd.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
