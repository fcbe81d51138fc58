package lanyard_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// FuzzCursor shows any text to a store as a cursor of lists and of the feed: it
// is understood or refused as ErrBadCursor, and what follows an understood one is
// within what there is.
func FuzzCursor(f *testing.F) {
	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(f.TempDir(), "sessions.db")))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	file, err := sqlite.New(f.Context(), db, sqlite.Config{Exclusive: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { file.Close() })
	f.Add("")
	f.Add("!")
	f.Add("0")
	f.Add("18446744073709551616")
	stores := map[string]lanyard.Store{"memory": memory.New(), "sqlite": file}
	const sessions = 5
	for _, s := range stores {
		w := newWorldOn(f, s, newClock())
		for range sessions {
			w.end(w.startToken().Session.SID())
		}
		page, err := s.List(f.Context(), lanyard.Query{Limit: 2})
		if err != nil {
			f.Fatal(err)
		}
		_, next, err := s.Revocations(f.Context(), "", 2)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(page.Next)
		f.Add(next)
		f.Add(next + "0")
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		for name, s := range stores {
			entries, next, err := s.Revocations(t.Context(), cursor, 100)
			if err != nil && !errors.Is(err, lanyard.ErrBadCursor) {
				t.Fatalf("%s: %q in the feed: %v", name, cursor, err)
			}
			if err == nil {
				if len(entries) > sessions {
					t.Fatalf("%s: %d entries after %q", name, len(entries), cursor)
				}
				if more, _, err := s.Revocations(t.Context(), next, 100); err != nil || len(more) > 0 {
					t.Fatalf("%s: after the end behind %q: %d entries, %v", name, cursor, len(more), err)
				}
			}
			page, err := s.List(t.Context(), lanyard.Query{After: cursor, Limit: 100})
			if err != nil && !errors.Is(err, lanyard.ErrBadCursor) {
				t.Fatalf("%s: %q in a list: %v", name, cursor, err)
			}
			if len(page.Records) > sessions {
				t.Fatalf("%s: %d records after %q", name, len(page.Records), cursor)
			}
		}
	})
}
