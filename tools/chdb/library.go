package main

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// A library is libchdb: what is used of its C API (chdb.h). Strings go in with
// their length, so that they may have any byte.
type library struct {
	signalHandlers func(enabled int32)
	connect        func(argc int32, argv **byte) *handle
	closeConn      func(*handle)

	query        func(conn unsafe.Pointer, query *byte, length uintptr, format *byte, formatLength uintptr) unsafe.Pointer
	resultBuffer func(result unsafe.Pointer) *byte
	resultLength func(result unsafe.Pointer) uintptr
	resultError  func(result unsafe.Pointer) string
	freeResult   func(result unsafe.Pointer)

	insert      func(conn unsafe.Pointer, query *byte, length uintptr, format *byte, formatLength uintptr) unsafe.Pointer
	appendTo    func(stream unsafe.Pointer, data *byte, length uintptr) int32
	done        func(stream unsafe.Pointer) unsafe.Pointer
	insertError func(stream unsafe.Pointer) string
	freeInsert  func(stream unsafe.Pointer)
}

// A handle is what chdb_connect returns: a pointer to a chdb_connection.
type handle struct{ conn unsafe.Pointer }

func load(path string) (*library, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("loading libchdb: %w", err)
	}
	l := new(library)
	for name, function := range map[string]any{
		"chdb_set_signal_handlers_enabled": &l.signalHandlers,
		"chdb_connect":                     &l.connect,
		"chdb_close_conn":                  &l.closeConn,
		"chdb_query_n":                     &l.query,
		"chdb_result_buffer":               &l.resultBuffer,
		"chdb_result_length":               &l.resultLength,
		"chdb_result_error":                &l.resultError,
		"chdb_destroy_query_result":        &l.freeResult,
		"chdb_stream_insert_n":             &l.insert,
		"chdb_stream_append":               &l.appendTo,
		"chdb_stream_done":                 &l.done,
		"chdb_stream_insert_error":         &l.insertError,
		"chdb_destroy_insert_stream":       &l.freeInsert,
	} {
		symbol, err := purego.Dlsym(lib, name)
		if err != nil {
			return nil, fmt.Errorf("loading libchdb: %w", err)
		}
		purego.RegisterFunc(function, symbol)
	}
	l.signalHandlers(0) // those of the Go runtime stay
	return l, nil
}

// A session is a connection with a current database and settings of its own.
// One goroutine at a time may use it; any number of sessions run at once.
type session struct {
	lib    *library
	handle *handle
}

// open opens a session of the engine that the arguments of clickhouse-local tell
// how to run. All sessions of a process must have the same; the engine runs until
// the last one is closed.
func (l *library) open(args []string) (*session, error) {
	argv := make([]*byte, len(args)+1)
	var pinned runtime.Pinner
	defer pinned.Unpin()
	for i, arg := range args {
		argv[i] = unsafe.SliceData([]byte(arg + "\x00"))
		pinned.Pin(argv[i])
	}
	h := l.connect(int32(len(args)), &argv[0])
	if h == nil || h.conn == nil {
		return nil, errors.New("libchdb opens no session")
	}
	return &session{l, h}, nil
}

func (s *session) close() { s.lib.closeConn(s.handle) }

// run runs a query and returns its result in the format.
func (s *session) run(query, format string) ([]byte, error) {
	result := s.lib.query(s.handle.conn, unsafe.StringData(query), uintptr(len(query)),
		unsafe.StringData(format), uintptr(len(format)))
	defer s.lib.freeResult(result)
	if text := s.lib.resultError(result); text != "" {
		return nil, parseException(text)
	}
	n := s.lib.resultLength(result)
	if n == 0 {
		return nil, nil
	}
	return append([]byte(nil), unsafe.Slice(s.lib.resultBuffer(result), n)...), nil
}

// insert runs an INSERT statement without its FORMAT clause, with the data in the
// format.
func (s *session) insert(statement, format string, data []byte) error {
	stream := s.lib.insert(s.handle.conn, unsafe.StringData(statement), uintptr(len(statement)),
		unsafe.StringData(format), uintptr(len(format)))
	defer s.lib.freeInsert(stream)
	if text := s.lib.insertError(stream); text != "" {
		return parseException(text)
	}
	const chunk = 1 << 20
	for len(data) > 0 {
		n := min(len(data), chunk)
		if s.lib.appendTo(stream, &data[0], uintptr(n)) != 0 {
			return parseException(s.lib.insertError(stream))
		}
		data = data[n:]
	}
	result := s.lib.done(stream)
	defer s.lib.freeResult(result)
	if text := s.lib.resultError(result); text != "" {
		return parseException(text)
	}
	return nil
}
