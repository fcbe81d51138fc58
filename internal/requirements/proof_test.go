package requirements

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// proof is where an id is claimed: a test function, or a section of a document.
type proof struct {
	id    string
	place string // file:line
}

// walk calls do for each file of the module with the suffix, hidden folders and
// test data left out.
func walk(t *testing.T, suffix string, do func(path, name string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(d.Name(), suffix):
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			do(path, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

const marker = "// req: "

// testProofs finds the markers above test functions. One that stands elsewhere
// proves nothing and is an error, so that nobody relies on it.
func testProofs(t *testing.T) (proofs []proof) {
	t.Helper()
	walk(t, "_test.go", func(path, name string) {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(src), marker) {
			return
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, name, src, parser.ParseComments)
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		above := map[*ast.CommentGroup]bool{}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Doc != nil && isTest(fn) {
				above[fn.Doc] = true
			}
		}
		for _, group := range f.Comments {
			for _, c := range group.List {
				list, ok := strings.CutPrefix(c.Text, marker)
				if !ok {
					continue
				}
				place := files.Position(c.Pos()).String()
				ids, err := splitIDs(list)
				if err != nil {
					t.Errorf("%s: %v", place, err)
				}
				if !above[group] {
					t.Errorf("%s: the marker does not stand just above a test function", place)
				}
				for _, id := range ids {
					proofs = append(proofs, proof{id, place})
				}
			}
		}
	})
	return proofs
}

func isTest(fn *ast.FuncDecl) bool {
	if fn.Recv != nil {
		return false
	}
	for _, prefix := range []string{"Test", "Fuzz", "Example"} {
		if strings.HasPrefix(fn.Name.Name, prefix) {
			return true
		}
	}
	return false
}

var docMarker = regexp.MustCompile(`(?m)^<!-- req: (.*?) -->`)

// docProofs finds the markers in the documentation. A marker stands at the start
// of the section that holds what the row asks for.
func docProofs(t *testing.T) (proofs []proof) {
	t.Helper()
	walk(t, ".md", func(path, name string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range docMarker.FindAllSubmatchIndex(b, -1) {
			ids, err := splitIDs(string(b[m[2]:m[3]]))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !hasText(string(b[m[1]:])) {
				t.Errorf("%s: nothing follows the marker of %v", name, ids)
			}
			for _, id := range ids {
				proofs = append(proofs, proof{id, name})
			}
		}
	})
	return proofs
}

// hasText reports whether a section says at least a sentence before the next
// heading of its level begins.
func hasText(section string) bool {
	n, level := 0, 0
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		switch depth := len(line) - len(strings.TrimLeft(line, "#")); {
		case depth > 0 && level == 0:
			level = depth
		case depth > 0 && depth <= level:
			return n > 80
		case depth == 0 && !strings.HasPrefix(line, "<!--"):
			n += len(line)
		}
	}
	return n > 80
}
