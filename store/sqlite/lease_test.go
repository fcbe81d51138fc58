package sqlite_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
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

// The file is copied as it is after SetLease has returned, as a loss of power
// would leave it.
//
// req: STORE-4
func TestLeasesAreOnTheDiskWhenSetLeaseReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openAt(t, path, sqlite.Config{})
	want := map[string]string{"a": "2", "b": "1"}
	for _, l := range [][2]string{{"a", "1"}, {"b", "1"}, {"a", "2"}} {
		if err := s.SetLease(t.Context(), l[0], l[1]); err != nil {
			t.Fatal(err)
		}
	}
	_, word, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	crashed := filepath.Join(t.TempDir(), "sessions.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leases, after, err := openAt(t, crashed, sqlite.Config{}).Leases(t.Context())
	if err != nil || !maps.Equal(leases, want) || after != word {
		t.Errorf("leases %v of %q, %v, want %v of %q", leases, after, err, want, word)
	}
}

func TestEachDatabaseIsAnIncarnationOfItsOwn(t *testing.T) {
	seen := make(map[string]bool)
	for range 3 {
		_, word, err := open(t, sqlite.Config{}).Leases(t.Context())
		if err != nil || word == "" || seen[word] {
			t.Errorf("incarnation %q, %v, others are %v", word, err, seen)
		}
		seen[word] = true
	}
}

func TestLeasesEndWithTheirStoreAndCursorsDoNot(t *testing.T) {
	s := open(t, sqlite.Config{})
	before := revoke(t, s, lanyard.End{Subject: "alice"}).Cursor
	after := revoke(t, s, lanyard.End{All: true}).Cursor
	s.Close()
	for name, call := range map[string]func() error{
		"SetLease":  func() error { return s.SetLease(t.Context(), "a", "1") },
		"DropLease": func() error { return s.DropLease(t.Context(), "a", "1") },
		"Leases":    func() error { _, _, err := s.Leases(t.Context()); return err },
	} {
		if err := call(); err == nil {
			t.Errorf("%s of a closed store succeeded", name)
		}
	}
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

func TestALostIdentityIsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openAt(t, path, sqlite.Config{})
	if _, err := openDB(t, sqlite.DSN(path)).Exec("DELETE FROM session_identity"); err != nil {
		t.Fatal(err)
	}
	if _, word, err := s.Leases(t.Context()); err == nil {
		t.Errorf("the incarnation is %q", word)
	}
}
