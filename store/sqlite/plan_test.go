package sqlite

import (
	"slices"
	"strings"
	"testing"
)

// With a hundred thousand sessions a statement that reads its whole table, or
// sorts it, makes every caller wait.
func TestEveryStatementUsesAnIndex(t *testing.T) {
	db, steps := emptyDB(t)
	if err := migrate(t.Context(), db, steps); err != nil {
		t.Fatal(err)
	}
	for _, text := range slices.Concat(readStatements, writeStatements) {
		rows, err := db.Query("EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "?"))...)
		if text == sqlBegin || text == sqlCommit || text == sqlRollback {
			continue // not a query
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(detail, "SCAN ") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s\n\t%s", text, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
	}
}
