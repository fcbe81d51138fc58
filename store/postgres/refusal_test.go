package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/postgres"
)

// as returns the URL with another user and password.
func as(t testing.TB, raw, user, password string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// req: STORE-6
func TestARoleWithTheDocumentedRightsIsEnoughAndWithLessIsRefused(t *testing.T) {
	server := engines.Postgres(t)
	address := server.Database(t)
	const secret = "correct horse"
	server.Exec(t, "test1", "CREATE ROLE lanyard_run LOGIN PASSWORD '"+secret+"'")
	run := as(t, address, "lanyard_run", secret)
	refused := func(what string, sentinel error, words ...string) {
		t.Helper()
		_, err := postgres.New(t.Context(), openDB(t, run), postgres.Config{})
		if !errors.Is(err, sentinel) {
			t.Errorf("%s: %v, want %v", what, err, sentinel)
			return
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v does not name %q", what, err, word)
			}
		}
	}
	refused("no tables and no right to make them", postgres.ErrNoSchema)
	if err := postgres.Migrate(t.Context(), openDB(t, address), ""); err != nil {
		t.Fatal(err)
	}
	refused("no right to the schema", postgres.ErrAccess)
	server.Exec(t, "test1", "GRANT USAGE ON SCHEMA lanyard TO lanyard_run", "GRANT SELECT ON ALL TABLES IN SCHEMA lanyard TO lanyard_run")
	refused("read only", postgres.ErrAccess, "GRANT", "lanyard.sessions", "DELETE")
	server.Exec(t, "test1", strings.Split(grants, ";\n")...)
	s := openAt(t, openDB(t, run), postgres.Config{})
	r := create(t, s, "alice")
	for name, call := range calls(s, r) {
		if err := call(t.Context()); err != nil && !errors.Is(err, lanyard.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	revoke(t, s, lanyard.End{All: true})
	if _, err := s.Note(t.Context(), "n", "", "v"); err != nil {
		t.Error(err)
	}
	if _, err := s.Import(t.Context(), []*lanyard.Record{r}, nil); err != nil {
		t.Error(err)
	}
	for _, value := range []string{"one", "two"} {
		if err := s.SetLease(t.Context(), "node", value); err != nil {
			t.Error(err)
		}
	}
	if leases, word, err := s.Leases(t.Context()); err != nil || leases["node"] != "two" || word == "" {
		t.Errorf("leases %v, incarnation %q, %v", leases, word, err)
	}
	if err := s.DropLease(t.Context(), "node", "two"); err != nil {
		t.Error(err)
	}
	if found, err := s.Inspect(t.Context()); err != nil || len(found) != 1 || !strings.Contains(found[0], "fsync") {
		t.Errorf("Inspect found %q, %v, want that fsync is off", found, err)
	}
	if _, err := openDB(t, run).Exec("CREATE TABLE lanyard.more (n int)"); err == nil {
		t.Error("the role may make tables")
	}
	server.Exec(t, "test1", "ALTER ROLE lanyard_run SET default_transaction_read_only = on")
	refused("read-only role", postgres.ErrReadOnly, "default_transaction_read_only")
	server.Exec(t, "test1", "ALTER ROLE lanyard_run SET default_transaction_read_only = off", "ALTER ROLE lanyard_run CONNECTION LIMIT 0")
	refused("no connection left", postgres.ErrConnections, "max_connections")
	run = as(t, address, "lanyard_run", "wrong horse")
	_, err := postgres.New(t.Context(), openDB(t, run), postgres.Config{})
	if !errors.Is(err, postgres.ErrAccess) || strings.Contains(err.Error(), "wrong horse") {
		t.Errorf("wrong password: %v, want ErrAccess and no password", err)
	}
}

func TestTheDocumentedRightsAreTheOnesThatAreTried(t *testing.T) {
	page, err := os.ReadFile("../../docs/postgres.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), grants+"\n```") {
		t.Error("docs/postgres.md grants something else")
	}
}

const grants = `GRANT USAGE ON SCHEMA lanyard TO lanyard_run;
GRANT SELECT, UPDATE ON lanyard.meta TO lanyard_run;
GRANT SELECT, INSERT, UPDATE ON lanyard.epochs, lanyard.notes TO lanyard_run;
GRANT SELECT, INSERT, UPDATE, DELETE ON lanyard.sessions, lanyard.feed, lanyard.once, lanyard.leases TO lanyard_run`

func TestDatabasesThatCannotBeUsedAreRefused(t *testing.T) {
	server := engines.Postgres(t)
	address := server.Database(t)
	for _, tt := range []struct {
		name  string
		cfg   postgres.Config
		setup string
		want  error
	}{
		{"missing migration", postgres.Config{Schema: "none", NoCreate: true}, "", postgres.ErrNoSchema},
		{"another program's table of our name", postgres.Config{Schema: "other"},
			"CREATE SCHEMA other; CREATE TABLE other.sessions (token text)", postgres.ErrForeign},
		{"another program's table meta", postgres.Config{Schema: "metas"},
			"CREATE SCHEMA metas; CREATE TABLE metas.meta (k text, v text)", postgres.ErrForeign},
		{"tables of our names with another shape", postgres.Config{Schema: "shapes"},
			"CREATE SCHEMA shapes; CREATE TABLE shapes.meta (id int, schema_version int, global_epoch int); INSERT INTO shapes.meta VALUES (1, 2, 0);" +
				"CREATE TABLE shapes.sessions (a int); CREATE TABLE shapes.epochs (a int); CREATE TABLE shapes.feed (a int);" +
				"CREATE TABLE shapes.once (a int); CREATE TABLE shapes.notes (a int)", postgres.ErrForeign},
		{"newer tables", postgres.Config{Schema: "newer"}, "", postgres.ErrNewSchema},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := openDB(t, address)
			if tt.setup != "" {
				server.Exec(t, "test1", tt.setup)
			}
			if tt.want == postgres.ErrNewSchema {
				openAt(t, db, tt.cfg)
				server.Exec(t, "test1", "UPDATE newer.meta SET schema_version = 99")
			}
			if _, err := postgres.New(t.Context(), db, tt.cfg); !errors.Is(err, tt.want) {
				t.Errorf("New: %v, want %v", err, tt.want)
			}
		})
	}
	server.Exec(t, "postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	if _, err := postgres.New(t.Context(), openDB(t, server.URL("latin")), postgres.Config{}); !errors.Is(err, postgres.ErrSettings) || !contains(err.Error(), "LATIN1") {
		t.Errorf("encoding: %v", err)
	}
	if _, err := postgres.New(t.Context(), openDB(t, server.URL("nowhere")), postgres.Config{}); !errors.Is(err, postgres.ErrSettings) {
		t.Errorf("no such database: %v", err)
	}
}

// What was promised rests on READ COMMITTED; a pool of the caller's own may
// have been set to something else.
func TestAnotherIsolationLevelIsRefused(t *testing.T) {
	server := engines.Postgres(t)
	address := server.Database(t) + "&default_transaction_isolation=repeatable%20read"
	db := openDB(t, address)
	if _, err := postgres.New(t.Context(), db, postgres.Config{}); !errors.Is(err, postgres.ErrSettings) || !contains(err.Error(), "default_transaction_isolation") {
		t.Errorf("New: %v, want ErrSettings that names the setting", err)
	}
	if err := postgres.Migrate(t.Context(), db, ""); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"lock_subjects('{}')", "append_feed('{}','{}','{}','{}','{}','{}','{}','{}','{}')", "prune(0, 0, 1)"} {
		if _, err := db.Exec("SELECT lanyard." + step); !errors.Is(postgres.Explain(err), postgres.ErrSettings) {
			t.Errorf("%s: %v, want a refusal", step, err)
		}
	}
}

func TestServersAreJudgedByWhatTheySay(t *testing.T) {
	for _, tt := range []struct {
		name       string
		version    int
		encoding   string
		recovering bool
		want       error
	}{
		{"PostgreSQL 14", 140000, "UTF8", false, nil},
		{"PostgreSQL 13", 130022, "UTF8", false, postgres.ErrSettings},
		{"no encoding", 150000, "SQL_ASCII", false, postgres.ErrSettings},
		{"a standby", 150000, "UTF8", true, postgres.ErrReadOnly},
	} {
		if err := postgres.CheckServer(tt.version, tt.encoding, tt.recovering); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if found := postgres.Findings("on", "on", "on"); len(found) != 0 {
		t.Errorf("good settings: %q", found)
	}
	if found := postgres.Findings("off", "off", ""); len(found) != 3 {
		t.Errorf("bad settings: %q, want a sentence each", found)
	}
}

func TestManyProgramsMayStartAtOnce(t *testing.T) {
	server := engines.Postgres(t)
	address := server.Database(t)
	errs := make(chan error)
	for range 6 {
		db := openDB(t, address)
		go func() {
			_, err := postgres.New(context.Background(), db, postgres.Config{})
			errs <- err
		}()
	}
	for range 6 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	status, err := postgres.Status(t.Context(), openDB(t, address), "")
	if err != nil || status.Version != status.Latest || status.Latest < 1 {
		t.Errorf("status %+v, %v", status, err)
	}
	if err := postgres.Migrate(t.Context(), openDB(t, address), ""); err != nil {
		t.Errorf("migrating what is up to date: %v", err)
	}
}

func TestBadConfigsAreRefused(t *testing.T) {
	db := openDB(t, "postgres://x@127.0.0.1:1/x?sslmode=disable")
	for _, cfg := range []postgres.Config{
		{Schema: "Robert'); DROP TABLE"}, {Schema: "pg_catalog"}, {Schema: `a"b`}, {Schema: "1a"}, {Schema: strings.Repeat("a", 41)}, {Timeout: -1},
	} {
		if _, err := postgres.New(t.Context(), db, cfg); err == nil || !contains(err.Error(), "Config.") {
			t.Errorf("%+v: %v, want an error that names the field", cfg, err)
		}
	}
	if _, err := postgres.New(t.Context(), nil, postgres.Config{}); err == nil {
		t.Error("a nil db was taken")
	}
	if _, err := postgres.New(t.Context(), db, postgres.Config{}); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("nobody listens: %v, want ErrUnavailable", err)
	}
}

// coded is an error as a driver reports one from the server.
type coded string

func (c coded) Error() string    { return "server says " + string(c) }
func (c coded) SQLState() string { return string(c) }

func TestErrorsOfTheServerAreExplained(t *testing.T) {
	for state, want := range map[string]error{
		"25006": postgres.ErrReadOnly, "53100": postgres.ErrFull, "53300": postgres.ErrConnections,
		"57P01": postgres.ErrUnavailable, "57P03": postgres.ErrUnavailable, "08006": postgres.ErrUnavailable,
		"57014": postgres.ErrSlow, "40P01": postgres.ErrBusy, "40001": postgres.ErrBusy, "55P03": postgres.ErrBusy,
		"28P01": postgres.ErrAccess, "42501": postgres.ErrAccess, "42P01": postgres.ErrNoSchema,
	} {
		err := postgres.Explain(fmt.Errorf("running: %w", coded(state)))
		if !errors.Is(err, want) || !errors.Is(err, coded(state)) {
			t.Errorf("%s: %v, want %v with the server's words", state, err, want)
		}
	}
	if err := postgres.Explain(errors.New("broken pipe")); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("a broken connection: %v, want ErrUnavailable", err)
	}
}

func TestAClosedStoreRefuses(t *testing.T) {
	s := open(t)
	r := create(t, s, "alice")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	for name, call := range calls(s, r) {
		if err := call(t.Context()); !errors.Is(err, postgres.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}
