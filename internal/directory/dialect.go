package directory

import (
	"context"
	"database/sql"
	"fmt"
)

// This file holds what differs between database engines. Everything else is
// SQL that SQLite and PostgreSQL read alike: numbered parameters, BIGINT
// milliseconds, TEXT digests, ON CONFLICT, RETURNING.

// takeLock waits for the database's write lock. SQLite takes it for any
// statement that could write. Were it not the first one, a transaction that
// had read would fail instead of wait when another had written meanwhile.
const takeLock = `UPDATE directory_schema SET version = version WHERE version < 0`

// supported refuses a database whose SQL this package does not speak.
func supported(ctx context.Context, db *sql.DB) error {
	var version string
	if err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return fmt.Errorf("directory: asking the database for its SQLite version: %w", err)
	}
	return nil
}

// hasTable reports whether the database has a table of that name.
func hasTable(ctx context.Context, db *sql.DB, name string) (bool, error) {
	var n int
	err := db.QueryRowContext(ctx,
		`SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1`, name).Scan(&n)
	return n > 0, err
}

// exclusive runs do in a transaction that is alone among writers.
func exclusive(ctx context.Context, db *sql.DB, do func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer tx.Rollback() // does nothing after a commit
	if _, err := tx.ExecContext(ctx, takeLock); err != nil {
		return fmt.Errorf("waiting for the write lock: %w", err)
	}
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}
