package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/postgres"
)

// A pool that connects again may meet a standby: the URL names several servers,
// or an address has moved. What a standby says is old, so it counts for nothing.
//
// req: STORE-4
func TestNothingIsReadFromAStandby(t *testing.T) {
	server := engines.Postgres(t)
	url := server.Database(t)
	sep := "?"
	if strings.Contains(url, "?") {
		sep = "&"
	}
	db := openDB(t, url+sep+"target_session_attrs=any")
	db.SetMaxIdleConns(0) // each read connects anew
	s := openAt(t, db, postgres.Config{})
	r := create(t, s, "alice")
	server.Shutdown(t)
	if err := os.WriteFile(filepath.Join(server.Dir, "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	reads := map[string]func() error{
		"Get":         func() error { _, err := s.Get(t.Context(), r.SID); return err },
		"Get of none": func() error { _, err := s.Get(t.Context(), lanyard.SID{1}); return err },
		"List":        func() error { _, err := s.List(t.Context(), lanyard.Query{}); return err },
		"List of one": func() error { _, err := s.List(t.Context(), lanyard.Query{Subject: "alice"}); return err },
		"List of live": func() error {
			_, err := s.List(t.Context(), lanyard.Query{Subject: "alice", LiveAt: now})
			return err
		},
		"List of none": func() error { _, err := s.List(t.Context(), lanyard.Query{Subject: "bob"}); return err },
		"Revocations":  func() error { _, _, err := s.Revocations(t.Context(), "", 10); return err },
		"GlobalEpoch":  func() error { _, err := s.GlobalEpoch(t.Context()); return err },
		"Leases":       func() error { _, _, err := s.Leases(t.Context()); return err },
		"Ping":         func() error { return s.Ping(t.Context()) },
	}
	for name, read := range reads {
		if err := read(); !errors.Is(err, postgres.ErrReadOnly) {
			t.Errorf("%s on a standby: %v, want ErrReadOnly", name, err)
		}
	}
	server.Shutdown(t)
	if err := os.Remove(filepath.Join(server.Dir, "standby.signal")); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	recovers(t, s, r)
}
