package bpf

import (
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

func benchSource(b *testing.B) *Source {
	b.Helper()
	linuxtest.Need(b, linuxtest.BPF)
	s, err := Open(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// Open, with what it takes to load the programs into the kernel, and Close.
func BenchmarkOpen(b *testing.B) {
	linuxtest.Need(b, linuxtest.BPF)
	for b.Loop() {
		s, err := Open(Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPending(b *testing.B) {
	s := benchSource(b)
	n := 0
	for b.Loop() {
		if s.Pending() {
			n++
		}
	}
}

// A drain of nothing.
func BenchmarkDrain(b *testing.B) {
	s := benchSource(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Drain(func(*process.Event) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// What an event costs the reader: of forks and exits, half and half.
func BenchmarkEvent(b *testing.B) {
	s := benchSource(b)
	a := linuxtest.Start(b).Fork()
	const children = 2000 // for which there is room
	told := 0
	count := func(*process.Event) { told++ }
	if err := s.Drain(count); err != nil {
		b.Fatal(err)
	}
	told = 0
	var spent time.Duration
	for b.Loop() {
		if _, err := a.Churn(children, 0); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := s.Drain(count); err != nil {
			b.Fatal(err)
		}
		spent += time.Since(began)
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(told), "ns/event")
	b.ReportMetric(0, "ns/op") // most of which the children take
}

// What a child costs in the kernel, with a source and without.
func BenchmarkChild(b *testing.B) {
	for _, traced := range []bool{false, true} {
		name := "plain"
		if traced {
			name = "traced"
		}
		b.Run(name, func(b *testing.B) {
			linuxtest.Need(b, linuxtest.BPF)
			if traced {
				_ = benchSource(b) // which loses most of it
			}
			a := linuxtest.Start(b).Fork()
			for b.Loop() {
				if _, err := a.Churn(1000, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/child")
		})
	}
}

// A scan of what there is and of 5,000 processes more.
func BenchmarkScan(b *testing.B) {
	s := benchSource(b)
	a := linuxtest.Start(b).Fork()
	if _, err := a.Chain(5000); err != nil {
		b.Skip(err)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = 0
		if err := s.Scan(b.Context(), func(*process.Event) { n++ }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/process")
}

// What a table learns of a host with 20,000 processes when a source has been
// opened: the scan, and the table that is made of it.
func BenchmarkBootstrap(b *testing.B) {
	s := benchSource(b)
	a := linuxtest.Start(b).Fork()
	links, err := a.Chain(20_000)
	if err != nil {
		b.Skipf("%d processes: %v", len(links), err)
	}
	for _, keep := range []bool{false, true} {
		name := "scan"
		if keep {
			name = "scan and apply"
		}
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = 0
				table := process.NewTable(process.Retention{})
				err := s.Scan(b.Context(), func(e *process.Event) {
					n++
					if keep {
						table.Apply(e)
					}
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/process")
			b.ReportMetric(float64(n), "processes")
		})
	}
}
