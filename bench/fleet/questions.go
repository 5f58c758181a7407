package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
)

// perHost is how many processes a host has in the day: eight services, one below the
// other, a shell below the last for each sixteenth, and the others below that one.
const (
	perHost = 100_000
	day     = 24 * time.Hour
	step    = day / perHost
	before  = time.Hour // the day begins so long after the boot
)

// Questions fill a day of many hosts, and ask about it.
type questions struct{ rows, rounds int }

func (q *questions) hosts() int { return (q.rows + perHost - 1) / perHost }

// midnight is when the day begins.
func midnight() time.Time { return time.Now().UTC().Truncate(day).Add(-day) }

// start and pid are of the i'th process of a host.
func start(i int) process.Instant { return process.Instant(before + time.Duration(i)*step) }
func pid(i int) int               { return i%4_000_000 + 1 }

func id(i int) process.ID { return process.ID{PID: pid(i), Start: start(i), Precision: process.Exact} }

// key is the id of the i'th process in the store.
func key(i int) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(start(i)))
	binary.BigEndian.PutUint32(b[8:12], uint32(process.Exact)<<24|uint32(pid(i)))
	return string(b[:])
}

// fill has the server make the processes.
func (q *questions) fill(ctx context.Context, dsn string, c driver.Conn) error {
	s, err := clickhouse.Open(ctx, dsn, clickhouse.Options{})
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what it wrote is written
	for n := range q.hosts() {
		b := &store.Batch{Host: hostID(n), Boot: bootID(n), HostName: fmt.Sprintf("node-%04d", n), Now: process.Instant(before + day), Wall: midnight().Add(day)}
		if err := s.Append(ctx, b); err != nil {
			return err
		}
	}
	var above strings.Builder
	for i := services - 1; i >= 0; i-- {
		fmt.Fprintf(&above, "unhex('%x'),", key(i))
	}
	const some = 5_000_000 // at a time
	for from := 0; from < q.rows; from += some {
		n := min(some, q.rows-from)
		if err := c.Exec(ctx, fmt.Sprintf(filling, perHost, before.Nanoseconds(), step.Nanoseconds(), midnight().Unix(), services,
			strings.TrimSuffix(above.String(), ","), from, n)); err != nil {
			return err
		}
		fmt.Printf("\r%d of %d rows", from+n, q.rows)
	}
	fmt.Println()
	return nil
}

