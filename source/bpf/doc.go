// Package bpf learns of processes from the kernel itself: programs on its
// tracepoints tell of every process that is made, runs another program, is in
// another cgroup or ends, at the moment it happens, and a task iterator tells
// of those that are there. It needs Linux 5.8 with BTF, CAP_BPF and
// CAP_PERFMON.
//
// The programs, in folder kernel, are compiled by `go generate`, which needs
// clang and the headers of libbpf; `go build` needs neither.
package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -target bpfel,bpfeb -no-global-types -output-stem objects programs kernel/lineage.bpf.c -- -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -mcpu=v3
