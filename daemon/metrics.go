package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/proclineage/lineage/history"
)

// writing tells Prometheus how the history is written.
type writing struct{ keeper *history.Keeper }

var (
	pendingDesc = prometheus.NewDesc("lineage_store_pending", "Processes that wait to be written.", nil, nil)
	writtenDesc = prometheus.NewDesc("lineage_store_written_total", "Processes that were written; one that changes later counts again.", nil, nil)
	batchesDesc = prometheus.NewDesc("lineage_store_batches_total", "Batches that were written.", nil, nil)
	tookDesc    = prometheus.NewDesc("lineage_store_append_seconds", "How long the last batch took to be written.", nil, nil)
	lastDesc    = prometheus.NewDesc("lineage_store_last_append_timestamp_seconds", "When the last batch was written.", nil, nil)
	droppedDesc = prometheus.NewDesc("lineage_store_dropped_total", "Processes that were not written, since too many waited.", nil, nil)
	errorsDesc  = prometheus.NewDesc("lineage_store_errors_total", "How often the history could not be written.", nil, nil)
	gapsDesc    = prometheus.NewDesc("lineage_gaps_total", "Times of which something is missing in the history, by why.", []string{"reason"}, nil)
)

// Describe implements [prometheus.Collector].
func (w writing) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{pendingDesc, writtenDesc, batchesDesc, tookDesc, lastDesc, droppedDesc, errorsDesc, gapsDesc} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (w writing) Collect(to chan<- prometheus.Metric) {
	s := w.keeper.Stats()
	gauge := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(pendingDesc, float64(s.Pending))
	gauge(tookDesc, s.Took.Seconds())
	gauge(lastDesc, float64(s.Last.UnixMilli())/1e3)
	count(writtenDesc, s.Written)
	count(batchesDesc, s.Batches)
	count(droppedDesc, s.Dropped)
	count(errorsDesc, s.Failed)
	for reason, n := range s.Gaps {
		count(gapsDesc, n, string(reason))
	}
}
