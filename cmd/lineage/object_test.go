package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// documented returns docs/output.md, which says what each field means.
func documented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/output.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFieldsAreDocumented(t *testing.T) {
	// Names of fields stand in the first cell of the rows, by section.
	names := map[string]map[string]bool{}
	section := ""
	var rest []string
	for line := range strings.Lines(documented(t)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSpace(title)
			names[section] = map[string]bool{}
		}
		cell, ok := strings.CutPrefix(line, "| `")
		if !ok || section == "" {
			rest = append(rest, line)
			continue
		}
		cell, meaning, _ := strings.Cut(cell, " |")
		for name := range strings.SplitSeq(cell, ",") {
			names[section][strings.Trim(name, "` ")] = true
		}
		rest = append(rest, meaning)
	}
	for section, values := range map[string][]any{
		"A process":          {Object{}, Exit{}, Container{}},
		"An event":           {Event{}},
		"A document":         {Document{}},
		"A recording":        {RecordedObject{}, RecordingObject{}},
		"A path of a cgroup": {PathObject{}},
		"The doctor":         {Report{}, Check{}},
		"The version":        {Version{}},
		"The summary of a recording": {
			SummaryObject{}, UsageObject{}, ProfileObject{}, LevelObject{}, CostObject{}, Which{}, ProgramObject{},
			FailureObject{}, StepObject{}, UnknownObject{},
		},
		"What differs between two recordings": {DiffObject{}, TotalObject{}, CameObject{}, PairObject{}, ProgramPairObject{}},
	} {
		for _, v := range values {
			for _, name := range fieldNames(reflect.TypeOf(v)) {
				if !names[section][name] {
					t.Errorf("%T: docs/output.md has no row for %s in %q", v, name, section)
				}
			}
		}
	}
	// Small objects, and what means the same in each document, are documented in
	// the row of the field that has them or in prose.
	prose := strings.Join(rest, "")
	for _, v := range []any{Link{}, Source{}, Passed{}, GroupLine{}, ExecObject{}, LossObject{}, RecordingDocument{}} {
		for _, name := range fieldNames(reflect.TypeOf(v)) {
			if !strings.Contains(prose, "`"+name+"`") {
				t.Errorf("%T: docs/output.md does not name %s", v, name)
			}
		}
	}
}

func fieldNames(typ reflect.Type) []string {
	var names []string
	for f := range typ.Fields() {
		if f.Anonymous || !f.IsExported() || f.Tag.Get("json") == "-" {
			continue // it is documented by itself, or not written
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// TestExamplesParse reads the examples of the documentation into the structs:
// they have no field that is not there, and the first has all that are always
// there.
func TestExamplesParse(t *testing.T) {
	examples := strings.Split(documented(t), "```json\n")[1:]
	into := []any{&Object{}, &Event{}, &Document{}, &RecordingDocument{}, &PathObject{}}
	if len(examples) != len(into) {
		t.Fatalf("%d examples, want %d", len(examples), len(into))
	}
	for i, example := range examples {
		example, _, _ = strings.Cut(example, "```")
		d := json.NewDecoder(strings.NewReader(example))
		d.DisallowUnknownFields()
		if err := d.Decode(into[i]); err != nil {
			t.Errorf("%v in %s", err, example)
		}
		again, err := json.Marshal(into[i])
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if json.Unmarshal(again, &got) != nil || json.Unmarshal([]byte(example), &want) != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("the example is written again as %s", again)
		}
	}
}

// TestNDJSONStandsAlone checks that each line is an object that says which
// schema it has.
func TestNDJSONStandsAlone(t *testing.T) {
	var stdout, stderr strings.Builder
	if status := run([]string{"tree", "--kernel", "-o", "ndjson"}, strings.NewReader(""), &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	n := 0
	for line := range strings.Lines(stdout.String()) {
		var o Object
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Schema != schema || o.PID == 0 || o.ID == "" {
			t.Errorf("%v in %s", err, line)
		}
		n++
	}
	if n < 2 {
		t.Errorf("%d processes", n)
	}
}
