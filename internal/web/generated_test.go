package web

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
)

// TestGeneratedFilesAreFresh generates each page again, with the generator of the very version that go.mod pins, and compares.
func TestGeneratedFilesAreFresh(t *testing.T) {
	sources := glob(t, "*.templ")
	for _, source := range sources {
		t.Run(source, func(t *testing.T) {
			page, err := parser.Parse(source)
			if err != nil {
				t.Fatal(err)
			}
			var layout bytes.Buffer
			if err := page.Write(&layout); err != nil {
				t.Fatal(err)
			}
			if layout.String() != read(t, source) {
				t.Errorf("%s is not laid out as templ fmt does it", source)
			}
			var raw bytes.Buffer
			if _, err := generator.Generate(page, &raw, generator.WithVersion(templ.Version()), generator.WithFileName(source)); err != nil {
				t.Fatal(err)
			}
			want, err := format.Source(raw.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if read(t, generated(source)) != string(want) {
				t.Errorf("%s is older than %s, run go generate ./internal/web", generated(source), source)
			}
		})
	}
	for _, file := range glob(t, "*_templ.go") {
		if _, err := os.Stat(strings.TrimSuffix(file, "_templ.go") + ".templ"); err != nil {
			t.Errorf("%s comes from no page: %v", file, err)
		}
	}
}

func TestGoGenerateRunsTheVersionThatIsPinned(t *testing.T) {
	m := regexp.MustCompile(`(?m)^//go:generate go run github\.com/a-h/templ/cmd/templ@(\S+) `).FindStringSubmatch(read(t, "doc.go"))
	if m == nil || m[1] != templ.Version() {
		t.Errorf("doc.go generates with %q, go.mod has %s", m, templ.Version())
	}
}

// TestPagesUseNoWayAroundEscaping looks for what templ offers to write text as it is, or to put code into a page.
func TestPagesUseNoWayAroundEscaping(t *testing.T) {
	around := regexp.MustCompile(`templ\.(Raw|Safe|JS|Attributes|ComponentFunc|FromGoHTML|OnceHandle)|\{ \S+\.\.\. \}|<style|(?m:^(script|css) )`)
	for _, source := range glob(t, "*.templ") {
		text := strings.ReplaceAll(read(t, source), "{ children... }", "")
		if found := around.FindString(text); found != "" {
			t.Errorf("%s uses %s", source, found)
		}
	}
}

func generated(source string) string { return strings.TrimSuffix(source, ".templ") + "_templ.go" }

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
