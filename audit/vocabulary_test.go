package audit

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// req: LOG-5
func TestTheVocabularyIsStable(t *testing.T) {
	var b strings.Builder
	for _, e := range Vocabulary() {
		fmt.Fprintf(&b, "%-24s %-8s %-7s %s\n", e.Name, e.Severity, e.Outcome, e.Meaning)
	}
	const golden = "testdata/vocabulary.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the vocabulary changed; readers of logs depend on it. If that is meant, run with -update.\ngot:\n%s", b.String())
	}
}

// req: LOG-5
func TestStolenCredentialsAreOfTheHighestSeverity(t *testing.T) {
	for _, n := range []Name{RefreshReused, SessionUsedAfterEnd, BindingImpossible} {
		if e, ok := lookup(n); !ok || e.Severity != Critical {
			t.Errorf("%s is %q", n, e.Severity)
		}
	}
}

func TestEveryNameIsInTheVocabularyOnce(t *testing.T) {
	rows := map[Name]int{}
	for _, e := range Vocabulary() {
		rows[e.Name]++
		if e.Severity != Info && e.Severity != Warning && e.Severity != Critical {
			t.Errorf("%s has severity %q", e.Name, e.Severity)
		}
		if e.Outcome != Success && e.Outcome != Failure && e.Outcome != Denied {
			t.Errorf("%s has outcome %q", e.Name, e.Outcome)
		}
		if !strings.HasSuffix(e.Meaning, ".") {
			t.Errorf("%s means %q, not a sentence", e.Name, e.Meaning)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "name.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		constants++
		name := Name(strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		if rows[name] != 1 {
			t.Errorf("%s is in the vocabulary %d times", name, rows[name])
		}
		return true
	})
	if constants != len(rows) {
		t.Errorf("%d constants, %d rows", constants, len(rows))
	}
}

func TestTheCallerOwnsTheVocabularyItGets(t *testing.T) {
	Vocabulary()[0] = Entry{}
	if Vocabulary()[0].Name == "" {
		t.Error("a caller changed the table")
	}
}
