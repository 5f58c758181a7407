package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
)

// A request is what ClickHouse's HTTP interface is asked for.
type request struct {
	database string
	settings map[string]string // also parameters of the query, as param_name
	query    string
	format   string // of the answer, where the query names none
	insert   bool   // the query is an INSERT without its FORMAT clause
	data     []byte // of the insert, in the format
	revision int    // of the protocol, for the format Native
	compress bool   // the answer
	method   compress.Method
}

// Parameters of the URL that are no settings: those of the request, and of what
// there is none of here (sessions, users, quotas, buffering).
var ownParameters = []string{
	"database", "query", "default_format", "client_protocol_version", "compress", "decompress",
	"query_id", "session_id", "session_timeout", "session_check", "user", "password", "quota_key",
	"wait_end_of_query", "buffer_size", "network_compression_method",
}

// insertFormat is what an INSERT whose data follow ends with.
var insertFormat = regexp.MustCompile(`(?is)^(\s*INSERT\b.*?)\s+FORMAT\s+(\w+)\s*;?\s*$`)

// outputFormat is what a query that names the format of its answer ends with.
var outputFormat = regexp.MustCompile(`(?is)\sFORMAT\s+(\w+)\s*;?\s*$`)

// onCluster is the ON CLUSTER of a statement that has one.
var onCluster = regexp.MustCompile("(?is)^(\\s*(?:CREATE|ATTACH|DETACH|ALTER|RENAME|DROP|TRUNCATE|OPTIMIZE|EXCHANGE|SYSTEM)\\b.*?)" +
	"\\s+ON\\s+CLUSTER\\s+(?:\\w+|'[^']*'|`[^`]*`)")

func parseRequest(r *http.Request) (*request, error) {
	parameters := r.URL.Query()
	q := &request{
		database: parameters.Get("database"),
		format:   parameters.Get("default_format"),
		compress: parameters.Get("compress") == "1",
		method:   compress.LZ4,
		settings: settings(parameters),
	}
	if q.format == "" {
		q.format = "TabSeparated"
	}
	if parameters.Get("network_compression_method") == "ZSTD" {
		q.method = compress.ZSTD
	}
	if text := parameters.Get("client_protocol_version"); text != "" {
		revision, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("client_protocol_version: %w", err)
		}
		q.revision = revision
	}
	var body io.Reader = r.Body
	if parameters.Get("decompress") == "1" {
		body = compress.NewReader(body)
	}
	data, err := io.ReadAll(body)
	if err != nil && !errors.Is(err, io.EOF) { // of compress.Reader, which wraps it
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	q.query = parameters.Get("query")
	if parts := insertFormat.FindStringSubmatch(q.query); parts != nil && len(data) > 0 {
		q.insert, q.query, q.format, q.data = true, parts[1], parts[2], data
		return q, nil
	}
	if len(data) > 0 { // the one continues the other
		q.query = strings.TrimPrefix(q.query+"\n"+string(data), "\n")
	}
	if named := outputFormat.FindStringSubmatch(q.query); named != nil {
		q.format = named[1]
	}
	return q, nil
}

func settings(parameters url.Values) map[string]string {
	found := map[string]string{}
	for name := range parameters {
		if !slices.Contains(ownParameters, name) {
			found[name] = parameters.Get(name)
		}
	}
	return found
}

var quoted = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "`", "\\`")

// do runs the request in a session.
func (q *request) do(s *session) ([]byte, error) {
	if q.database != "" {
		if _, err := s.run("USE `"+quoted.Replace(q.database)+"`", "Null"); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.settings)) {
		set := fmt.Sprintf("SET `%s` = '%s'", quoted.Replace(name), quoted.Replace(q.settings[name]))
		if _, err := s.run(set, "Null"); err != nil {
			return nil, err
		}
	}
	if q.insert {
		return nil, s.insert(q.query, q.format, q.data)
	}
	answer, err := s.run(q.query, q.format)
	if err == nil && q.format == "Native" {
		answer, err = reframe(answer, q.revision)
	}
	return answer, err
}

// packed returns the answer as the request wants it: in ClickHouse's compressed
// frames, or as it is.
func (q *request) packed(answer []byte) ([]byte, error) {
	if !q.compress {
		return answer, nil
	}
	w := compress.NewWriter(compress.LevelZero, q.method)
	var out bytes.Buffer
	for part := range slices.Chunk(answer, 1<<20) {
		if err := w.Compress(part); err != nil {
			return nil, fmt.Errorf("compressing the answer: %w", err)
		}
		out.Write(w.Data)
	}
	return out.Bytes(), nil
}
