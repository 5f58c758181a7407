package cnproc

import (
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// BenchmarkFork is a fork and what it costs to learn of it.
func BenchmarkFork(b *testing.B) {
	src := listen(b, Options{})
	a := linuxtest.Start(b)
	drop := func(*process.Event) {}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		c := a.Fork()
		b.StartTimer()
		if err := src.Drain(drop); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		c.Exit(0)
		a.Wait(c)
		b.StartTimer()
	}
}

// BenchmarkPending is a question when nothing has happened.
func BenchmarkPending(b *testing.B) {
	src := listen(b, Options{})
	for b.Loop() {
		src.Pending()
	}
}

// BenchmarkStorm is what a process costs the reader that ends at once.
func BenchmarkStorm(b *testing.B) {
	src := listen(b, Options{Buffer: 64 << 20})
	bare := linuxtest.Start(b).Fork()
	drop := func(*process.Event) {}
	const n = 1000
	for b.Loop() {
		b.StopTimer()
		if _, err := bare.Churn(n, 0); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := src.Drain(drop); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/process")
}

// listen opens a source that ends with the benchmark.
func listen(b *testing.B, o Options) *Source {
	b.Helper()
	src := start(b, o)
	b.Cleanup(func() {
		if err := src.Close(); err != nil {
			b.Error(err)
		}
	})
	return src
}
