package otlp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/otel"
	"github.com/proclineage/lineage/process"
)

// A Tree is what an exporter asks a [lineage.Tree].
type Tree interface {
	Events(context.Context) (<-chan lineage.Event, error)
	Source() lineage.SourceInfo
	ProcessByID(process.ID) (process.Process, error)
	Details(process.ID) (process.Details, error)
	Container(*process.Process) container.Membership
	Time(process.Instant) time.Time
	Host() (hostID, bootID string)
}

// Options says how an exporter works. Tree must be set; of the rest the zero value
// is a good choice.
type Options struct {
	// Tree tells what happens. [lineage.Tree.Run] must run until [Exporter.Run] has
	// returned.
	Tree Tree
	// Endpoint is the URL of the collector, as http://host:4318. Without a path
	// it is /v1/logs there, as OTLP has it. Empty means what the variables
	// OTEL_EXPORTER_OTLP_LOGS_ENDPOINT and OTEL_EXPORTER_OTLP_ENDPOINT say, or
	// else this host. The other OTEL_EXPORTER_OTLP_ variables (headers,
	// certificates, compression, timeout) count in any case, but for that of the
	// protocol.
	Endpoint string
	// Args returns what is sent of the arguments of a command, such as
	// [redact.Args]. It may return its argument. Nil for all of them.
	Args func([]string) []string
	// User returns the name of a user, nil for names that are not asked for.
	User func(uid int) string
	// HostName is the host's name, empty for that of the kernel.
	HostName string
	// Version is that of the program.
	Version string
	// Queue is how many records wait for the collector at most. Zero means
	// [DefaultQueue].
	Queue int
	// Patience is for how long a batch is tried. Zero means [DefaultPatience].
	Patience time.Duration
	// Logger takes what is lost, and the errors of the collector, one each time
	// that another one comes. Nothing is logged when it is nil.
	Logger *slog.Logger
}

const (
	// DefaultQueue is the Queue of zero Options. Some 3 KiB is taken by each.
	DefaultQueue = 8192
	// DefaultPatience is the Patience of zero Options.
	DefaultPatience = 5 * time.Minute

	// mostBatch is how many records a batch has at most, and interval how long one
	// waits to be full.
	mostBatch = 512
	interval  = time.Second
	// lastly is for how long what waits is sent once Run is to end.
	lastly = 5 * time.Second
)

// An Exporter sends what a tree tells to a collector.
type Exporter struct {
	o        Options
	resource *resource.Resource
	delivery *delivery

	source string     // in use since the last loss
	top    process.ID // of a chain above which there was nobody
}

// New returns an exporter. It fails where the endpoint is none, and where files
// that the variables name cannot be used; whether there is a collector shows later.
func New(ctx context.Context, o Options) (*Exporter, error) {
	o.Queue, o.Patience = cmp.Or(o.Queue, DefaultQueue), cmp.Or(o.Patience, DefaultPatience)
	if o.Args == nil {
		o.Args = func(args []string) []string { return args }
	}
	if o.User == nil {
		o.User = func(int) string { return "" }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	settings := []otlploghttp.Option{otlploghttp.WithRetry(otlploghttp.RetryConfig{
		Enabled: true, InitialInterval: firstPause, MaxInterval: longestPause, MaxElapsedTime: o.Patience,
	})}
	if o.Endpoint != "" {
		url, err := endpoint(o.Endpoint)
		if err != nil {
			return nil, err
		}
		settings = append(settings, otlploghttp.WithEndpointURL(url))
	}
	next, err := otlploghttp.New(ctx, settings...)
	if err != nil {
		return nil, fmt.Errorf("the OTLP exporter: %w", err)
	}
	res, err := o.resource(ctx)
	if err != nil {
		return nil, fmt.Errorf("the resource: %w", err)
	}
	return &Exporter{
		o: o, resource: res,
		delivery: &delivery{next: next, log: o.Logger, room: make(chan struct{}, o.Queue), ended: make(chan struct{})},
	}, nil
}

// Run sends what happens until ctx ends, then what is left, for which it takes some
// seconds at most, and returns nil. It fails with [lineage.ErrUnsupported] where
// nothing tells what happens on this host, at once or when the tree's last live
// source has failed. It is to be called once.
func (x *Exporter) Run(ctx context.Context) error {
	events, err := x.o.Tree.Events(ctx)
	if err != nil {
		return err
	}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(x.resource),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(x.delivery,
			sdklog.WithMaxQueueSize(x.o.Queue), sdklog.WithExportMaxBatchSize(mostBatch),
			sdklog.WithExportInterval(interval), sdklog.WithExportTimeout(x.o.Patience),
		)),
	)
	logger := provider.Logger("github.com/proclineage/lineage/otlp",
		log.WithInstrumentationVersion(x.o.Version), log.WithSchemaURL(otel.SchemaURL))
	running, end := context.WithCancel(ctx)
	defer end()
	var last *time.Timer
	timed := make(chan struct{})
	context.AfterFunc(running, func() {
		last = time.AfterFunc(lastly, func() { close(x.delivery.ended) })
		close(timed)
	})
	x.source = x.o.Tree.Source().Name
	x.delivery.begin()
	for e := range events { // to the last that happened before ctx ended
		x.take(ctx, logger, &e)
	}
	end()
	<-timed
	err = provider.Shutdown(context.WithoutCancel(ctx))
	last.Stop()
	x.delivery.finish()
	if err == nil && ctx.Err() == nil {
		err = fmt.Errorf("no live source is left: %w", lineage.ErrUnsupported)
	}
	return err
}

// take makes a record of an event and hands it over.
func (x *Exporter) take(ctx context.Context, logger log.Logger, e *lineage.Event) {
	if eventName(e.Kind) == "" {
		return
	}
	if e.Kind == process.Loss {
		x.source = x.o.Tree.Source().Name
	}
	taken := time.Now()
	if !x.delivery.admit(ctx, e.Kind == process.Loss) {
		return
	}
	r := x.record(e)
	r.SetObservedTimestamp(taken)
	logger.Emit(context.WithoutCancel(ctx), r)
}

// Stats returns what the exporter has done.
func (x *Exporter) Stats() Stats { return x.delivery.now() }
