package directory

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Why [Open] refuses a database. The errors that wrap them name both versions.
var (
	// ErrSchemaOld: the program needs a newer schema; see [Up].
	ErrSchemaOld = errors.New("directory: schema is older than this program needs")
	// ErrSchemaNew: the schema was made by a newer program.
	ErrSchemaNew = errors.New("directory: schema is newer than this program knows")
)

//go:embed migrations/*.sql
var files embed.FS

// SchemaStatus compares a database with what this program needs.
type SchemaStatus struct {
	Current int      // version of the database; 0 when there is no directory in it
	Latest  int      // version this program needs
	Pending []string // names of the migrations that Up would run, in order
}

// Status reads the schema version of db. It changes nothing.
func Status(ctx context.Context, db *sql.DB) (SchemaStatus, error) {
	m, err := numbered(files)
	if err != nil {
		return SchemaStatus{}, err
	}
	return m.status(ctx, db)
}

// Up brings the schema of db to the version this program needs and returns the
// names of the migrations it ran. Each runs in its own transaction, so that an
// error leaves the ones before it in place and may be followed by another Up.
// Processes that call it at the same time take turns. There is no way back
// down. It refuses a newer schema with [ErrSchemaNew].
func Up(ctx context.Context, db *sql.DB) ([]string, error) {
	m, err := numbered(files)
	if err != nil {
		return nil, err
	}
	return m.up(ctx, db)
}

// migrations holds the steps in order: the first one makes version 1.
type migrations []migration

type migration struct {
	name string // the file's: 0001_initial
	sql  string
}

// numbered reads the files of the folder migrations, which must be numbered
// from 0001 without a gap.
func numbered(fsys fs.FS) (migrations, error) {
	entries, err := fs.ReadDir(fsys, "migrations") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("directory: reading migrations: %w", err)
	}
	var all migrations
	for i, e := range entries {
		if !strings.HasPrefix(e.Name(), fmt.Sprintf("%04d_", i+1)) {
			return nil, fmt.Errorf("directory: reading migrations: %s is not number %d", e.Name(), i+1)
		}
		text, err := fs.ReadFile(fsys, "migrations/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("directory: reading migrations: %w", err)
		}
		all = append(all, migration{strings.TrimSuffix(e.Name(), ".sql"), string(text)})
	}
	return all, nil
}

// prepare makes the schema in an empty database and refuses one that does not
// fit. Anything between is for the operator to start, after a backup.
func (m migrations) prepare(ctx context.Context, db *sql.DB) error {
	s, err := m.status(ctx, db)
	if err != nil {
		return err
	}
	if s.Current == 0 {
		// All of them in one transaction, so that whoever opens the database
		// meanwhile finds no schema or the whole of it.
		if _, err := m.run(ctx, db, len(m)); err != nil {
			return err
		}
		if s, err = m.status(ctx, db); err != nil {
			return err
		}
	}
	if s.Current < s.Latest {
		return fmt.Errorf("%w: it is at version %d of %d; run \"lanyard migrate up\"", ErrSchemaOld, s.Current, s.Latest)
	}
	return s.tooNew()
}

func (s SchemaStatus) tooNew() error {
	if s.Current > s.Latest {
		return fmt.Errorf("%w: it is at version %d, past %d; install the newer release", ErrSchemaNew, s.Current, s.Latest)
	}
	return nil
}

func (m migrations) status(ctx context.Context, db *sql.DB) (SchemaStatus, error) {
	s := SchemaStatus{Latest: len(m)}
	l, err := detect(ctx, db)
	if err != nil {
		return s, err
	}
	there, err := l.hasTable(ctx, db, "directory_schema")
	if err != nil {
		return s, fmt.Errorf("directory: looking for the schema: %w", err)
	}
	if there {
		if s.Current, err = version(ctx, db); err != nil {
			return s, err
		}
	}
	for i := s.Current; i < len(m); i++ {
		s.Pending = append(s.Pending, m[i].name)
	}
	return s, nil
}

func (m migrations) up(ctx context.Context, db *sql.DB) ([]string, error) {
	var ran []string
	for {
		names, err := m.run(ctx, db, 1)
		if err != nil || len(names) == 0 {
			return ran, err
		}
		ran = append(ran, names...)
	}
}

// run runs that many of the pending migrations in one transaction and returns
// their names. The version is read under the lock: another process may be
// faster.
func (m migrations) run(ctx context.Context, db *sql.DB, most int) (names []string, err error) {
	l, err := detect(ctx, db)
	if err != nil {
		return nil, err
	}
	// Outside of the transaction below, which on SQLite locks this table.
	if _, err := db.ExecContext(ctx, l.create); err != nil {
		return nil, fmt.Errorf("directory: creating the schema table: %w", err)
	}
	err = l.exclusive(ctx, db, func(tx *sql.Tx) error {
		current, err := version(ctx, tx)
		if err != nil {
			return err
		}
		if err := (SchemaStatus{Current: current, Latest: len(m)}).tooNew(); err != nil {
			return err
		}
		for i := current; i < min(current+most, len(m)); i++ {
			if _, err := tx.ExecContext(ctx, l.migration(m[i].sql)); err != nil {
				return fmt.Errorf("directory: running migration %s: %w", m[i].name, err)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO directory_schema (version, name) VALUES ($1, $2)`, i+1, m[i].name); err != nil {
				return err
			}
			names = append(names, m[i].name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// querier is what *sql.DB and *sql.Tx have in common for reading.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func version(ctx context.Context, q querier) (int, error) {
	var v int
	err := q.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM directory_schema`).Scan(&v)
	if err != nil {
		return 0, fmt.Errorf("directory: reading the schema version: %w", err)
	}
	return v, nil
}
