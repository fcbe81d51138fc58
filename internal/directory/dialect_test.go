package directory

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestManyOpenAnEmptyDatabaseAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		path, h := filepath.Join(t.TempDir(), "d.db"), newHasher(t)
		var all sync.WaitGroup
		for range 6 {
			db := e.openDB(t, path)
			all.Go(func() {
				if _, err := Open(t.Context(), db, Config{Hasher: h}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestTextIsComparedByteByByte(t *testing.T) {
	e := onPostgres(t)
	path := filepath.Join(t.TempDir(), "d.db")
	db := e.openDB(t, path)
	open(t, db, Config{})
	other := column(t, db, `SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name LIKE 'directory_%' AND table_name <> 'directory_schema' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'`)
	if len(other) != 0 {
		t.Errorf("columns in another collation: %v", other)
	}
}

// postgresAs returns the address of a new directory, for a role that may do
// only what it is granted.
func postgresAs(t *testing.T, grants ...string) string {
	t.Helper()
	s := server.Get(t)
	u, err := url.Parse(s.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	open(t, openDB(t, "pgx", u.String()), Config{})
	name := strings.TrimPrefix(u.Path, "/")
	s.Exec(t, name, append([]string{"CREATE ROLE role_" + name + " LOGIN PASSWORD 'pw'"}, grants...)...)
	for _, g := range grants {
		s.Exec(t, name, strings.ReplaceAll(g, "TO PUBLIC", "TO role_"+name))
	}
	u.User = url.UserPassword("role_"+name, "pw")
	return u.String()
}

func TestARoleNeedsNoMoreThanItsTables(t *testing.T) {
	d := open(t, openDB(t, "pgx", postgresAs(t,
		"GRANT SELECT ON directory_schema TO PUBLIC",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON directory_users, directory_resets, directory_clients, directory_throttle, directory_meta, directory_keysets, directory_keys TO PUBLIC",
	)), Config{})
	addUser(t, d, "ada")
	expect(t, d, Attempt{Name: "ada", Password: good}, "in")
	expect(t, d, Attempt{Name: "ada", Password: "wrong"}, "wrong")
	if _, err := d.AddClient(t.Context(), Client{ID: "reports"}); err != nil {
		t.Error(err)
	}
	if _, err := d.Reset(t.Context(), newReset(t, d, "ada"), chosen); err != nil {
		t.Error(err)
	}
	openKeySet(t, d, newClock(), secretOne)
	if err := d.Prune(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesADatabaseItCannotUse(t *testing.T) {
	s := server.Get(t)
	with := func(dsn, query string) string { return dsn + "&" + query }
	latin := strings.Replace(s.Database(t), "/test", "/latin_test", 1)
	name := latin[strings.Index(latin, "/latin_")+1 : strings.Index(latin, "?")]
	s.Exec(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
	made := s.Database(t)
	open(t, openDB(t, "pgx", made), Config{})
	foreign := s.Database(t)
	if _, err := openDB(t, "pgx", foreign).Exec(`CREATE TABLE directory_users (x INT)`); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, dsn, want string }{
		{"nobody listens", "postgres://postgres@127.0.0.1:1/x?sslmode=disable", "reaching the database"},
		{"no such database", strings.Replace(made, "/test", "/none", 1), "reaching the database"},
		{"another encoding", latin, "ENCODING 'UTF8'"},
		{"a search_path to nowhere", with(made, "search_path=nowhere"), "search_path"},
		{"a database that may only be read", with(made, "default_transaction_read_only=on"), "has to be the primary"},
		{"a role that may only read", postgresAs(t, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"), "the role needs SELECT, INSERT"},
		{"a role that may do nothing", postgresAs(t), "permission denied"},
		{"tables of another program", foreign, "0001_initial"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(t.Context(), openDB(t, "pgx", tt.dsn), Config{Hasher: newHasher(t)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
}

// A node that stops in the middle of a transaction, with its connection open,
// must not keep everybody else from logging in.
func TestAFrozenNodeLosesTheLock(t *testing.T) {
	e := onPostgres(t)
	path := filepath.Join(t.TempDir(), "d.db")
	l := newPostgres(200 * time.Millisecond)
	d := open(t, e.openDB(t, path), Config{})
	d.hasher = new(quick)
	err := l.exclusive(t.Context(), e.openDB(t, path), func(tx *sql.Tx) error {
		addUser(t, d, "ada") // another node's turn comes only when this one's is over
		_, err := tx.Exec(`DELETE FROM directory_users`)
		return err
	})
	if err == nil {
		t.Error("the transaction that had lost its lock went on")
	}
	if _, err := d.User(t.Context(), "ada"); err != nil {
		t.Error(err)
	}
}
