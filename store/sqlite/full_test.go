package sqlite_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

func TestAFullDatabaseIsAClearErrorAndLosesNothing(t *testing.T) {
	for _, cfg := range configs {
		path := filepath.Join(t.TempDir(), "sessions.db")
		openAt(t, path, cfg).Close()
		s, err := sqlite.New(t.Context(), openDB(t, sqlite.DSN(path)+"&_pragma=max_page_count(40)"), cfg)
		if err != nil {
			t.Fatal(err)
		}
		kept := fillUp(t, s)
		s.Close()

		roomy := openAt(t, path, cfg)
		wantLive(t, roomy, kept)
		create(t, roomy, "bob")
	}
}

func TestAFullDiskIsAClearErrorAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	mount := exec.Command("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a small file system is needed: %v: %s", err, out)
		}
		t.Skipf("SKIPPED: mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := exec.Command("umount", dir).Run(); err != nil {
			t.Error("unmounting:", err)
		}
	})
	t.Run("", func(t *testing.T) { // its files are closed before the unmounting
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, filepath.Join(dir, "sessions.db"), sqlite.Config{Exclusive: true})
		kept := fillUp(t, s)
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		create(t, s, "bob") // without a restart
		wantLive(t, s, kept)
	})
}

// fillUp creates records, several to a transaction, until there is no room, and
// returns those that were acknowledged.
func fillUp(t *testing.T, s *sqlite.Store) (kept []*lanyard.Record) {
	t.Helper()
	for range 1000 {
		batch := make([]*lanyard.Record, 8)
		calls := make([]func() error, len(batch))
		for i := range batch {
			batch[i] = record("alice")
			batch[i].Data = make([]byte, 2000)
			calls[i] = func() error { _, err := s.Create(t.Context(), batch[i], lanyard.Limit{}); return err }
		}
		full := 0
		for i, err := range together(s, calls...) {
			switch {
			case err == nil:
				kept = append(kept, batch[i])
			case errors.Is(err, sqlite.ErrFull):
				full++
			default:
				t.Fatalf("got %v, want ErrFull", err)
			}
		}
		if full == 0 {
			continue
		}
		if full != len(batch) || len(kept) == 0 {
			t.Errorf("%d of %d calls of a transaction failed, %d records were created before", full, len(batch), len(kept))
		}
		for _, r := range batch {
			if _, err := s.Get(t.Context(), r.SID); !errors.Is(err, lanyard.ErrNotFound) || r.Version != 0 {
				t.Errorf("a record that was refused: %v, version %d", err, r.Version)
			}
		}
		wantLive(t, s, kept)
		return kept
	}
	t.Fatal("there was room for everything")
	return nil
}

func wantLive(t *testing.T, s *sqlite.Store, records []*lanyard.Record) {
	t.Helper()
	for _, r := range records {
		if got := get(t, s, r.SID); !got.Live(now) {
			t.Errorf("acknowledged login %s is not live", r.SID)
		}
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
