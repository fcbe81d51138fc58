package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// SchemaStatus says which version the tables have and which one this program
// needs. Version 0 is a database without the tables.
type SchemaStatus struct {
	Version int
	Latest  int
}

// Status reads the version of the tables in db and changes nothing.
func Status(ctx context.Context, db *sql.DB) (SchemaStatus, error) {
	steps, err := loadSteps()
	if err != nil {
		return SchemaStatus{}, err
	}
	return status(ctx, db, steps)
}

func status(ctx context.Context, q queryer, steps []string) (SchemaStatus, error) {
	version, err := schemaVersion(ctx, q)
	return SchemaStatus{Version: version, Latest: len(steps)}, err
}

// Migrate brings the tables in db to the version this program needs. All steps
// happen in one transaction; other processes wait for it. On tables that are up
// to date it does nothing, newer ones give [ErrNewSchema].
func Migrate(ctx context.Context, db *sql.DB) error {
	steps, err := loadSteps()
	if err != nil {
		return err
	}
	return migrate(ctx, db, steps)
}

func migrate(ctx context.Context, db *sql.DB, steps []string) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connecting to migrate: %w", explain(err))
	}
	defer conn.Close()
	// The lock is taken before the version is read: of two processes that
	// start together, the second finds the work done.
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("locking the database to migrate: %w", explain(err))
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("%w: version %d, this program knows %d", ErrNewSchema, version, len(steps))
	}
	for i := version; i < len(steps); i++ {
		if _, err := conn.ExecContext(ctx, steps[i]); err != nil {
			return fmt.Errorf("migrating to version %d: %w", i+1, explain(err))
		}
	}
	if _, err := conn.ExecContext(ctx, "UPDATE session_meta SET schema = ? WHERE id = 1 AND schema <> ?1", len(steps)); err != nil {
		return fmt.Errorf("writing the schema version: %w", explain(err))
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("committing the migration: %w", explain(err))
	}
	return nil
}

// prepareSchema creates the tables in an empty database. It never changes tables
// that exist: that is for the operator to start, after a backup.
func prepareSchema(ctx context.Context, db *sql.DB, steps []string) error {
	found, err := status(ctx, db, steps)
	if err != nil {
		return err
	}
	switch {
	case found.Version == 0:
		return migrate(ctx, db, steps)
	case found.Version < found.Latest:
		return fmt.Errorf("%w (version %d, needed %d)", ErrOldSchema, found.Version, found.Latest)
	case found.Version > found.Latest:
		return fmt.Errorf("%w (version %d, known %d)", ErrNewSchema, found.Version, found.Latest)
	}
	return nil
}

func schemaVersion(ctx context.Context, q queryer) (int, error) {
	var tables, version int
	err := q.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'session_meta'").Scan(&tables)
	if err == nil && tables > 0 {
		err = q.QueryRowContext(ctx, "SELECT schema FROM session_meta WHERE id = 1").Scan(&version)
	}
	if err != nil {
		return 0, fmt.Errorf("reading the schema version: %w", explain(err))
	}
	return version, nil
}

// loadSteps returns the migrations in order; the n-th leads to version n.
func loadSteps() ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	steps := make([]string, len(names))
	for i, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading migration: %w", err)
		}
		steps[i] = string(text)
	}
	return steps, nil
}
