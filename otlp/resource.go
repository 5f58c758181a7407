package otlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/proclineage/lineage/otel"
)

// resource says whose the records are. What the variables of the SDK say has the
// last word.
func (o *Options) resource(ctx context.Context) (*resource.Resource, error) {
	name, _ := os.Hostname()
	hostID, bootID := o.Tree.Host()
	attributes := []attribute.KeyValue{semconv.ServiceName("lineage"), semconv.OSTypeLinux}
	for _, a := range []attribute.KeyValue{
		semconv.ServiceVersion(o.Version),
		semconv.HostID(hostID),
		semconv.HostName(cmp.Or(o.HostName, name)),
		otel.BootIDKey.String(bootID),
	} {
		if a.Value.AsString() != "" {
			attributes = append(attributes, a)
		}
	}
	return resource.New(ctx,
		resource.WithSchemaURL(otel.SchemaURL),
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attributes...),
		resource.WithFromEnv(),
	)
}

// CheckEndpoint returns an error for what can be no [Options.Endpoint].
func CheckEndpoint(text string) error {
	_, err := endpoint(text)
	return err
}

// endpoint reads the URL of a collector.
func endpoint(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("the collector's URL: %w", errors.Unwrap(err)) // which repeats it
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("the collector's URL: %q is not like http://host:4318", u.Redacted())
	case u.User != nil:
		return "", errors.New("the collector's URL: credentials belong in OTEL_EXPORTER_OTLP_HEADERS")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("the collector's URL: it may not have ? or #")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/logs"
	}
	return u.String(), nil
}
