package requirements

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the module's root, seen from this folder.
const root = "../.."

// row is one requirement of docs/security-requirements.md.
type row struct {
	id   string
	kind string // T, D or H
	text string
}

var idPattern = regexp.MustCompile(`^[A-Z]+-[0-9]+$`)

// readRows reads the tables. A row that has been withdrawn keeps its id and
// asks for nothing.
func readRows(t *testing.T) map[string]row {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "docs", "security-requirements.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 8 || !idPattern.MatchString(strings.TrimSpace(cells[1])) {
			continue
		}
		r := row{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4])}
		if _, twice := rows[r.id]; twice {
			t.Errorf("%s stands twice in the tables", r.id)
		}
		switch {
		case r.text == "withdrawn":
			r.kind = ""
		case r.kind != "T" && r.kind != "D" && r.kind != "H":
			t.Errorf("%s has the kind %q, want T, D or H", r.id, r.kind)
		}
		rows[r.id] = r
	}
	if len(rows) < 200 {
		t.Fatalf("only %d rows were read from the tables", len(rows))
	}
	return rows
}

// splitIDs reads "COOKIE-1, COOKIE-2".
func splitIDs(list string) (ids []string, err error) {
	for part := range strings.SplitSeq(list, ",") {
		id := strings.TrimSpace(part)
		if !idPattern.MatchString(id) {
			return nil, fmt.Errorf("%q is not an id", id)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