// filling makes rows from their numbers.
const filling = `INSERT INTO processes (hour, host, boot, id, version, seen, host_name, pid, start, precision, began, ended, name, program,
	creator_pid, creator_start, creator_precision, creator_evidence, parent_pid, parent_start, parent_precision, parent_evidence,
	ancestors, ancestors_end, owner_known, uid, euid, user, cgroup, container, unit, commands, execs, file, args, exec_at, plain,
	exit, exit_at, exit_status, usage_known, user_time, system_time, max_rss, evidence)
WITH %[1]d AS per_host, %[2]d AS first, %[3]d AS step, %[4]d AS midnight, %[5]d AS services, [%[6]s] AS above,
	intDiv(number, per_host) AS h, number %% per_host AS i, first + i * step AS t, i < services AS service, i %% 16 = 0 AS shell,
	multiIf(service, greatest(toInt64(i) - 1, 0), shell, services - 1, greatest(toInt64(intDiv(i, 16) * 16), services - 1)) AS made_by,
	(x -> toFixedString(concat(reverse(reinterpretAsFixedString(toUInt64(first + x * step))), char(2),
		substring(reverse(reinterpretAsFixedString(toUInt32(x %% 4000000 + 1))), 2, 3), unhex('00000000')), 16)) AS key,
	rand(1) AS r, r %% 150 AS kind, r %% 12 AS owner, r %% 50 AS box,
	fromUnixTimestamp64Nano(toInt64(midnight * 1000000000 + i * step), 'UTC') AS at, intDiv(step * (1 + rand(2) %% 40), 16) AS lived,
	multiIf(service, concat('service-', toString(i)), shell, 'sh', concat('program-', toString(kind))) AS label,
	if(i = 0, 0, made_by %% 4000000 + 1) AS maker, if(i = 0, 0, first + made_by * step) AS made_at, if(i = 0, 0, 2) AS made_precision, if(i = 0, 'scanned', 'observed') AS made_how
SELECT toStartOfHour(toDateTime(midnight + intDiv(i * step, 1000000000), 'UTC')), concat('0000000000000000000f1ee7', leftPad(lower(hex(toUInt32(h))), 8, '0')),
	concat('00000000-0000-4000-8000-', leftPad(lower(hex(toUInt32(h))), 12, '0')), key(i), t * 2 + if(service, 0, 1), at + toIntervalSecond(2), concat('node-', leftPad(toString(h), 4, '0')),
	i %% 4000000 + 1, t, 2, at, if(service, fromUnixTimestamp64Nano(toInt64(0), 'UTC'), at + toIntervalNanosecond(lived)), label AS name, label AS program,
	maker, made_at, made_precision, made_how, maker, made_at, made_precision, made_how,
	multiIf(service, arraySlice(above, services + 1 - toInt64(i)), shell OR i < 16, above, arrayPushFront(above, key(made_by))), 'all',
	1, 1000 + owner, 1000 + owner, concat('user', toString(owner)), concat('/system.slice/build-', toString(box %% 20), '.service'),
	if(box < 40, concat(leftPad(toString(box), 2, '0'), leftPad(lower(hex(toUInt32(h))), 62, '0')), ''), concat('build-', toString(box %% 20), '.service'), 1, 1,
	concat('/usr/lib/', label), if(shell, ['sh', '-c', concat('make -C part', toString(r %% 2000))],
		[concat('/usr/lib/', label), '--job', toString(r %% 2000), '-o', concat('/var/lib/build/objects/', toString(r %% 2000), '/part.o'), '--flag']), t + 300000, 1,
	if(service, 'unknown', 'observed'), if(service, 0, t + lived), if(service, 0, if(r %% 20 = 0, 256, 0)), if(service, 0, 1), r %% 9000000, r %% 3000000, (r %% 9000) * 4096, 'observed'
FROM (SELECT number FROM numbers(%[7]d, %[8]d))`

// recursive is what the same would be asked by without the ancestors in each row.
const (
	recursiveAncestors = `WITH RECURSIVE up AS (
	SELECT creator_pid, creator_start, 0 AS n FROM processes FINAL WHERE host = {host:String} AND boot = {boot:String} AND start = {start:UInt64} AND pid = {pid:Int64}
	UNION ALL
	SELECT p.creator_pid, p.creator_start, up.n + 1 FROM processes AS p FINAL JOIN up ON p.start = up.creator_start AND p.pid = up.creator_pid WHERE p.host = {host:String} AND p.boot = {boot:String})
SELECT count() FROM up`
	recursiveDescendants = `WITH RECURSIVE down AS (
	SELECT pid, start, began FROM processes FINAL WHERE host = {host:String} AND boot = {boot:String} AND start = {start:UInt64} AND pid = {pid:Int64}
	UNION ALL
	SELECT p.pid, p.start, p.began FROM processes AS p FINAL JOIN down ON p.creator_start = down.start AND p.creator_pid = down.pid WHERE p.host = {host:String} AND p.boot = {boot:String})
SELECT count() FROM down WHERE began >= {since:DateTime64(9, 'UTC')} AND began < {until:DateTime64(9, 'UTC')}`
)

// A question is asked again and again of other processes.
type question struct {
	name string
	ask  func(ctx context.Context, round int) (found int, err error)
}

