// Command otelcol is an OpenTelemetry Collector for tests: the Collector's own
// service with its own OTLP receiver, over HTTP, and an exporter that writes what
// was received to a file. A line of it is one request, in the JSON of OTLP. What
// was answered with success is in the file.
//
// It logs on standard error on which address it listens, and "Everything is
// ready", and ends at SIGINT and SIGTERM.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

// config is the Collector's configuration, to be filled in with the address and
// the quoted name of the file. Its own metrics would need another address.
const config = `yaml:
receivers:
  otlp:
    protocols:
      http:
        endpoint: %s
exporters:
  lines:
    path: %s
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    logs:
      receivers: [otlp]
      exporters: [lines]
`

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "the `address` to listen on")
	file := flag.String("file", "/dev/stdout", "the `file` to append to")
	flag.Parse()
	if err := run(context.Background(), *listen, *file); err != nil {
		fmt.Fprintln(os.Stderr, "otelcol:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, file string) error {
	c, err := otelcol.NewCollector(otelcol.CollectorSettings{
		Factories: factories,
		BuildInfo: component.BuildInfo{Command: "otelcol", Description: "an OpenTelemetry Collector for tests"},
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              []string{fmt.Sprintf(config, strconv.Quote(listen), strconv.Quote(file))},
			ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
		}},
	})
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// factories returns what the Collector is made of.
func factories() (f otelcol.Factories, err error) {
	f.Telemetry = otelconftelemetry.NewFactory()
	if f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err != nil {
		return f, err
	}
	f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](newFactory())
	return f, err
}
