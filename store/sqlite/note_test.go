package sqlite_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

func TestNotesAreOnTheFileAndSharedByItsStores(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	one, other := openAt(t, path, sqlite.Config{}), openAt(t, path, sqlite.Config{})
	if got, err := one.Note(t.Context(), "keys", "", "first"); got != "first" || err != nil {
		t.Fatalf("noted %q, %v", got, err)
	}
	if got, err := other.Note(t.Context(), "keys", "", "second"); got != "first" || err != nil {
		t.Errorf("the other store noted %q, %v, want the first", got, err)
	}
	one.Close()
	if got, err := openAt(t, path, sqlite.Config{}).Note(t.Context(), "keys", "", ""); got != "first" || err != nil {
		t.Errorf("opened again: %q, %v", got, err)
	}
}

func TestNoteRefusesWhatIsTooLong(t *testing.T) {
	s := open(t, sqlite.Config{})
	for _, tt := range []struct{ name, value string }{
		{"", "value"}, {strings.Repeat("n", 65), "value"}, {"name", strings.Repeat("v", 513)},
	} {
		if _, err := s.Note(t.Context(), tt.name, "", tt.value); err == nil {
			t.Errorf("a name of %d bytes and a value of %d were taken", len(tt.name), len(tt.value))
		}
	}
}

func TestImportRefusesWhatSQLiteCannotKeep(t *testing.T) {
	s := open(t, sqlite.Config{})
	for _, tt := range []struct {
		name  string
		wrong func(*lanyard.Record)
	}{
		{"no sid", func(r *lanyard.Record) { r.SID = lanyard.SID{} }},
		{"no version", func(r *lanyard.Record) { r.Version = 0 }},
		{"a version over 63 bits", func(r *lanyard.Record) { r.Version = 1 << 63 }},
		{"an epoch over 63 bits", func(r *lanyard.Record) { r.GlobalEpoch = 1 << 63 }},
		{"fenced", func(r *lanyard.Record) { r.Fenced = true }},
		{"too large", func(r *lanyard.Record) { r.Data = make([]byte, lanyard.MaxRecordSize) }},
	} {
		good, bad := record("alice"), record("alice")
		good.Version, bad.Version = 1, 1
		tt.wrong(bad)
		if n, err := s.Import(t.Context(), []*lanyard.Record{good, bad}, nil); n != 0 || err == nil {
			t.Errorf("%s: %d were stored, error %v", tt.name, n, err)
		}
		if _, err := s.Get(t.Context(), good.SID); !errors.Is(err, lanyard.ErrNotFound) {
			t.Errorf("%s: half of the call was done (%v)", tt.name, err)
		}
	}
	if _, err := s.Import(t.Context(), nil, []lanyard.Entry{{Kind: lanyard.EntryAll, Epoch: 1 << 63}}); err == nil {
		t.Error("an entry with an epoch over 63 bits was taken")
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWatchEndsWithItsStore(t *testing.T) {
	s := open(t, sqlite.Config{})
	ended := make(chan error)
	go func() { ended <- s.Watch(t.Context(), func() {}) }()
	s.Close()
	if err := <-ended; !errors.Is(err, sqlite.ErrClosed) {
		t.Errorf("Watch returned %v, want %v", err, sqlite.ErrClosed)
	}
}
