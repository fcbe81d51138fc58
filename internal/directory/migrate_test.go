package directory

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
)

func steps(t *testing.T, sql ...string) migrations {
	t.Helper()
	fsys := fstest.MapFS{}
	for i, s := range sql {
		fsys["migrations/000"+string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte(s)}
	}
	m, err := numbered(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func hasTable(ctx context.Context, db *sql.DB, name string) (bool, error) {
	l, err := detect(ctx, db)
	if err != nil {
		return false, err
	}
	return l.hasTable(ctx, db, name)
}

func TestOpenRefusesASchemaThatDoesNotFit(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		one := []string{`CREATE TABLE a (x BIGINT)`}
		two := append(slices.Clone(one), `CREATE TABLE b (x BIGINT)`)
		ctx := t.Context()

		db := e.openDB(t, filepath.Join(t.TempDir(), "d.db"))
		if err := steps(t, one...).prepare(ctx, db); err != nil {
			t.Fatalf("an empty database: %v", err)
		}
		if err := steps(t, one...).prepare(ctx, db); err != nil {
			t.Fatalf("the same version: %v", err)
		}
		err := steps(t, two...).prepare(ctx, db)
		if !errors.Is(err, ErrSchemaOld) || !strings.Contains(err.Error(), "lanyard migrate up") {
			t.Fatalf("an older schema: got %v, want ErrSchemaOld with the command to run", err)
		}
		if there, err := hasTable(ctx, db, "b"); there || err != nil {
			t.Fatalf("an older schema was changed: %v, %v", there, err)
		}
		if ran, err := steps(t, two...).up(ctx, db); err != nil || !slices.Equal(ran, []string{"0002_step"}) {
			t.Fatalf("up: ran %v, %v", ran, err)
		}
		if err := steps(t, two...).prepare(ctx, db); err != nil {
			t.Fatalf("after up: %v", err)
		}
		if err := steps(t, one...).prepare(ctx, db); !errors.Is(err, ErrSchemaNew) {
			t.Fatalf("a newer schema: got %v, want ErrSchemaNew", err)
		}
		if _, err := steps(t, one...).up(ctx, db); !errors.Is(err, ErrSchemaNew) {
			t.Fatalf("up on a newer schema: got %v, want ErrSchemaNew", err)
		}
	})
}

func TestStatusAndUp(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		db := e.openDB(t, filepath.Join(t.TempDir(), "d.db"))
		s, err := Status(t.Context(), db)
		if err != nil || s.Current != 0 || s.Latest < 1 || len(s.Pending) != s.Latest || s.Pending[0] != "0001_initial" {
			t.Fatalf("empty: %+v, %v", s, err)
		}
		if there, err := hasTable(t.Context(), db, "directory_schema"); there || err != nil {
			t.Fatalf("Status changed the database: %v, %v", there, err)
		}
		if ran, err := Up(t.Context(), db); err != nil || !slices.Equal(ran, s.Pending) {
			t.Fatalf("up: ran %v, %v", ran, err)
		}
		if ran, err := Up(t.Context(), db); err != nil || len(ran) != 0 {
			t.Fatalf("up again: ran %v, %v", ran, err)
		}
		s, err = Status(t.Context(), db)
		if err != nil || s.Current != s.Latest || len(s.Pending) != 0 {
			t.Fatalf("after up: %+v, %v", s, err)
		}
	})
}

func TestAFailedMigrationLeavesNothingBehind(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		db := e.openDB(t, filepath.Join(t.TempDir(), "d.db"))
		bad := steps(t, `CREATE TABLE a (x BIGINT)`, `CREATE TABLE b (x BIGINT); CREATE TABLE b (x BIGINT)`)
		ran, err := bad.up(t.Context(), db)
		if err == nil || !strings.Contains(err.Error(), "0002_step") || !slices.Equal(ran, []string{"0001_step"}) {
			t.Fatalf("ran %v, %v", ran, err)
		}
		if there, err := hasTable(t.Context(), db, "b"); there || err != nil {
			t.Fatalf("half of it stayed: %v, %v", there, err)
		}
		mended := steps(t, `CREATE TABLE a (x BIGINT)`, `CREATE TABLE b (x BIGINT)`)
		if ran, err := mended.up(t.Context(), db); err != nil || !slices.Equal(ran, []string{"0002_step"}) {
			t.Fatalf("mended: ran %v, %v", ran, err)
		}
	})
}

func TestProcessesMigrateInTurns(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		path := filepath.Join(t.TempDir(), "d.db")
		m := steps(t, `CREATE TABLE a (x BIGINT)`, `INSERT INTO a VALUES (1)`, `INSERT INTO a VALUES (2)`)
		var ran atomic.Int64
		var all sync.WaitGroup
		for range 6 {
			db := e.openDB(t, path) // a pool of its own, as another process has
			all.Go(func() {
				names, err := m.up(context.Background(), db)
				if err != nil {
					t.Error(err)
				}
				ran.Add(int64(len(names)))
			})
		}
		all.Wait()
		var rows int
		if err := e.openDB(t, path).QueryRow(`SELECT count(*) FROM a`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if ran.Load() != 3 || rows != 2 {
			t.Fatalf("%d migrations ran and left %d rows, want 3 and 2", ran.Load(), rows)
		}
	})
}

func TestMigrationsAreNumberedWithoutAGap(t *testing.T) {
	for _, name := range []string{"0002_late.sql", "1_short.sql", "initial.sql", "0001initial.sql"} {
		if m, err := numbered(fstest.MapFS{"migrations/" + name: {}}); err == nil {
			t.Errorf("%s was accepted: %v", name, m)
		}
	}
}
