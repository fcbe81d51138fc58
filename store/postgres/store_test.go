package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/internal/pgconn"
	"github.com/lanyard-go/lanyard/store/postgres"
)

var (
	_ lanyard.Store     = (*postgres.Store)(nil)
	_ lanyard.Pinger    = (*postgres.Store)(nil)
	_ lanyard.Counter   = (*postgres.Store)(nil)
	_ lanyard.Epochs    = (*postgres.Store)(nil)
	_ lanyard.Watcher   = (*postgres.Store)(nil)
	_ lanyard.Noter     = (*postgres.Store)(nil)
	_ lanyard.Clocked   = (*postgres.Store)(nil)
	_ lanyard.Inspector = (*postgres.Store)(nil)
	_ lanyard.Importer  = (*postgres.Store)(nil)
)

// shared is the server of the tests that do it no harm.
var shared engines.SharedPostgres

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func openDB(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := pgconn.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(12)
	db.SetMaxIdleConns(12)
	t.Cleanup(func() { db.Close() })
	return db
}

var schemas atomic.Int64

// newSchema returns the name of a schema that nobody has.
func newSchema() string { return fmt.Sprintf("test_%d", schemas.Add(1)) }

// openAt returns a store in the schema, which goes with the test.
func openAt(t testing.TB, db *sql.DB, cfg postgres.Config) *postgres.Store {
	t.Helper()
	s, err := postgres.New(t.Context(), db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// open returns an empty store on the shared server.
func open(t testing.TB) *postgres.Store {
	t.Helper()
	schema := newSchema()
	db := openDB(t, shared.Get(t).URL("postgres"))
	t.Cleanup(func() { drop(t, db, schema) })
	return openAt(t, db, postgres.Config{Schema: schema, Listen: listen(t)})
}

func listen(t testing.TB) func(context.Context, string, func()) error {
	t.Helper()
	listen, err := pgconn.Listener(shared.Get(t).URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	return listen
}

func drop(t testing.TB, db *sql.DB, schema string) {
	if _, err := db.ExecContext(context.Background(), `DROP SCHEMA IF EXISTS "`+schema+`" CASCADE`); err != nil {
		t.Error(err)
	}
}
