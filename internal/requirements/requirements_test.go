// Package requirements holds docs/security-requirements.md and the tests
// together: every row has a proof, or stands with its reason in
// docs/requirements-open.md.
//
// A test proves a row by a comment "// req: ID, ID" just above its function, a
// document by a line "<!-- req: ID -->" at the start of the section. The package
// has nothing but its tests.
package requirements

import (
	"flag"
	"testing"
)

var update = flag.Bool("update", false, "write docs/requirements-open.md anew, keeping its reasons")

func TestEveryProofNamesARowOfItsKind(t *testing.T) {
	rows := readRows(t)
	for _, p := range testProofs(t) {
		if r, ok := rows[p.id]; !ok {
			t.Errorf("%s: there is no row %s", p.place, p.id)
		} else if r.kind == "D" {
			t.Errorf("%s: %s asks for documentation; a marker in a document proves it", p.place, p.id)
		}
	}
	for _, p := range docProofs(t) {
		if r, ok := rows[p.id]; !ok {
			t.Errorf("%s: there is no row %s", p.place, p.id)
		} else if r.kind != "D" {
			t.Errorf("%s: %s asks for a test; a document does not prove it", p.place, p.id)
		}
	}
}

func TestEveryDocumentationRowHasItsSection(t *testing.T) {
	found := map[string]bool{}
	for _, p := range docProofs(t) {
		found[p.id] = true
	}
	for id, r := range readRows(t) {
		if r.kind == "D" && !found[id] {
			t.Errorf("%s has no section in docs: %s", id, r.text)
		}
	}
}

func TestEveryRowIsProvenOrListedAsOpen(t *testing.T) {
	proven := map[string]bool{}
	for _, p := range testProofs(t) {
		proven[p.id] = true
	}
	open := map[string]bool{}
	total := 0
	for id, r := range readRows(t) {
		if r.kind == "T" || r.kind == "H" {
			total++
			if !proven[id] {
				open[id] = true
			}
		}
	}
	pieces := readOpen(t)
	if *update {
		pieces = updated(pieces, open)
		writeOpen(t, pieces)
	}
	listed := map[string]bool{}
	for _, p := range pieces {
		for id, reason := range p.rows {
			switch {
			case proven[id]:
				t.Errorf("%s is proven and still listed as open; run: go test ./internal/requirements -update", id)
			case !open[id]:
				t.Errorf("%s is listed as open and is no row that a test can prove", id)
			case listed[id]:
				t.Errorf("%s is listed as open twice", id)
			case p.title == unassigned || len(reason) < 10:
				t.Errorf("%s is open: say in %s which part brings it, and why it is not there", id, openPath)
			}
			listed[id] = true
		}
	}
	for id := range open {
		if !listed[id] {
			t.Errorf("%s has no proof and is not listed as open; prove it, or run: go test ./internal/requirements -update", id)
		}
	}
	t.Logf("%d of %d rows are proven, %d are open", total-len(open), total, len(open))
}
