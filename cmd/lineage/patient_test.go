package main

import (
	"errors"
	"os"
	"testing"
)

// Who does not read does not keep the command from ending.
func TestPatientWriter(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	end := make(chan struct{})
	p := &patientWriter{w, end}
	if n, err := p.Write([]byte("read")); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	close(end)
	if _, err := p.Write(make([]byte, 1<<20)); !errors.Is(err, errUnread) {
		t.Errorf("%v, want %v", err, errUnread)
	}
	text := make([]byte, 4)
	if _, err := r.Read(text); err != nil || string(text) != "read" {
		t.Errorf("%q, %v", text, err)
	}
}
