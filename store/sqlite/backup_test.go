package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

func TestABackupMadeWhileRunningRevivesNobody(t *testing.T) {
	s := open(t, sqlite.Config{})
	before := create(t, s, "alice")
	path := filepath.Join(t.TempDir(), "it's a copy.db")

	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.Create(t.Context(), record("bob"), lanyard.Limit{}); err != nil {
				t.Error("a login during the backup:", err)
				return
			}
		}
	})
	err := s.Backup(t.Context(), path)
	stop()
	busy.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v, want a file for its owner alone", info.Mode(), err)
	}

	// Ended after the backup, with news that a follower has seen.
	revoke(t, s, lanyard.End{SID: before.SID})
	highest := revoke(t, s, lanyard.End{All: true})
	_, seen, err := s.Revocations(t.Context(), highest.Cursor, 10)
	if err != nil {
		t.Fatal(err)
	}

	restored := openAt(t, path, sqlite.Config{Exclusive: true})
	if err := restored.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !get(t, restored, before.SID).Live(now) {
		t.Fatal("the copy does not hold the session as it was")
	}
	if _, _, err := restored.Revocations(t.Context(), seen, 10); !errors.Is(err, lanyard.ErrBadCursor) {
		t.Errorf("a cursor ahead of the copy: %v, want ErrBadCursor", err)
	}
	done := revoke(t, restored, lanyard.End{All: true, AtLeast: highest.Epoch + 1, Reason: lanyard.ReasonRestored})
	if done.Epoch != highest.Epoch+1 {
		t.Errorf("the restored epoch is %d, want %d", done.Epoch, highest.Epoch+1)
	}
	if get(t, restored, before.SID).Live(now) {
		t.Error("a session of the backup was revived")
	}
	entries, _, err := restored.Revocations(t.Context(), seen, 10)
	if err != nil || len(entries) != 1 || entries[0].Kind != lanyard.EntryAll {
		t.Errorf("a follower from before the restore gets %v, %v, want the one entry about everything", entries, err)
	}
	if !create(t, restored, "alice").Live(now) {
		t.Error("a login after the restore is not live")
	}
}

func TestABackupNeverOverwritesAndLeavesNoHalf(t *testing.T) {
	s := open(t, sqlite.Config{})
	create(t, s, "alice")
	taken := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(taken, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), taken); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v, want that the file exists", err)
	}
	if text, err := os.ReadFile(taken); err != nil || string(text) != "precious" {
		t.Errorf("the file that was there: %q, %v", text, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	half := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(ctx, half); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after a failed backup: %v, want no file", err)
	}
}
