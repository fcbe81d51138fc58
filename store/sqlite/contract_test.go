package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// configs are the two ways in which records are read.
var configs = []sqlite.Config{{}, {Exclusive: true}}

// req: STORE-3, STORE-5, STORE-12
func TestStoreKeepsTheContract(t *testing.T) {
	for _, cfg := range configs {
		t.Run(fmt.Sprintf("exclusive %t", cfg.Exclusive), func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) lanyard.Store { return open(t, cfg) })
		})
	}
}

// req: STORE-3, STORE-11, LIFE-13, LIFE-20
func TestStoreKeepsTheContractUnderContention(t *testing.T) {
	rounds := 200
	if soak() {
		rounds = 10_000
	}
	for _, cfg := range configs {
		t.Run(fmt.Sprintf("exclusive %t", cfg.Exclusive), func(t *testing.T) {
			storetest.Contend(t, func(t *testing.T) lanyard.Store { return open(t, cfg) }, rounds)
		})
	}
}

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
