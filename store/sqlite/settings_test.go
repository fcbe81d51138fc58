package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

func TestNewRefusesSettingsThatLoseCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	openAt(t, path, sqlite.Config{})
	without := func(setting string) string {
		return strings.Replace(sqlite.DSN(path), setting, "", 1)
	}
	for _, tt := range []struct{ name, dsn, want string }{
		{"commits that are not synced", strings.Replace(sqlite.DSN(path), "FULL", "NORMAL", 1), "PRAGMA synchronous is 1"},
		{"no syncs at all", strings.Replace(sqlite.DSN(path), "FULL", "OFF", 1), "PRAGMA synchronous is 0"},
		{"no patience with a lock", without("_pragma=busy_timeout(5000)&"), "PRAGMA busy_timeout is 0"},
		{"a rollback journal", "file:" + path + ".other?_pragma=busy_timeout(5000)", "PRAGMA journal_mode is delete"},
		{"a database in memory", ":memory:", "PRAGMA journal_mode is memory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sqlite.New(t.Context(), openDB(t, tt.dsn), sqlite.Config{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "sqlite.DSN") {
				t.Errorf("got %v, want an error that says %q and what to do", err, tt.want)
			}
		})
	}
}

func TestNewRefusesAConfigItCannotKeep(t *testing.T) {
	small := openDB(t, sqlite.DSN(filepath.Join(t.TempDir(), "sessions.db")))
	small.SetMaxOpenConns(4)
	for _, tt := range []struct {
		want string
		cfg  sqlite.Config
	}{
		{"Config.CacheSize", sqlite.Config{CacheSize: -1}},
		{"Config.Readers", sqlite.Config{Readers: -1}},
		{"SetMaxOpenConns", sqlite.Config{Readers: 4}},
	} {
		if _, err := sqlite.New(t.Context(), small, tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want an error that names %s", err, tt.want)
		}
	}
	if _, err := sqlite.New(t.Context(), nil, sqlite.Config{}); err == nil {
		t.Error("no database was accepted")
	}
	s, err := sqlite.New(t.Context(), small, sqlite.Config{Readers: 3})
	if err != nil {
		t.Fatal("as many connections as needed:", err)
	}
	s.Close()
	if open := small.Stats().InUse; open != 0 {
		t.Errorf("%d connections are kept after Close", open)
	}
}

func TestAFileThatCannotBeMadeIsAClearError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "sessions.db")
	if _, err := sqlite.New(t.Context(), openDB(t, sqlite.DSN(path)), sqlite.Config{}); !errors.Is(err, sqlite.ErrAccess) {
		t.Errorf("got %v, want ErrAccess", err)
	}
}

func TestDSNOpensAnyPath(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "what?.db", "100%25.db", "a#b.db", "ünïcode.db", "a&b=c.db"} {
		path := filepath.Join(t.TempDir(), name)
		openAt(t, path, sqlite.Config{})
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Chdir(t.TempDir())
	openAt(t, "relative.db", sqlite.Config{})
	if _, err := os.Stat("relative.db"); err != nil {
		t.Error(err)
	}
}

func TestAClosedStoreRefuses(t *testing.T) {
	for _, cfg := range configs {
		s := open(t, cfg)
		r := create(t, s, "alice")
		s.Close()
		s.Close()
		_, getErr := s.Get(t.Context(), r.SID)
		_, listErr := s.List(t.Context(), lanyard.Query{})
		updateErr := s.Update(t.Context(), r)
		for _, err := range []error{getErr, listErr, updateErr} {
			if !errors.Is(err, sqlite.ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
	}
}
