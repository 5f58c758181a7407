package api

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/proclineage/lineage/container"
)

// metrics are what is told to Prometheus. None has a label that grows with
// processes, names or containers.
type metrics struct {
	server  *Server
	handler http.Handler
	queries *prometheus.HistogramVec
	events  *prometheus.CounterVec
	dropped prometheus.Counter
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		server: s,
		queries: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lineage_query_duration_seconds", Help: "How long it took to answer, by what was asked.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"op"}),
		events:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lineage_events_total", Help: "Events that were told, by type."}, []string{"type"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "lineage_clients_dropped_total", Help: "Clients that were cut off since they did not read."}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.queries, m.events, m.dropped, m, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(s.o.Collectors...)
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, DisableCompression: true, ErrorHandling: promhttp.ContinueOnError})
	return m
}

func (m *metrics) queried(op string, took time.Duration) {
	m.queries.WithLabelValues(op).Observe(took.Seconds())
}

var (
	buildDesc      = prometheus.NewDesc("lineage_build_info", "The version that runs.", []string{"version", "goversion"}, nil)
	sourceDesc     = prometheus.NewDesc("lineage_source_info", "The source in use.", []string{"source"}, nil)
	processesDesc  = prometheus.NewDesc("lineage_processes", "Processes in memory, by state.", []string{"state"}, nil)
	containersDesc = prometheus.NewDesc("lineage_containers", "Containers that runtimes have named.", nil, nil)
	reuseDesc      = prometheus.NewDesc("lineage_pid_reuse_total", "PIDs that were seen to pass to another process.", nil, nil)
	evictionsDesc  = prometheus.NewDesc("lineage_evictions_total", "Processes that were forgotten.", nil, nil)
	lostDesc       = prometheus.NewDesc("lineage_events_lost_total", "How often events were lost; of how many, nothing tells.", []string{"source"}, nil)
	streamsDesc    = prometheus.NewDesc("lineage_streams", "Clients that read events.", nil, nil)
	storedDesc     = prometheus.NewDesc("lineage_store_processes", "Processes in the history.", nil, nil)
	bytesDesc      = prometheus.NewDesc("lineage_store_bytes", "Bytes that the history takes on disk.", nil, nil)
	upDesc         = prometheus.NewDesc("lineage_store_up", "Whether the history answers.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		buildDesc, sourceDesc, processesDesc, containersDesc, reuseDesc, evictionsDesc, lostDesc, streamsDesc, storedDesc, bytesDesc, upDesc,
	} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	s := m.server
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(buildDesc, 1, s.o.Version, runtime.Version())
	gauge(streamsDesc, float64(s.streams.used()))
	if s.live {
		m.collectLive(gauge, count)
	}
	if s.o.Names != nil {
		n := 0
		s.o.Names.All(func(container.Container) bool { n++; return true })
		gauge(containersDesc, float64(n))
	}
	if s.o.History == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Limits.Query)
	defer cancel()
	if s.ready(ctx) != nil {
		gauge(upDesc, 0)
		return
	}
	gauge(upDesc, 1)
	if stats, err := s.held(ctx); err == nil {
		gauge(storedDesc, float64(stats.Processes))
		gauge(bytesDesc, float64(stats.Bytes))
	}
}

// collectLive tells what the live view holds and has seen.
func (m *metrics) collectLive(gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	s := m.server
	source := s.o.Tree.Source().Name
	gauge(sourceDesc, 1, source)
	live := s.o.Tree.Stats()
	for state, n := range map[string]int{"alive": live.Alive, "zombie": live.Zombie, "ended": live.Ended, "unseen": live.Unseen} {
		gauge(processesDesc, float64(n), state)
	}
	count(reuseDesc, live.Reused)
	count(evictionsDesc, live.Evicted)
	count(lostDesc, live.Losses, source)
}

// serve answers with the metrics.
func (m *metrics) serve(w http.ResponseWriter, r *http.Request) error {
	body := &recorded{header: http.Header{}}
	m.handler.ServeHTTP(body, r)
	return m.server.send(w, r, body.header.Get("Content-Type"), body.Bytes())
}
