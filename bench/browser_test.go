package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/bench/contender"
)

func TestServerOfPagesTellsTheClientWhatItsFormsSend(t *testing.T) {
	for _, kind := range []contender.Kind{contender.PagesLanyardToken, contender.PagesSCSGorilla, contender.LanyardCookie} {
		path := filepath.Join(t.TempDir(), "badges")
		// Standard input of a test has ended, and so the server ends at once.
		if err := run(t.Context(), []string{serveCommand, "-kind", string(kind), "-badges", path, "-dir", t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if len(lines) != people {
			t.Errorf("%s: %d lines, want %d", kind, len(lines), people)
		}
		columns := strings.Split(lines[0], "\t")
		switch {
		case columns[0] != "Cookie":
			t.Errorf("%s: the first line is %q", kind, lines[0])
		case kind == contender.LanyardCookie && len(columns) != 2:
			t.Errorf("%s: %d columns, want 2", kind, len(columns))
		case kind != contender.LanyardCookie && (len(columns) != 3 || !strings.HasPrefix(columns[2], "csrf_token=") || !strings.HasSuffix(columns[2], "&text=hello")):
			t.Errorf("%s: no form in %q", kind, lines[0])
		}
	}
}

func TestBrowserPartHoldsTheDecisionToItsTarget(t *testing.T) {
	rows, err := (&bench{scale: 0.01}).decisions()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, want := range []string{"≤ 200 ns", "≤ 0", "≤ 200 ns", "≤ 0"} {
		if rows[i].Target != want || rows[i].Ours == "" || rows[i].Peer == "" {
			t.Errorf("row %d is %+v, want the target %s", i, rows[i], want)
		}
		if want == "≤ 0" && rows[i].Met != "yes" {
			t.Errorf("the decision allocates: %+v", rows[i])
		}
	}
}
