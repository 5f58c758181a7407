package clickhouse_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
)

// A busy host is one on which services start programs all the time, each of which
// starts some more and ends soon.
type busy struct {
	*rand.Rand
	host, boot string
	now        process.Instant
	inode      uint64
	pid        int
	services   []*store.Process
}

func newBusy(n int) *busy {
	b := &busy{Rand: rand.New(rand.NewPCG(uint64(n), 1)), now: 1e9}
	b.host, b.boot = fmt.Sprintf("%032x", 0x1000+n), fmt.Sprintf("b007%04d-1111-2222-3333-444455556666", n)
	init := b.start("systemd", "/usr/lib/systemd/systemd", nil, "/usr/lib/systemd/systemd", "--system")
	init.Unit = "init.scope"
	b.services = append(b.services, init)
	for i := range 40 {
		s := b.start(fmt.Sprintf("service-%d", i), fmt.Sprintf("/usr/sbin/service-%d", i), init, "/usr/sbin/service", "--config", fmt.Sprintf("/etc/service-%d.conf", i))
		s.Unit = fmt.Sprintf("service-%d.service", i)
		if i%3 == 0 {
			s.Container = fmt.Sprintf("%064x", 0xabc00+i)
			s.Group = "/system.slice/docker-" + s.Container + ".scope"
		}
		b.services = append(b.services, s)
	}
	return b
}

// start is a new process.
func (b *busy) start(name, file string, creator *store.Process, args ...string) *store.Process {
	b.now += process.Instant(b.IntN(int(time.Millisecond)))
	b.inode++
	b.pid = b.pid%4_000_000 + 1
	p := &store.Process{Name: name, Evidence: process.Observed, Creator: process.Link{Evidence: process.Scanned}, User: "root"}
	p.ID = process.ID{PID: b.pid, Start: b.now, Inode: b.inode, Precision: process.Exact}
	p.GroupID, p.SessionID, p.Owner = p.ID.PID, p.ID.PID, process.Owner{Known: true}
	p.Execs = []process.Command{{File: file, Args: args, At: b.now + process.Instant(b.IntN(1e6))}}
	p.ExecCount = 1
	if creator != nil {
		p.Creator = process.Link{ID: creator.ID, Evidence: process.Observed}
		p.Parent = p.Creator
		p.Container, p.Group, p.Unit, p.GroupID, p.SessionID = creator.Container, creator.Group, creator.Unit, creator.GroupID, creator.SessionID
		if p.Container != "" {
			p.NamespacePIDs = []int{p.ID.PID, b.IntN(30000) + 1}
		}
	}
	return p
}

// batch is what happened in the next while, of at least as many lives.
func (b *busy) batch(lives int) *store.Batch {
	batch := &store.Batch{Host: b.host, Boot: b.boot, HostName: "node-" + b.host[28:]}
	if b.inode <= uint64(len(b.services)) {
		for _, s := range b.services {
			batch.Processes = append(batch.Processes, *s)
		}
	}
	for len(batch.Processes) < lives {
		shell := b.start("sh", "/bin/sh", b.services[1+b.IntN(40)], "/bin/sh", "-c", fmt.Sprintf("/opt/job --id %d --verbose | tee /var/log/job-%d.log", b.Uint32(), b.IntN(100)))
		job := b.start("job", "/opt/job", shell, "/opt/job", "--id", fmt.Sprint(b.Uint32()), "--verbose")
		tee := b.start("tee", "/usr/bin/tee", shell, "tee", fmt.Sprintf("/var/log/job-%d.log", b.IntN(100)))
		for _, p := range []*store.Process{job, tee, shell} {
			p.Exit = process.Exit{Evidence: process.Observed, At: b.now + process.Instant(b.IntN(5e7)), Usage: process.Usage{Known: true,
				User: time.Duration(b.IntN(2e7)), System: time.Duration(b.IntN(1e7)), MaxRSS: uint64(b.IntN(1<<14)) << 12, ReadBytes: uint64(b.IntN(4)) << 12}}
		}
		batch.Processes = append(batch.Processes, *shell, *job, *tee)
	}
	b.now += 5e7
	batch.Now, batch.Wall = b.now, epoch.Add(time.Duration(b.now))
	return batch
}

// BenchmarkAppend is a process, of batches of 10,000, on today's ClickHouse. It tells
// as well how many bytes that takes on disk when all is merged.
func BenchmarkAppend(b *testing.B) {
	dsn := clickhousetest.Today(b)
	if _, err := clickhouse.Init(b.Context(), dsn, clickhouse.InitOptions{}); err != nil {
		b.Fatal(err)
	}
	s, err := clickhouse.Open(b.Context(), dsn, clickhouse.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	hosts := make([]*busy, 10)
	for i := range hosts {
		hosts[i] = newBusy(i)
	}
	n := 0
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		batch := hosts[i%len(hosts)].batch(10_000)
		b.StartTimer()
		if err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		n += len(batch.Processes)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/process")
	c := connect(b, dsn)
	execute(b, c, "OPTIMIZE TABLE processes FINAL")
	var rows, bytes uint64
	if err := c.QueryRow(b.Context(), "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'processes' AND database = currentDatabase()").Scan(&rows, &bytes); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(bytes)/float64(rows), "B/process")
	if testing.Verbose() {
		r, err := c.Query(b.Context(), "SELECT name, data_compressed_bytes/"+fmt.Sprint(rows)+" AS b FROM system.columns WHERE table = 'processes' AND database = currentDatabase() ORDER BY b DESC LIMIT 30")
		if err != nil {
			b.Fatal(err)
		}
		for r.Next() {
			var name string
			var per float64
			_ = r.Scan(&name, &per)
			b.Logf("%s %.2f", name, per)
		}
	}
}
