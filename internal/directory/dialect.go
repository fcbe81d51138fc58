package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// This file holds what differs between database engines. Everything else is
// SQL that SQLite and PostgreSQL read alike: numbered parameters, BIGINT
// milliseconds, TEXT digests, ON CONFLICT, RETURNING.

// dialect is how to talk to one engine.
type dialect struct {
	// create makes the table of schema versions, also when several processes
	// do so at once.
	create string

	// table counts the tables that are called $1.
	table string

	// lock is the first statement of every writing transaction and waits for
	// the one lock that they all take.
	lock string

	// isolation lets each statement see what was committed before it.
	isolation sql.IsolationLevel

	// text is the column type of text that is compared byte by byte.
	text string
}

const createSchema = `CREATE TABLE IF NOT EXISTS directory_schema (version BIGINT PRIMARY KEY, name TEXT NOT NULL)`

// sqlite takes its write lock for any statement that could write. Were it not
// the first one, a transaction that had read would fail instead of wait when
// another had written meanwhile.
var sqlite = dialect{
	create: createSchema,
	table:  `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1`,
	lock:   `UPDATE directory_schema SET version = version WHERE version < 0`,
	text:   "TEXT",
}

const (
	// postgresLock is the key of the advisory lock, a number drawn once. The
	// lock is the database's: two directories in two schemas share it.
	postgresLock = "pg_advisory_xact_lock(8204673915920411523)"

	// postgresIdle is how long a transaction may wait for its client. The lock
	// of a node that was frozen or cut off would keep all others out for as
	// long as its connection looks alive.
	postgresIdle = 5 * time.Second
)

// postgres has an advisory lock until the transaction's end. At the level READ
// COMMITTED the statements that follow see all that others committed before the
// lock was had. The collation is what makes names sort as they do on SQLite.
var postgres = newPostgres(postgresIdle)

func newPostgres(idle time.Duration) dialect {
	return dialect{
		// Two at once would fail on the catalogue; together with the lock they
		// are one transaction.
		create:    `SELECT ` + postgresLock + `; ` + createSchema,
		table:     `SELECT count(to_regclass($1::text))`,
		lock:      fmt.Sprintf(`SET LOCAL idle_in_transaction_session_timeout = %d; SELECT %s`, idle.Milliseconds(), postgresLock),
		isolation: sql.LevelReadCommitted,
		text:      `TEXT COLLATE "C"`,
	}
}

const oldestPostgres = 14

// detect finds out which engine db is on, and refuses one whose SQL this
// package does not speak.
func detect(ctx context.Context, db *sql.DB) (dialect, error) {
	if err := reach(ctx, db); err != nil {
		return dialect{}, fmt.Errorf("directory: reaching the database: %w", err)
	}
	// SQLite has no function of that name, and no log that would keep the error.
	var version string
	if err := db.QueryRowContext(ctx, `SELECT version()`).Scan(&version); err == nil {
		if !strings.HasPrefix(version, "PostgreSQL ") {
			return dialect{}, fmt.Errorf("directory: the database is %.40q, neither SQLite nor PostgreSQL", version)
		}
		return postgres, supportedPostgres(ctx, db)
	}
	if err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return dialect{}, fmt.Errorf("directory: asking the database for its SQLite version: %w", err)
	}
	return sqlite, nil
}

// reach has db make its first connection. On SQLite that turns a new file to
// WAL, which fails at once, whatever its busy_timeout, while another process
// does the same; so it is tried again for a second.
func reach(ctx context.Context, db *sql.DB) error {
	const busy = 5 // SQLITE_BUSY, the low byte of the extended codes
	limit := time.After(time.Second)
	for {
		var one int
		err := db.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
		if code, ok := errors.AsType[interface {
			error
			Code() int
		}](err); !ok || code.Code()&0xff != busy {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-limit:
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func supportedPostgres(ctx context.Context, db *sql.DB) error {
	var number int
	var encoding string
	var schema sql.NullString
	err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_schema()`).
		Scan(&number, &encoding, &schema)
	switch {
	case err != nil:
		return fmt.Errorf("directory: asking the database for its version: %w", err)
	case number/10000 < oldestPostgres:
		return fmt.Errorf("directory: the database is PostgreSQL %d, and %d or later is needed", number/10000, oldestPostgres)
	case encoding != "UTF8":
		return fmt.Errorf("directory: the database has the encoding %s; create one with ENCODING 'UTF8'", encoding)
	case !schema.Valid:
		return errors.New("directory: no schema of the search_path exists or may be used; create it, or set another search_path")
	}
	return nil
}

// hasTable reports whether the database has a table of that name.
func (l dialect) hasTable(ctx context.Context, db *sql.DB, name string) (bool, error) {
	var n int
	err := db.QueryRowContext(ctx, l.table, name).Scan(&n)
	return n > 0, err
}

// migration returns a migration's statements for the engine.
func (l dialect) migration(text string) string { return strings.ReplaceAll(text, "TEXT", l.text) }

// exclusive runs do in a transaction that is alone among writers.
func (l dialect) exclusive(ctx context.Context, db *sql.DB, do func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: l.isolation})
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer tx.Rollback() // does nothing after a commit
	if _, err := tx.ExecContext(ctx, l.lock); err != nil {
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

// writable refuses a database that can be read only: a standby, or a role
// without the rights.
func writable(ctx context.Context, l dialect, db *sql.DB) error {
	err := l.exclusive(ctx, db, func(tx *sql.Tx) error {
		for _, table := range []string{"directory_users", "directory_throttle", "directory_keys"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE FALSE`); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("directory: the database cannot be written to; it has to be the primary, and the role needs SELECT, INSERT, UPDATE and DELETE on the tables directory_*: %w", err)
	}
	return nil
}
