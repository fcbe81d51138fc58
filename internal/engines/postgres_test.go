package engines

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

func TestAPostgresServerIsKilledPausedAndStartedAgain(t *testing.T) {
	s := Postgres(t, "fsync=on", "synchronous_commit=on")
	s.Database(t)
	if fsync := s.Exec(t, "test1", "CREATE TABLE kept (n int)", "SHOW fsync"); fsync != "on" {
		t.Errorf("fsync is %q, want what was asked for", fsync)
	}
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := s.psql(ctx, "test1", "SELECT 1")
		return err
	}
	s.Pause(t)
	if err := ask(); err == nil {
		t.Error("a paused server answers")
	}
	s.Continue(t)
	s.Exec(t, "test1", "SELECT 1")
	s.Kill(t)
	if err := ask(); err == nil {
		t.Error("a killed server answers")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	s.Exec(t, "test1", "INSERT INTO kept VALUES (1)")
}

func TestAStoppedPostgresServerLeavesNothingBehind(t *testing.T) {
	s, err := StartPostgres()
	if errors.Is(err, errNoPostgres) {
		missing(t, "postgres", "install the package postgresql")
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Pause(t)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.SocketDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory: %v, want it gone", err)
	}
	select {
	case <-s.exited:
	case <-time.After(10 * time.Second):
		t.Error("its process still runs")
	}
}
