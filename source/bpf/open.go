package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
)

// Open loads the programs and attaches them. From its return on, everything
// that happens to a process is told. An error wraps [errors.ErrUnsupported]
// where the kernel lacks something, and [fs.ErrPermission] where the caller
// does, and says what.
func Open(o Options) (*Source, error) {
	if err := privileged(); err != nil {
		return nil, err
	}
	if o.Buffer > maxBuffer {
		return nil, fmt.Errorf("bpf: a buffer of %d bytes: at most %d", o.Buffer, maxBuffer)
	}
	s := &Source{procPath: o.ProcPath}
	if s.procPath == "" {
		s.procPath = "/proc"
	}
	if err := s.open(bufferSize(o.Buffer)); err != nil {
		return nil, errors.Join(s.explain(err), s.free())
	}
	return s, nil
}

// maxBuffer is the most that Options.Buffer may be.
const maxBuffer = 1 << 30

// bufferSize returns a size that a ring buffer may have.
func bufferSize(n int) int {
	if n <= 0 {
		n = DefaultBuffer
	}
	n = max(n, os.Getpagesize())
	return 1 << bits.Len(uint(n-1))
}

// privileged reports what the caller lacks.
func privileged() error {
	has, err := linux.EffectiveCapabilities()
	if err != nil {
		return fmt.Errorf("bpf: capabilities: %w", err)
	}
	if has.Has(unix.CAP_SYS_ADMIN) {
		return nil
	}
	var lacks []string
	for _, c := range []struct {
		bit  int
		name string
	}{{unix.CAP_BPF, "CAP_BPF"}, {unix.CAP_PERFMON, "CAP_PERFMON"}} {
		if !has.Has(c.bit) {
			lacks = append(lacks, c.name)
		}
	}
	if lacks == nil {
		return nil
	}
	return fmt.Errorf("bpf: %w: it takes %s as well; run as root, or give both to the program (setcap cap_bpf,cap_perfmon+ep)",
		fs.ErrPermission, strings.Join(lacks, " and "))
}

// explain says what is missing, where loading or attaching fails.
func (s *Source) explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) && !isVerifier(err):
		// What the libraries say of it is a guess (MEMLOCK).
		if namespace, err := os.Readlink(filepath.Join(s.procPath, "self/ns/user")); err == nil && namespace != linux.FirstUserNamespace {
			return fmt.Errorf("bpf: %w: in a user namespace, outside of which its capabilities do not count; run as root outside of it, on the host",
				fs.ErrPermission)
		}
		return fmt.Errorf("bpf: %w: the kernel refuses although the capabilities are there; look for a seccomp profile without bpf and perf_event_open, for lockdown=confidentiality and, before Linux 5.11, at ulimit -l",
			fs.ErrPermission)
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, btf.ErrNotFound), errors.Is(err, unix.EINVAL), errors.Is(err, fs.ErrNotExist), isVerifier(err):
		return fmt.Errorf("bpf: %w by Linux %s: it takes 5.8 with BTF (CONFIG_DEBUG_INFO_BTF): %w",
			errors.ErrUnsupported, linux.Release(), err)
	}
	return fmt.Errorf("bpf: %w", err)
}

func isVerifier(err error) bool {
	var refused *ebpf.VerifierError
	return errors.As(err, &refused)
}

func (s *Source) open(size int) error {
	// Memory of programs counts towards RLIMIT_MEMLOCK before Linux 5.11. If
	// the limit cannot be raised, it may do all the same.
	_ = rlimit.RemoveMemlock()
	if err := s.load(size); err != nil {
		return err
	}
	offset, err := s.learnSelf()
	if err != nil {
		return err
	}
	s.decoder = newDecoder(offset, s.sets.cgroup)
	s.peaks = s.shared.peaks.Load() != 0
	return s.attach()
}

// load loads the programs and maps what they share with the reader.
func (s *Source) load(size int) error {
	spec, err := loadPrograms()
	if err != nil {
		return err
	}
	kernel := btf.NewCache() // of types, for megabytes of them
	groupDead, err := fit(spec, kernel)
	if err != nil {
		return err
	}
	if !groupDead {
		s.ends = new(ends)
	}
	spec.Maps["events"].MaxEntries = uint32(size)
	if s.objects, err = loadObjects(spec, kernel); err != nil {
		return err
	}
	if s.shared, err = mapShared(s.maps[".bss"].FD(), spec.Variables["shared"].Offset); err != nil {
		return err
	}
	s.shared.epoch.Store(1)
	s.shared.fill.Store(uint64(size / 4))
	if s.ring, err = mapRing(s.maps["events"].FD(), size); err != nil {
		return err
	}
	if s.waiter, err = newWaiter(s.maps["events"].FD()); err != nil {
		return err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	s.drops = newDrops(s.maps["drops"], cpus)
	s.iterator, err = link.AttachIter(link.IterOptions{Program: s.programs["seen"]})
	return err
}

// fit sets what the programs have to know of the kernel before they are loaded.
// It returns whether that says which thread of a process is the last to end.
func fit(spec *ebpf.CollectionSpec, types *btf.Cache) (groupDead bool, err error) {
	kernel, err := types.Kernel()
	if err != nil {
		return false, err
	}
	arguments, err := tracepoint(kernel, "sched_process_exit")
	if err != nil {
		return false, err
	}
	groupDead = arguments == 2 // trace_sched_process_exit(task, group_dead)
	if err := spec.Variables["has_group_dead"].Set(groupDead); err != nil {
		return false, err
	}
	// A tracepoint that only some kernels have is taken for another one, and
	// so at worst told twice.
	if _, err := tracepoint(kernel, "cgroup_transfer_tasks"); errors.Is(err, btf.ErrNotFound) {
		spec.Programs["transferred"].AttachTo = spec.Programs["attached"].AttachTo
	}
	return groupDead, nil
}

// tracepoint returns how many arguments a tracepoint has.
func tracepoint(kernel *btf.Spec, name string) (int, error) {
	var def *btf.Typedef
	if err := kernel.TypeByName("btf_trace_"+name, &def); err != nil {
		return 0, err
	}
	p, ok := def.Type.(*btf.Pointer)
	if !ok {
		return 0, btf.ErrNotFound
	}
	f, ok := p.Target.(*btf.FuncProto)
	if !ok {
		return 0, btf.ErrNotFound
	}
	return len(f.Params) - 1, nil
}

// attach attaches the programs, those first that tell what others change.
func (s *Source) attach() error {
	for _, name := range []string{
		"mounted", "unmounted", "remounted", "renamed", "attached", "transferred", "exited", "executed", "forked",
	} {
		l, err := link.AttachTracing(link.TracingOptions{Program: s.programs[name]})
		if err != nil {
			return err
		}
		s.links = append(s.links, l)
	}
	return nil
}
