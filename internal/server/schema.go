package server

import (
	"context"
	"database/sql"

	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// Schema is the state of one database.
type Schema struct {
	Name    string `json:"name"`
	File    string `json:"file"`
	Version int    `json:"version"`
	Latest  int    `json:"latest"`
}

// Schemas tells the schema versions of the databases of a data directory that no
// server uses, after bringing them up if up is set.
func Schemas(ctx context.Context, d Drivers, cfg Config, up bool) ([]Schema, error) {
	r, err := cfg.resolve(nil)
	if err != nil {
		return nil, err
	}
	// Looking makes nothing, and a mistyped directory is not made to look new.
	if !exists(r.Data) {
		return nil, NoData(r.Data)
	}
	if up {
		if err := prepareData(r.Data); err != nil {
			return nil, err
		}
		// Reading may happen beside a server; changing may not.
		lock, err := lockDir(r.Data, false)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
	}
	var out []Schema
	for _, one := range []struct {
		name, path string
		read       func(*sql.DB) (version, latest int, err error)
		up         func(*sql.DB) error
	}{
		{"directory", r.directory.file(), func(db *sql.DB) (int, int, error) {
			s, err := directory.Status(ctx, db)
			return s.Current, s.Latest, err
		}, func(db *sql.DB) error { _, err := directory.Up(ctx, db); return err }},
		{"sessions", r.store.file(), func(db *sql.DB) (int, int, error) {
			s, err := sqlite.Status(ctx, db)
			return s.Version, s.Latest, err
		}, func(db *sql.DB) error { return sqlite.Migrate(ctx, db) }},
	} {
		if one.path == "" {
			continue
		}
		s, err := schema(d, one.path, up, one.read, one.up)
		if err != nil {
			return nil, err
		}
		s.Name = one.name
		out = append(out, s)
	}
	return out, nil
}

// openFile opens a database, which in memory has no file to be made.
func openFile(d Drivers, path string) (*sql.DB, error) {
	if path == ":memory:" && d.SQLite != nil {
		return d.SQLite(path)
	}
	return openSQL(d, path, "data")
}

// NoData says that a data directory, which a command needs, is not there.
func NoData(dir string) error {
	return wrong("data", "%s is not there; name the data directory of the server with --data", dir)
}

func schema(d Drivers, path string, bring bool, read func(*sql.DB) (int, int, error), up func(*sql.DB) error) (Schema, error) {
	name := path
	if !bring && !exists(path) {
		name = ":memory:" // it has the tables that a missing file has: none
	}
	db, err := openFile(d, name)
	if err != nil {
		return Schema{}, err
	}
	defer db.Close()
	if bring {
		if err := up(db); err != nil {
			return Schema{}, err
		}
	}
	version, latest, err := read(db)
	return Schema{File: path, Version: version, Latest: latest}, err
}
