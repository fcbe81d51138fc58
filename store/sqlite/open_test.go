package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/lanyard-go/lanyard/store/sqlite"
)

// configs are the two ways in which records are read.
var configs = []sqlite.Config{{}, {Exclusive: true}}

func open(t testing.TB, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "sessions.db"), cfg)
}

func openAt(t testing.TB, path string, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	s, err := sqlite.New(t.Context(), openDB(t, sqlite.DSN(path)), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openDB(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
