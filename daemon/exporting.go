package daemon

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/otlp"
)

// exporter returns what sends events to a collector.
func (o *Options) exporter(ctx context.Context, tree *watched) (*otlp.Exporter, error) {
	return otlp.New(ctx, otlp.Options{
		Tree: tree, Endpoint: *o.OTLP, Args: o.args(), User: userNames(), HostName: o.HostName, Version: o.Version, Logger: o.Logger,
	})
}

// export sends events until ctx ends. Without a source of events there are none to
// be sent.
func export(ctx context.Context, x *otlp.Exporter, log *slog.Logger) error {
	err := x.Run(ctx)
	if errors.Is(err, lineage.ErrUnsupported) {
		log.Warn("no events are sent over OTLP", "why", err)
		<-ctx.Done()
		return nil
	}
	return err
}

// exporting tells Prometheus how events are sent.
type exporting struct{ exporter *otlp.Exporter }

var (
	recordsDesc  = prometheus.NewDesc("lineage_otlp_records_total", "Records that were made of what happened.", nil, nil)
	sentDesc     = prometheus.NewDesc("lineage_otlp_sent_total", "Records that the collector took.", nil, nil)
	lostDesc     = prometheus.NewDesc("lineage_otlp_lost_total", "Records that it did not take, or that found no room to wait.", nil, nil)
	lossesDesc   = prometheus.NewDesc("lineage_otlp_losses_total", "Times of which events were lost before there were records of them.", nil, nil)
	waitingDesc  = prometheus.NewDesc("lineage_otlp_waiting", "Records that wait for the collector.", nil, nil)
	failuresDesc = prometheus.NewDesc("lineage_otlp_errors_total", "How often the collector took nothing.", nil, nil)
	lastSentDesc = prometheus.NewDesc("lineage_otlp_last_sent_timestamp_seconds", "When the collector last took something.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (e exporting) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recordsDesc, sentDesc, lostDesc, lossesDesc, waitingDesc, failuresDesc, lastSentDesc} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (e exporting) Collect(to chan<- prometheus.Metric) {
	s := e.exporter.Stats()
	for d, n := range map[*prometheus.Desc]uint64{recordsDesc: s.Records, sentDesc: s.Sent, lostDesc: s.Lost, lossesDesc: s.Losses, failuresDesc: s.Failed} {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	to <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(s.Waiting))
	to <- prometheus.MustNewConstMetric(lastSentDesc, prometheus.GaugeValue, float64(s.Last.UnixMilli())/1e3)
}
