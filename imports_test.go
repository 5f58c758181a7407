package lineage_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/proclineage/lineage"

// imports says which packages of the module a package may import. A name that
// ends in "/*" stands for the packages below it. What is not named here may
// import nothing of the module.
var imports = map[string][]string{
	"process":                    {},
	"cgroup":                     {},
	"internal/linux":             {},
	"source":                     {"process"},
	"source/*":                   {"source", "process", "cgroup", "internal/linux"},
	"container":                  {"process", "cgroup"},
	"container/*":                {"container", "container/internal/rpc", "cgroup"},
	"container/internal/rpc":     {"container"},
	"container/internal/rpctest": {}, // for tests alone
	"container/runtimes":         {"container", "container/*", "cgroup"},
	"":                           {"source", "source/*", "container", "process", "cgroup", "internal/linux"},
	"otel":                       {"", "process", "cgroup", "container"},
	"store":                      {"process"},
	"store/*":                    {"store", "process", "internal/linuxtest"},
	"ship":                       {"store", "process"},
	"otlp":                       {"", "answer", "otel", "process", "container", "cgroup", "internal/linux"},
	"redact":                     {},
	"answer":                     {"", "store", "container", "process", "cgroup"},
	"history":                    {"", "store", "redact", "container", "process", "cgroup", "internal/linux"},
	"api":                        {"", "answer", "store", "redact", "record", "record/*", "container", "process", "cgroup", "internal/linux"},
	"api/client":                 {"api", "answer", "store", "process"},
	"web":                        {},
	"daemon":                     {"", "api", "container", "history", "otlp", "redact", "ship", "store", "internal/linux"},
	"record":                     {"process"},
	"record/*":                   {"record", "record/internal/words", "process"},
	"record/internal/words":      {"record", "process"},
	"record/internal/chromium":   {"internal/linuxtest"},
	"record/internal/recordtest": {"record", "process"},
	"cmd/lineage":                {"", "answer", "api", "api/*", "daemon", "ship", "store", "store/*", "web", "record", "record/*", "container", "container/*", "process", "cgroup", "internal/linux", "source", "source/*"},
	"internal/simkernel":         {"process"},
	// For tests alone.
	"internal/containertest":  {"process", "cgroup", "container", "internal/linuxtest"},
	"internal/clickhousetest": {"internal/linuxtest"},
	"internal/linuxtest":      {"process", "cgroup"},
	"source/sourcetest":       {"source", "process", "cgroup", "internal/linux", "internal/linuxtest"},
}

// plain are the packages that import nothing but the standard library.
var plain = []string{"process", "cgroup", "internal/simkernel", "source"}

// TestImports holds the one way in which imports point.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (file == "bench" || file == "packaging" || file == "tools" || d.Name() == "testdata" || file != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		pkg := path.Dir(filepath.ToSlash(file))
		if pkg == "." {
			pkg = ""
		}
		seen[pkg] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			own, ok := strings.CutPrefix(imported+"/", module+"/")
			switch {
			case ok && !allows(pkg, strings.TrimSuffix(own, "/")):
				t.Errorf("%s: %q must not import %q", file, pkg, strings.TrimSuffix(own, "/"))
			case !ok && strings.Contains(strings.Split(imported, "/")[0], ".") && slices.Contains(plain, pkg):
				t.Errorf("%s: %q must not import %q: the standard library is all it takes", file, pkg, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range imports {
		if !strings.HasSuffix(pkg, "/*") && !seen[pkg] {
			t.Errorf("there is no package %q", pkg)
		}
	}
}

// allows reports whether the package may import the other one.
func allows(pkg, other string) bool {
	rule, ok := imports[pkg]
	if !ok {
		rule, ok = imports[path.Dir(pkg)+"/*"]
	}
	if !ok {
		return false
	}
	for _, name := range rule {
		if name == other || strings.HasSuffix(name, "/*") && path.Dir(other)+"/*" == name && other != "source/sourcetest" {
			return true
		}
	}
	return false
}
