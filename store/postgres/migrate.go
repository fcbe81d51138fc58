package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// SchemaStatus says which version the tables have and which one this program
// needs. Version 0 is a database without the tables.
type SchemaStatus struct {
	Version int
	Latest  int
}

// Status reads the version of the tables in a schema of db, empty for the
// default one, and changes nothing.
func Status(ctx context.Context, db *sql.DB, schema string) (SchemaStatus, error) {
	schema, err := schemaName(schema)
	if err != nil {
		return SchemaStatus{}, err
	}
	steps, err := loadSteps(schema)
	if err != nil {
		return SchemaStatus{}, err
	}
	version, err := schemaVersion(ctx, db, schema)
	return SchemaStatus{Version: version, Latest: len(steps)}, err
}

// Migrate brings the tables in a schema of db, empty for the default one, to the
// version this program needs; it creates the schema if there is none. All steps
// happen in one transaction, and programs that start together wait for each
// other. On tables that are up to date it does nothing, newer ones give
// [ErrNewSchema], those of another program [ErrForeign].
func Migrate(ctx context.Context, db *sql.DB, schema string) error {
	schema, err := schemaName(schema)
	if err != nil {
		return err
	}
	steps, err := loadSteps(schema)
	if err != nil {
		return err
	}
	return migrate(ctx, db, schema, steps)
}

func migrate(ctx context.Context, db *sql.DB, schema string, steps []string) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return fmt.Errorf("connecting to migrate: %w", explain(err))
	}
	defer func() { _ = tx.Rollback() }()
	// The lock is taken before the version is read: of two programs that start
	// together, the second finds the work done.
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", lockNumber("migrate", schema)); err != nil {
		return fmt.Errorf("locking the database to migrate: %w", explain(err))
	}
	version, err := schemaVersion(ctx, tx, schema)
	if err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("%w (version %d, known %d)", ErrNewSchema, version, len(steps))
	}
	if version == len(steps) {
		return nil
	}
	for i := version; i < len(steps); i++ {
		if _, err := tx.ExecContext(ctx, steps[i]); err != nil {
			return fmt.Errorf("migrating to version %d: %w", i+1, explain(err))
		}
	}
	if _, err := tx.ExecContext(ctx, inSchema("UPDATE {schema}.meta SET schema_version = $1 WHERE id = 1", schema), len(steps)); err != nil {
		return fmt.Errorf("writing the schema version: %w", explain(err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing the migration: %w", explain(err))
	}
	return nil
}

// prepareSchema creates the tables in a database without them. It never changes
// tables that exist: that is for the operator to start, after a backup.
func prepareSchema(ctx context.Context, db *sql.DB, schema string, noCreate bool) error {
	steps, err := loadSteps(schema)
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, db, schema)
	switch {
	case err != nil:
		return err
	case version == 0 && noCreate:
		return fmt.Errorf("%w (schema %s)", ErrNoSchema, schema)
	case version == 0:
		err := migrate(ctx, db, schema, steps)
		if sqlState(err) == stateNoRight {
			return fmt.Errorf("%w (schema %s): %w", ErrNoSchema, schema, err)
		}
		return err
	case version < len(steps):
		return fmt.Errorf("%w (version %d, needed %d)", ErrOldSchema, version, len(steps))
	case version > len(steps):
		return fmt.Errorf("%w (version %d, known %d)", ErrNewSchema, version, len(steps))
	}
	return nil
}

// queryer is a database or a transaction.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tables are ours since the first version, so that a schema is known by them; the
// first one says which version they have.
var tables = [...]string{"meta", "sessions", "epochs", "feed", "once", "notes"}

// schemaVersion returns 0 if none of our tables is there.
func schemaVersion(ctx context.Context, q queryer, schema string) (version int, err error) {
	var names, marks int
	err = q.QueryRowContext(ctx, `SELECT count(DISTINCT c.relname),
			count(*) FILTER (WHERE c.relname = 'meta' AND a.attname IN ('id', 'schema_version', 'global_epoch'))
		FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relname = ANY (string_to_array($2, ' '))`, schema, strings.Join(tables[:], " ")).Scan(&names, &marks)
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading the schema version: %w", explain(err))
	case names == 0:
		return 0, nil
	case names < len(tables) || marks != 3:
		return 0, fmt.Errorf("%w (schema %s)", ErrForeign, schema)
	}
	err = q.QueryRowContext(ctx, inSchema("SELECT schema_version FROM {schema}.meta WHERE id = 1", schema)).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, fmt.Errorf("%w (schema %s)", ErrForeign, schema)
	case err != nil:
		return 0, fmt.Errorf("reading the schema version: %w", explain(err))
	}
	return version, nil
}

var schemaPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// schemaName checks a name against the alphabet that needs no quoting.
func schemaName(name string) (string, error) {
	if name == "" {
		return "lanyard", nil
	}
	if !schemaPattern.MatchString(name) || strings.HasPrefix(name, "pg_") {
		return "", fmt.Errorf("postgres: Config.Schema is %q, want up to 40 lower-case letters, digits and underscores, no digit first and not pg_", name)
	}
	return name, nil
}

// inSchema puts the checked name of the schema and the number of the feed's lock
// into a statement.
func inSchema(text, schema string) string {
	return strings.NewReplacer("{schema}", `"`+schema+`"`, "{feed}", strconv.FormatInt(lockNumber("feed", schema), 10)).Replace(text)
}

// lockNumber is the number of an advisory lock. Others use such locks in the same
// database, so it is not a small one.
func lockNumber(purpose, schema string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "lanyard %s %s", purpose, schema)
	return int64(h.Sum64())
}

// loadSteps returns the migrations in order; the n-th leads to version n.
func loadSteps(schema string) ([]string, error) {
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
		steps[i] = inSchema(string(text), schema)
	}
	steps[0] = inSchema("CREATE SCHEMA IF NOT EXISTS {schema};\n", schema) + steps[0]
	return steps, nil
}
