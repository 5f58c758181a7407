package main

import (
	"encoding/json"

	"github.com/proclineage/lineage"
)

// emit writes processes as json or ndjson.
func (a *app) emit(command string, info lineage.SourceInfo, objects []Object) error {
	return a.emitFrom(command, sourceObject(info), objects)
}

func (a *app) emitFrom(command string, from Source, objects []Object) error {
	if a.output.value == "ndjson" {
		for i := range objects {
			objects[i].Schema = schema
			if err := a.encode(objects[i], ""); err != nil {
				return err
			}
		}
		return nil
	}
	if objects == nil {
		objects = []Object{}
	}
	return a.encode(Document{
		Schema:    schema,
		Command:   command,
		Source:    from,
		Complete:  len(a.gaps) == 0,
		Note:      gapText(a.gaps),
		Processes: objects,
	}, "  ")
}

// encode writes one value, on one line where there is no indent. What is no
// UTF-8 becomes U+FFFD, as encoding/json does it.
func (a *app) encode(v any, indent string) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}

func sourceObject(info lineage.SourceInfo) Source {
	s := Source{Name: info.Name, CannotTell: []string{}}
	for _, l := range info.Limits {
		s.CannotTell = append(s.CannotTell, l.String())
	}
	for _, p := range info.Passed {
		s.Passed = append(s.Passed, Passed{Name: p.Name, Why: reason(p.Name, p.Err)})
	}
	return s
}

// indent is how documents are indented: those of ndjson are on one line.
func (a *app) indent() string {
	if a.output.value == "ndjson" {
		return ""
	}
	return "  "
}
