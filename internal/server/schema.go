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
	if err := prepareData(r.Data); err != nil {
		return nil, err
	}
	if up {
		// Reading may happen beside a server; changing may not.
		lock, err := lockDir(r.Data)
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
		{"directory", r.dirPath, func(db *sql.DB) (int, int, error) {
			s, err := directory.Status(ctx, db)
			return s.Current, s.Latest, err
		}, func(db *sql.DB) error { _, err := directory.Up(ctx, db); return err }},
		{"sessions", r.storePath, func(db *sql.DB) (int, int, error) {
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

func schema(d Drivers, path string, bring bool, read func(*sql.DB) (int, int, error), up func(*sql.DB) error) (Schema, error) {
	db, err := openSQL(d, path, "data")
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
