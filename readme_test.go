package lineage_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// blocks returns the fenced blocks of a Markdown text in the given language.
func blocks(text, language string) []string {
	var found []string
	for _, part := range strings.Split(text, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		found = append(found, block)
	}
	return found
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadmeCommands runs README's commands, but for the tests themselves.
func TestReadmeCommands(t *testing.T) {
	text := readme(t)
	var commands []string
	for _, block := range blocks(text, "sh") {
		commands = append(commands, strings.Split(block, "\n")...)
	}
	for _, block := range blocks(text, "console") {
		for line := range strings.Lines(block) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				commands = append(commands, strings.TrimSuffix(command, "\n"))
			}
		}
	}
	if len(commands) < 8 {
		t.Fatalf("README has only %d commands: %q", len(commands), commands)
	}
	bin := t.TempDir()
	for _, command := range commands {
		if command == "go test ./..." {
			continue // this is it
		}
		run := exec.Command("bash", "-c", strings.ReplaceAll(command, "bin/lineage", bin+"/lineage")+"\nexit $?") // so that bash stays, and is found
		var stderr bytes.Buffer
		run.Stderr = &stderr
		out, err := run.Output()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, &stderr)
		}
		if len(out) == 0 && !strings.Contains(command, "go build") {
			t.Errorf("%s: prints nothing", command)
		}
	}
}

// TestReadmeLibrary holds the library's ten lines to the example that runs.
func TestReadmeLibrary(t *testing.T) {
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks(readme(t), "go") {
		if !strings.Contains(string(example), block) {
			t.Errorf("README has lines that no example has:\n%s", block)
		}
	}
}

// TestArchitectureNamesTests looks for the tests that ARCHITECTURE names.
func TestArchitectureNamesTests(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file)
		tests.Write(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	if len(names) < 10 {
		t.Errorf("only %d tests are named", len(names))
	}
	for _, name := range names {
		if !strings.Contains(tests.String(), "\nfunc "+name[1]+"(t *testing.T)") {
			t.Errorf("there is no %s", name[1])
		}
	}
}

// TestReadmeLinks follows the links to files.
func TestReadmeLinks(t *testing.T) {
	for _, part := range strings.Split(readme(t), "](")[1:] {
		target, _, _ := strings.Cut(part, ")")
		if _, err := os.Stat(target); err != nil && !strings.Contains(target, "://") {
			t.Errorf("README links to %s: %v", target, err)
		}
	}
}
