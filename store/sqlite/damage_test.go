package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// req: STORE-10
func TestARecordThatCannotBeReadIsRefusedAndCanBeEnded(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(body, other []byte) []byte
	}{
		{"a record of a later version", func(b, _ []byte) []byte { return append([]byte{99}, b[1:]...) }},
		{"half a record", func(b, _ []byte) []byte { return b[:len(b)/2] }},
		{"a record with more behind it", func(b, _ []byte) []byte { return append(b, 0) }},
		{"no record", func(_, _ []byte) []byte { return []byte{} }},
		{"more than a record can be", func(b, _ []byte) []byte { return append(b, make([]byte, lanyard.MaxRecordSize)...) }},
		{"text where numbers belong", func(_, _ []byte) []byte { return []byte(`{"subject":"admin"}`) }},
		{"somebody else's record", func(_, other []byte) []byte { return other }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			s := openAt(t, path, sqlite.Config{})
			r, other := create(t, s, "alice"), create(t, s, "admin")
			db := openDB(t, sqlite.DSN(path))
			var body, otherBody []byte
			if err := db.QueryRow("SELECT a.body, b.body FROM sessions a, sessions b WHERE a.sid = ? AND b.sid = ?",
				r.SID[:], other.SID[:]).Scan(&body, &otherBody); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("UPDATE sessions SET body = ? WHERE sid = ?", tt.damage(body, otherBody), r.SID[:]); err != nil {
				t.Fatal(err)
			}

			if _, err := s.Get(t.Context(), r.SID); !errors.Is(err, lanyard.ErrBadRecord) {
				t.Errorf("Get: %v, want ErrBadRecord", err)
			}
			if _, err := s.List(t.Context(), lanyard.Query{Subject: "alice"}); !errors.Is(err, lanyard.ErrBadRecord) {
				t.Errorf("List: %v, want ErrBadRecord", err)
			}
			if err := s.Check(t.Context()); !errors.Is(err, sqlite.ErrCorrupt) {
				t.Errorf("Check: %v, want ErrCorrupt", err)
			}
			done := revoke(t, s, lanyard.End{Subject: "alice"})
			if len(done.Records) != 1 || done.Records[0].SID != r.SID {
				t.Errorf("ending everything of the subject ended %v", done.Records)
			}
			if got := get(t, s, r.SID); got.EndReason != lanyard.ReasonAdmin || got.Subject != "alice" {
				t.Errorf("the record is now of %q and ended for %q", got.Subject, got.EndReason)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("Check after the end: %v", err)
			}
			if !get(t, s, other.SID).Live(now) {
				t.Error("the other record is not live")
			}
		})
	}
}

func TestADamagedFileIsAClearError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openAt(t, path, sqlite.Config{})
	for range 200 {
		create(t, s, "alice")
	}
	s.Close()
	if _, err := openDB(t, sqlite.DSN(path)).Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "sessions.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("something that is no database", func(t *testing.T) {
		path := write(bytes.Repeat([]byte("not a database. "), 512))
		if _, err := sqlite.New(t.Context(), openDB(t, sqlite.DSN(path)), sqlite.Config{}); !errors.Is(err, sqlite.ErrCorrupt) {
			t.Errorf("got %v, want ErrCorrupt", err)
		}
	})
	t.Run("pages overwritten", func(t *testing.T) {
		damaged := bytes.Clone(file)
		for at := len(damaged) / 2; at < len(damaged); at++ {
			damaged[at] = 0xa5
		}
		s, err := sqlite.New(t.Context(), openDB(t, sqlite.DSN(write(damaged))), sqlite.Config{})
		if err == nil {
			defer s.Close()
			err = s.Check(t.Context())
		}
		if !errors.Is(err, sqlite.ErrCorrupt) {
			t.Errorf("got %v, want ErrCorrupt", err)
		}
	})
}

func TestCheckFindsColumnsThatDoNotFitTheirRecord(t *testing.T) {
	for _, tt := range []struct{ name, change string }{
		{"another subject", "subject = 'admin'"},
		{"a later deadline", "deadline = deadline + 1"},
		{"a newer epoch", "epoch = epoch + 1"},
		{"an end that was taken away", "ended_at = NULL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			s := openAt(t, path, sqlite.Config{})
			create(t, s, "alice")
			revoke(t, s, lanyard.End{SID: create(t, s, "alice").SID})
			if err := s.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := openDB(t, sqlite.DSN(path)).Exec("UPDATE sessions SET " + tt.change); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); !errors.Is(err, sqlite.ErrCorrupt) {
				t.Errorf("got %v, want ErrCorrupt", err)
			}
		})
	}
}
