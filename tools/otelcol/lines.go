package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
)

// linesConfig is the part of the configuration that a lines exporter has.
type linesConfig struct {
	// Path is the file to append to.
	Path string `mapstructure:"path"`
}

// lines is an exporter that writes a line for each request. What it has taken is
// written: there is no buffer of its own.
type lines struct {
	path string
	json plog.JSONMarshaler

	mu   sync.Mutex
	file *os.File
}

// newFactory returns what makes them.
func newFactory() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("lines"),
		func() component.Config { return &linesConfig{} },
		exporter.WithLogs(func(_ context.Context, _ exporter.Settings, c component.Config) (exporter.Logs, error) {
			o, ok := c.(*linesConfig)
			if !ok || o.Path == "" {
				return nil, errors.New("lines: no path")
			}
			return &lines{path: o.Path}, nil
		}, component.StabilityLevelStable))
}

// Start opens the file, without the part of a line that one which was killed has left:
// who sent that was not answered, and sends it again.
func (l *lines) Start(context.Context, component.Host) (err error) {
	l.file, err = os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	written, err := io.ReadAll(l.file)
	if err != nil {
		return err
	}
	return l.file.Truncate(int64(bytes.LastIndexByte(written, '\n') + 1))
}

// Shutdown closes it.
func (l *lines) Shutdown(context.Context) error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// Capabilities says that what is received stays as it is.
func (l *lines) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeLogs writes a line.
func (l *lines) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	line, err := l.json.MarshalLogs(logs)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.file.Write(append(line, '\n'))
	return err
}
