package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// recordStorm records a storm, and reads the recording.
func (s *sheaf) recordStorm(ctx context.Context, st *storm, k kind, dir, program string, progress func(string, ...any)) (err error) {
	file := filepath.Join(dir, "storm.lineage")
	where := fmt.Sprintf("recording of a storm of %s, %d processes: ", k, st.count)
	progress("%s", strings.TrimSuffix(where, ": "))
	end := ""
	if k == forkExecExit {
		end = st.end
	}
	// It waits when a tenth is over, and at the end, until somebody has looked.
	const script = `"$0" "$1" "$2" 0 $4 && echo && read x && "$0" "$1" "$3" 0 $4 && echo && read x`
	cpu, _, err := processors()
	if err != nil {
		return err
	}
	first := max(st.count/10, 1)
	cmd := exec.CommandContext(ctx, program, "record", "-O", file, "--", "sh", "-c", script,
		st.program, strconv.Itoa(cpu), strconv.Itoa(first), strconv.Itoa(st.count-first), end)
	endWhole(cmd)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	look := func() (memory int, cpu time.Duration, err error) {
		if _, err = io.ReadFull(out, make([]byte, 1)); err != nil {
			return 0, 0, err
		}
		memory, cpu, err = taken(cmd.Process.Pid)
		_, wrote := io.WriteString(in, "\n")
		return memory, cpu, errors.Join(err, wrote)
	}
	least, before, err1 := look()
	most, after, err2 := look()
	if err := errors.Join(err1, err2, in.Close(), cmd.Wait()); err != nil {
		return fmt.Errorf("%s%w: %s", where, err, strings.TrimSpace(stderr.String()))
	}
	n, losses, err := recorded(stderr.String())
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	const others = 3 // the shell, and the storm twice
	s.Limits = append(s.Limits,
		limit{Text: where + "peak memory at the end / at a tenth", Rule: atMost, Bound: 1.1, Measured: exactly(float64(most) / float64(least))},
		limit{Text: where + "peak memory", Unit: inMiB, Measured: exactly(float64(most) / (1 << 20))},
		limit{Text: where + "processes missing", Rule: atMost, Measured: exactly(float64(st.count + others - n))},
		limit{Text: where + "events lost", Rule: atMost, Measured: exactly(float64(losses))},
		limit{Text: where + "file for each process", Rule: atMost, Bound: 100, Unit: inBytes, Measured: exactly(float64(info.Size()) / float64(n))},
		limit{Text: where + "CPU of lineage for each process", Unit: nanoseconds, Measured: exactly(float64(after-before) / float64(st.count-first))},
	)
	for _, args := range [][]string{{"show", "--summary", file}, {"show", file}} {
		show := exec.CommandContext(ctx, program, args...)
		began := time.Now()
		if text, err := show.CombinedOutput(); err != nil {
			return fmt.Errorf("lineage %s: %w: %s", args[0], err, text)
		}
		took, used := time.Since(began), show.ProcessState.SysUsage().(*syscall.Rusage)
		what := where + "lineage " + strings.Join(args[:len(args)-1], " ")
		s.Limits = append(s.Limits,
			limit{Text: what, Unit: nanoseconds, Measured: exactly(float64(took))},
			limit{Text: what + ", peak memory", Unit: inMiB, Measured: exactly(float64(used.Maxrss) / (1 << 10))},
		)
	}
	return nil
}

// exactly is the spread of one number.
func exactly(v float64) *spread { return &spread{v, v, v} }

// taken returns how many bytes a process has had in memory at the most, and the
// processor time that it has had.
func taken(pid int) (memory int, cpu time.Duration, err error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	status, err1 := os.ReadFile(dir + "status")
	stat, err2 := os.ReadFile(dir + "stat")
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, err
	}
	_, text, _ := bytes.Cut(status, []byte("VmHWM:"))
	if _, err := fmt.Sscan(string(text), &memory); err != nil {
		return 0, 0, err
	}
	const (
		utime = 14 - 3 // fields of proc(5), the third of which follows the name
		stime = 15 - 3
		tick  = time.Second / 100 // USER_HZ
	)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, i := range []int{utime, stime} {
		ticks, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, 0, err
		}
		cpu += time.Duration(ticks) * tick
	}
	return memory << 10, cpu, nil
}
