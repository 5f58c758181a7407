package storetest

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// childEnv has the directory and the number of the first batch, for the program
// that is killed.
const childEnv = "LINEAGE_STORETEST_CHILD"

// Child is the program that is killed while it appends, where this is that one:
// then it does not return.
func Child(open func(dir string) (store.Store, error)) {
	first, dir, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		return
	}
	n, err := strconv.Atoi(first)
	if err != nil {
		panic(err)
	}
	s, err := open(dir)
	if err != nil {
		panic(err)
	}
	for ; ; n++ {
		if err := s.Append(context.Background(), numbered(n)); err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

// perBatch is how many processes a numbered batch has.
const perBatch = 300

// numbered is a batch that tells its number by what is in it. It ends some of the
// processes of the one before, and each hundred is of the next day.
func numbered(n int) *store.Batch {
	b := emptyBatch(process.Instant(time.Hour) + process.Instant(n)*process.Instant(15*time.Minute))
	add := func(of, i int, lives bool) {
		at := process.Instant(time.Hour) + process.Instant(of)*process.Instant(15*time.Minute) - process.Instant(1e9) + process.Instant(i)
		p := store.Process{Key: store.Key{ID: process.ID{PID: 1 + i, Start: at, Inode: uint64(of*perBatch + i + 1), Precision: process.Exact}}, Name: "n" + strconv.Itoa(of)}
		p.Execs = []process.Command{{File: "/bin/true", Args: []string{"true", strconv.Itoa(i)}, At: at}}
		if !lives {
			p.Exit = process.Exit{Evidence: process.Observed, At: at + 500}
		}
		b.Processes = append(b.Processes, p)
	}
	for i := range perBatch {
		if n > 0 && i%3 == 0 {
			add(n-1, i, false)
		}
		add(n, i, i%3 == 0)
	}
	return b
}

// killed kills a program that appends at any moment, again and again.
func (o Options) killed(t *testing.T) {
	dir, random := t.TempDir(), rand.New(rand.NewPCG(9, 9))
	committed := 0 // batches
	rounds, most := 12, 40
	if o.Slow {
		rounds, most = 5, 8
	}
	for round := range rounds {
		committed = kill(t, dir, committed, 1+random.IntN(most), time.Duration(random.IntN(4000))*time.Microsecond)
		s := o.open(t, dir)
		if o.Ahead { // what the program has sent is in when there is a new writer
			must(t, s.Append(t.Context(), numbered(0)))
		}
		last, err := s.Last(t.Context(), "h1")
		must(t, err)
		n := committed // one more may have been than was told
		for numbered(n).Now <= last.Now {
			n++
		}
		if n < committed || last.Now != numbered(n-1).Now || n > committed+1 {
			t.Fatalf("round %d: the last batch is of %v, and %d were committed", round, last.Now, committed)
		}
		err = whole(t, s, n)
		if o.Ahead && err != nil {
			err = whole(t, s, n+1)
		}
		must(t, err)
		must(t, s.Append(t.Context(), numbered(n)))
		must(t, whole(t, s, n+1))
		committed = n + 1
		must(t, s.Close())
	}
}

// kill runs the program until it has told of some more batches, kills it after the
// delay and returns how many were committed, as it told.
func kill(t *testing.T, dir string, from, more int, delay time.Duration) int {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", childEnv, from, dir))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	told := from
	kill := func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		must(t, err)
		told = n + 1
		if told == from+more {
			time.AfterFunc(delay, kill)
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the program was not killed: %v", err)
	}
	return told
}

// whole checks that the store has these batches, each whole, and nothing twice.
func whole(t *testing.T, s store.Store, batches int) error {
	t.Helper()
	counts, total := map[string]int{}, 0
	q := &store.Query{Limit: store.MaxLimit}
	for {
		page, err := s.Select(t.Context(), q)
		must(t, err)
		for i := range page.Processes {
			p := &page.Processes[i]
			counts[p.Name]++
			total++
			if lives := p.Exit.Evidence == process.Unknown; lives != (p.Name == "n"+strconv.Itoa(batches-1) && (p.ID.PID-1)%3 == 0) {
				return fmt.Errorf("%v of %s lives: %v, with %d batches", p.ID, p.Name, lives, batches)
			}
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	for n := range batches {
		if got := counts["n"+strconv.Itoa(n)]; got != perBatch {
			return fmt.Errorf("batch %d of %d has %d processes, not %d", n, batches, got, perBatch)
		}
	}
	if total != batches*perBatch {
		return fmt.Errorf("%d processes, and not %d", total, batches*perBatch)
	}
	return nil
}