func (q *questions) run(ctx context.Context, dsn string) error {
	c, err := connect(dsn)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // it was read from
	var have uint64
	if err := c.QueryRow(ctx, "SELECT count() FROM processes").Scan(&have); err != nil {
		return err
	}
	if have == 0 {
		if err := q.fill(ctx, dsn, c); err != nil {
			return err
		}
	}
	s, err := clickhouse.Open(ctx, dsn, clickhouse.Options{})
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it was read from
	stats, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d rows, %d bytes, %.1f a row\n", stats.Processes, stats.Bytes, float64(stats.Bytes)/float64(stats.Processes))
	fmt.Println("| question | found | median | least | most |\n|---|--:|--:|--:|--:|")
	all := q.all(s, c)
	took := make([][]time.Duration, len(all))
	found := make([]int, len(all))
	for round := range q.rounds {
		for i, one := range all {
			if strings.HasPrefix(one.name, "recursive") && round >= 3 {
				continue
			}
			began := time.Now()
			if found[i], err = one.ask(ctx, round); err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	for i, one := range all {
		slices.Sort(took[i])
		fmt.Printf("| %s | %d | %v | %v | %v |\n", one.name, found[i], took[i][len(took[i])/2].Round(100*time.Microsecond), took[i][0].Round(100*time.Microsecond), took[i][len(took[i])-1].Round(100*time.Microsecond))
	}
	return nil
}

// all are the questions, each round about another host.
func (q *questions) all(s *clickhouse.Store, c driver.Conn) []question {
	host := func(round int) int { return (round*7919 + 13) % q.hosts() }
	subject := func(round int) int { return perHost/2 + round*1000 + 5 } // a program
	hour := func() (since, until time.Time) { return midnight().Add(12 * time.Hour), midnight().Add(13 * time.Hour) }
	selected := func(ctx context.Context, sq store.Query) (int, error) {
		sq.Limit = store.MaxLimit
		page, err := s.Select(ctx, &sq)
		return len(page.Processes), err
	}
	recursive := func(ctx context.Context, sql string, n, i int) (int, error) {
		since, until := hour()
		var count uint64
		err := c.QueryRow(ctx, sql, driver.Named("host", hostID(n)), driver.Named("boot", bootID(n)), driver.Named("start", uint64(start(i))), driver.Named("pid", int64(pid(i))),
			driver.DateNamed("since", since, driver.NanoSeconds), driver.DateNamed("until", until, driver.NanoSeconds)).Scan(&count)
		return int(count), err
	}
	return []question{
		{"who held a PID at a time, and its ancestors", func(ctx context.Context, round int) (int, error) {
			i := subject(round)
			p, err := s.Holder(ctx, hostID(host(round)), pid(i), midnight().Add(time.Duration(i)*step).Add(step/32))
			if err != nil {
				return 0, err
			}
			above, err := s.Ancestors(ctx, p.Key)
			return len(above), err
		}},
		{"ancestors of one process", func(ctx context.Context, round int) (int, error) {
			n := host(round)
			above, err := s.Ancestors(ctx, store.Key{Host: hostID(n), Boot: bootID(n), ID: id(subject(round))})
			return len(above), err
		}},
		{"recursive: the same", func(ctx context.Context, round int) (int, error) {
			return recursive(ctx, recursiveAncestors, host(round), subject(round))
		}},
		{"descendants of a service in an hour", func(ctx context.Context, round int) (int, error) {
			n := host(round)
			since, until := hour()
			return selected(ctx, store.Query{Host: hostID(n), Under: store.Key{Host: hostID(n), Boot: bootID(n), ID: id(3)}, Since: since, Until: until})
		}},
		{"recursive: the same", func(ctx context.Context, round int) (int, error) {
			return recursive(ctx, recursiveDescendants, host(round), 3)
		}},
		{"on any host in an hour, below service-3 and sh", func(ctx context.Context, round int) (int, error) {
			since, until := hour()
			sq := store.Query{Since: since.Add(time.Duration(round) * time.Second), Until: until, Ancestors: []string{"service-3"}}
			if err := store.ParseQuery(&sq, "name:sh", until); err != nil {
				return 0, err
			}
			return selected(ctx, sq)
		}},
		{"on any host in the day, below service-3 and sh", func(ctx context.Context, round int) (int, error) {
			sq := store.Query{Since: midnight().Add(time.Duration(round) * time.Second), Until: midnight().Add(day), Ancestors: []string{"service-3"}}
			if err := store.ParseQuery(&sq, "name:sh", midnight().Add(day)); err != nil {
				return 0, err
			}
			return selected(ctx, sq)
		}},
	}
}
