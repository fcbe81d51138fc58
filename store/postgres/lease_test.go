package postgres_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/postgres"
)

var (
	_ lanyard.Comparer = (*pair)(nil)
	_ lanyard.Leaser   = (*pair)(nil)
)

func (p *pair) Covers(have, want string) (bool, error) { return p.next().Covers(have, want) }

func (p *pair) SetLease(ctx context.Context, node, value string) error {
	return p.next().SetLease(ctx, node, value)
}

func (p *pair) DropLease(ctx context.Context, node, value string) error {
	return p.next().DropLease(ctx, node, value)
}

func (p *pair) Leases(ctx context.Context) (map[string]string, string, error) {
	return p.next().Leases(ctx)
}

// req: STORE-4
func TestLeasesSurviveAKilledServerWhoseIncarnationIsAnother(t *testing.T) {
	server := engines.Postgres(t, "fsync=on")
	url := server.Database(t)
	first := openDB(t, url)
	if err := postgres.Migrate(t.Context(), first, ""); err != nil {
		t.Fatal(err)
	}
	first.Close() // a database is copied while nobody uses it
	server.Exec(t, "postgres", "CREATE DATABASE copied TEMPLATE test1")
	s := openAt(t, openDB(t, url), postgres.Config{})
	want := map[string]string{"a": "1", "b": "2"}
	for node, value := range want {
		if err := s.SetLease(t.Context(), node, value); err != nil {
			t.Fatal(err)
		}
	}
	_, before, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Neither a connection of its own nor another time zone makes another one.
	for _, setting := range []string{"", "&timezone=Asia%2FTokyo&datestyle=German"} {
		other := openAt(t, openDB(t, server.URL("test1")+setting), postgres.Config{})
		if _, word, err := other.Leases(t.Context()); word != before || err != nil {
			t.Errorf("another connection (%q) says %q, %v, want %q", setting, word, err, before)
		}
	}
	copied := openAt(t, openDB(t, server.URL("copied")), postgres.Config{})
	if _, word, err := copied.Leases(t.Context()); word == before || err != nil {
		t.Errorf("a copy of the database says %q too, %v", word, err)
	}
	server.Kill(t)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	recovers(t, s, create(t, openAt(t, openDB(t, server.URL("test1")), postgres.Config{}), "alice"))
	leases, after, err := s.Leases(t.Context())
	if err != nil || !maps.Equal(leases, want) {
		t.Errorf("leases %v, %v, want %v", leases, err, want)
	}
	if after == before {
		t.Errorf("the incarnation is %q before and after", after)
	}
}

// A backup that is restored beside running nodes has the leases of then.
func TestRestoredTablesAreAnotherIncarnation(t *testing.T) {
	schema := newSchema()
	db := openDB(t, shared.Get(t).URL("postgres"))
	s := openAt(t, db, postgres.Config{Schema: schema})
	t.Cleanup(func() { drop(t, db, schema) })
	_, before, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	drop(t, db, schema)
	if err := postgres.Migrate(t.Context(), db, schema); err != nil {
		t.Fatal(err)
	}
	if _, after, err := s.Leases(t.Context()); err != nil || after == before {
		t.Errorf("incarnation %q, %v, was %q", after, err, before)
	}
}

func TestCursorsAreComparedWithoutTheServer(t *testing.T) {
	s := open(t)
	before := revoke(t, s, lanyard.End{Key: "k1", Until: until}).Cursor
	after := revoke(t, s, lanyard.End{All: true}).Cursor
	s.Close()
	for _, tt := range []struct {
		have, want string
		covers     bool
	}{
		{after, before, true}, {before, after, false}, {after, after, true}, {"", before, false}, {before, "", true}, {"", "", true},
		{"f2.1", "f1.9", true}, // the global epoch leads
		{"f1.9", "f2.1", false},
	} {
		if got, err := s.Covers(tt.have, tt.want); got != tt.covers || err != nil {
			t.Errorf("%q covers %q: %t, %v, want %t", tt.have, tt.want, got, err, tt.covers)
		}
	}
}

// Tables of the first version are older ones, not another program's.
func TestTablesWithoutLeasesAreMigrated(t *testing.T) {
	schema := newSchema()
	db := openDB(t, shared.Get(t).URL("postgres"))
	old := openAt(t, db, postgres.Config{Schema: schema})
	t.Cleanup(func() { drop(t, db, schema) })
	r := create(t, old, "alice")
	for _, text := range []string{"DROP TABLE " + schema + ".leases", "UPDATE " + schema + ".meta SET schema_version = 1"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := postgres.New(t.Context(), db, postgres.Config{Schema: schema}); !errors.Is(err, postgres.ErrOldSchema) {
		t.Errorf("New: %v, want ErrOldSchema", err)
	}
	if err := postgres.Migrate(t.Context(), db, schema); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, db, postgres.Config{Schema: schema})
	if err := s.SetLease(t.Context(), "a", "1"); err != nil {
		t.Error(err)
	}
	if !get(t, s, r.SID).Live(now) {
		t.Error("the session of before is gone")
	}
}
