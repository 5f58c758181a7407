package record

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// check fails where a recording that was read is none that can be relied on.
func check(t *testing.T, r *Recording) {
	for i := range r.Processes {
		if c := r.Processes[i].Creator; c < -1 || c >= i {
			t.Fatalf("%d was made by %d", i, c)
		}
	}
}

// FuzzRead reads any file.
func FuzzRead(f *testing.F) {
	whole := file(f, build(30))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Add(compressed(f, `{"recording":1}`+"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Read(bytes.NewReader(b), ReadOptions{Memory: 8 << 20})
		if err == nil && r == nil {
			t.Fatal("neither a recording nor an error")
		}
		if r != nil {
			check(t, r)
		}
	})
}

// FuzzLines reads any text, and what is written of it again.
func FuzzLines(f *testing.F) {
	f.Add(`{"recording":1,"began_at":5,"command":["make"],"limits":[""]}` + "\n" + `{"fork":0,"pid":1,"t":-5}` + "\n" + `{"fork":1,"by":0,"t":1,"name":"\udcff"}` + "\n" +
		`{"exec":1,"t":2,"args":["a"],"file":"b","uid":7}` + "\n" + `{"exit":1,"t":3,"code":1,"known":7}` + "\n" + `{"loss":4,"since":1}` + "\n" + `{"limit":1,"text":"x"}` + "\n" + `{"end":5}` + "\n")
	f.Add(`{"recording":1}` + "\n" + `{"x":[{"a":1e5},null,true,false,"\ud83d\ude00"]}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(bytes.NewReader(compressed(t, text)), ReadOptions{Memory: 8 << 20})
		if r == nil {
			if err == nil {
				t.Fatal("neither a recording nor an error")
			}
			return
		}
		check(t, r)
		again, err := Read(bytes.NewReader(file(t, r)), ReadOptions{})
		if err != nil {
			if errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		normal(r)
		normal(again)
		if !reflect.DeepEqual(again, r) {
			t.Fatalf("read\n%+v\nand written and read again\n%+v", r, again)
		}
	})
}

// normal makes alike what means the same.
func normal(r *Recording) {
	r.Header.Version = 0
	r.Header.Began = r.Header.Began.UTC()
	if len(r.Header.Limits) == 0 {
		r.Header.Limits = nil
	}
	for i := range r.Processes {
		p := &r.Processes[i]
		if !p.Exit.Usage.Known {
			p.Exit.Usage.ReadBytes, p.Exit.Usage.WrittenBytes = 0, 0
		}
	}
}
