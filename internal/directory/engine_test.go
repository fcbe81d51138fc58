package directory

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/lanyard-go/lanyard/internal/engines"
)

var server engines.SharedPostgres

func TestMain(m *testing.M) {
	code := m.Run()
	if err := server.Stop(); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// engine makes databases for tests.
type engine struct {
	name string

	// openDB opens a pool of its own, as another process has, on the database
	// that belongs to a path, which is made if it is not there.
	openDB func(t testing.TB, path string) *sql.DB

	// dump returns everything that is in the database, as whoever stole it has it.
	dump func(t testing.TB, path string) string
}

// onEachEngine runs a test on SQLite and on PostgreSQL.
func onEachEngine(t *testing.T, test func(t *testing.T, e engine)) {
	t.Run("SQLite", func(t *testing.T) { test(t, onSQLite) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, onPostgres(t)) })
}

var onSQLite = engine{
	name: "SQLite",
	openDB: func(t testing.TB, path string) *sql.DB {
		// Nothing here is about power loss, and syncing is most of a test's time.
		return openDB(t, "sqlite", "file:"+url.PathEscape(path)+
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=foreign_keys(1)")
	},
	dump: func(t testing.TB, path string) string {
		t.Helper()
		files, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
		return all.String()
	},
}

// schemas counts the schemas in the one database of most tests: making a
// database takes a hundred times as long.
var schemas struct {
	sync.Mutex
	url  string
	made int
}

func newSchema(t testing.TB, s *engines.PostgresServer) (url string) {
	t.Helper()
	schemas.Lock()
	defer schemas.Unlock()
	if schemas.url == "" {
		schemas.url = s.Database(t)
	}
	schemas.made++
	name := fmt.Sprint("schema", schemas.made)
	if _, err := openDB(t, "pgx", schemas.url).Exec("CREATE SCHEMA " + name); err != nil {
		t.Fatal(err)
	}
	return schemas.url + "&search_path=" + name
}

func onPostgres(t testing.TB) engine {
	t.Helper()
	s := server.Get(t)
	var mu sync.Mutex
	urls := map[string]string{}
	e := engine{name: "PostgreSQL"}
	e.openDB = func(t testing.TB, path string) *sql.DB {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if urls[path] == "" {
			urls[path] = newSchema(t, s)
		}
		return openDB(t, "pgx", urls[path])
	}
	e.dump = func(t testing.TB, path string) string {
		t.Helper()
		db := e.openDB(t, path)
		var all strings.Builder
		for _, table := range column(t, db, `SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()`) {
			for _, row := range column(t, db, `SELECT r::text FROM `+table+` r`) {
				all.WriteString(table + row + "\n")
			}
		}
		return all.String()
	}
	return e
}

func openDB(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(20)
	return db
}

// column returns the one column of a query.
func column(t testing.TB, db *sql.DB, query string) (values []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}
