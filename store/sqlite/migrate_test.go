package sqlite

import (
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lanyard-go/lanyard"

	_ "modernc.org/sqlite"
)

const laterStep = "CREATE TABLE later (x INTEGER); INSERT INTO later VALUES (1);"

func TestTablesOfAnotherVersionAreRefusedUntilMigrated(t *testing.T) {
	db, steps := emptyDB(t)
	if got, err := Status(t.Context(), db); err != nil || got != (SchemaStatus{Version: 0, Latest: len(steps)}) {
		t.Fatalf("status of an empty database: %+v, %v", got, err)
	}
	s, err := New(t.Context(), db, Config{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got, err := Status(t.Context(), db); err != nil || got.Version != len(steps) {
		t.Fatalf("status after New: %+v, %v", got, err)
	}

	next := append(steps, laterStep)
	if err := prepareSchema(t.Context(), db, next); !errors.Is(err, ErrOldSchema) {
		t.Errorf("a program one version ahead got %v, want ErrOldSchema", err)
	}
	for range 2 {
		if err := migrate(t.Context(), db, next); err != nil {
			t.Fatal(err)
		}
	}
	if err := prepareSchema(t.Context(), db, next); err != nil {
		t.Errorf("after the migration: %v", err)
	}
	if _, err := New(t.Context(), db, Config{}); !errors.Is(err, ErrNewSchema) {
		t.Errorf("a program one version behind got %v, want ErrNewSchema", err)
	}
	if err := Migrate(t.Context(), db); !errors.Is(err, ErrNewSchema) {
		t.Errorf("migrating backwards gave %v, want ErrNewSchema", err)
	}
}

// A file of the first release has sessions, and no notes.
func TestAnOldFileMigratesWithItsSessions(t *testing.T) {
	db, steps := emptyDB(t)
	if err := migrate(t.Context(), db, steps[:1]); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO session_epochs (subject, epoch) VALUES ('alice', 7)"); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), db, Config{}); !errors.Is(err, ErrOldSchema) {
		t.Fatalf("before the migration: %v, want %v", err, ErrOldSchema)
	}
	if err := Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), db, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := s.Note(t.Context(), "name", "", "value"); got != "value" || err != nil {
		t.Errorf("noted %q, %v", got, err)
	}
	done, err := s.Revoke(t.Context(), lanyard.End{Subject: "alice", Reason: lanyard.ReasonAdmin})
	if err != nil || done.Epoch != 8 {
		t.Errorf("the epoch is raised to %d, %v, want 8", done.Epoch, err)
	}
}

func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	db, steps := emptyDB(t)
	broken := append(steps, laterStep, "CREATE TABLE later (y INTEGER)")
	if err := migrate(t.Context(), db, broken); err == nil {
		t.Fatal("a step that cannot run was accepted")
	}
	if got, err := Status(t.Context(), db); err != nil || got.Version != 0 {
		t.Errorf("after the failure: %+v, %v", got, err)
	}
	if err := migrate(t.Context(), db, broken[:len(broken)-1]); err != nil {
		t.Errorf("the steps before it: %v", err)
	}
}

func TestMigrationsAtOnceRunOnce(t *testing.T) {
	db, steps := emptyDB(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := migrate(t.Context(), db, append(steps[:len(steps):len(steps)], laterStep)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var n int
	if err := db.QueryRow("SELECT count(*) FROM later").Scan(&n); err != nil || n != 1 {
		t.Errorf("the last step ran %d times (%v)", n, err)
	}
}

func emptyDB(t *testing.T) (*sql.DB, []string) {
	t.Helper()
	steps, err := loadSteps()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", DSN(filepath.Join(t.TempDir(), "sessions.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Ping(); err != nil { // one connection switches the file to WAL
		t.Fatal(err)
	}
	return db, steps
}
