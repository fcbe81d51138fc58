package requirements

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// openPath is the list of rows that nothing proves yet, and why.
var openPath = filepath.Join(root, "docs", "requirements-open.md")

// piece is a part of the project that is not there yet, with the rows it brings.
type piece struct {
	title string
	rows  map[string]string // id to reason
}

// unassigned takes rows that -update found open and nobody has judged.
const unassigned = "Not judged yet"

const openIntro = `# Open requirements

The rows of [security-requirements.md](security-requirements.md) of kind T or H that no test proves today, grouped by the part of the
project that brings them. A test keeps this list exact: a row that is open and not here fails it, and so does a row
that is here and proven. ` + "`go test ./internal/requirements -update`" + ` writes it anew and keeps the reasons.

`

// readOpen reads the list: a heading for each piece, "- ID: reason" below.
func readOpen(t *testing.T) (pieces []piece) {
	t.Helper()
	b, err := os.ReadFile(openPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			pieces = append(pieces, piece{title, map[string]string{}})
			continue
		}
		item, ok := strings.CutPrefix(line, "- ")
		if !ok {
			continue
		}
		id, reason, ok := strings.Cut(item, ": ")
		if !ok || !idPattern.MatchString(id) || len(pieces) == 0 {
			t.Errorf("%s:%d: want \"- ID: reason\" below a heading", openPath, n)
			continue
		}
		pieces[len(pieces)-1].rows[id] = reason
	}
	return pieces
}

func writeOpen(t *testing.T, pieces []piece) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(openIntro)
	total := 0
	for _, p := range pieces {
		total += len(p.rows)
	}
	fmt.Fprintf(&b, "Open: %d.\n", total)
	for _, p := range pieces {
		if len(p.rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", p.title)
		for _, id := range slices.SortedFunc(maps.Keys(p.rows), compareIDs) {
			fmt.Fprintf(&b, "- %s: %s\n", id, p.rows[id])
		}
	}
	if err := os.WriteFile(openPath, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compareIDs orders ids by theme and number.
func compareIDs(a, b string) int {
	themeA, numberA, _ := strings.Cut(a, "-")
	themeB, numberB, _ := strings.Cut(b, "-")
	if themeA != themeB {
		return strings.Compare(themeA, themeB)
	}
	x, _ := strconv.Atoi(numberA)
	y, _ := strconv.Atoi(numberB)
	return x - y
}

// updated is the list as it has to be: reasons are kept, proven rows go, new
// ones come in at the end to be judged.
func updated(pieces []piece, open map[string]bool) []piece {
	left := maps.Clone(open)
	var out []piece
	for _, p := range pieces {
		kept := map[string]string{}
		for id, reason := range p.rows {
			if left[id] {
				kept[id] = reason
				delete(left, id)
			}
		}
		out = append(out, piece{p.title, kept})
	}
	if len(left) == 0 {
		return out
	}
	i := slices.IndexFunc(out, func(p piece) bool { return p.title == unassigned })
	if i < 0 {
		i = len(out)
		out = append(out, piece{unassigned, map[string]string{}})
	}
	for id := range left {
		out[i].rows[id] = "no reason given yet."
	}
	return out
}
