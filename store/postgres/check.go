package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// minVersion is the oldest server, as server_version_num counts.
const minVersion = 140000

// server is what the server says about itself and the database.
type server struct {
	version    int
	name       string // of the version
	encoding   string
	isolation  string
	recovering bool
	readOnly   bool
}

func checkServer(ctx context.Context, db *sql.DB) error {
	var found server
	err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding'), current_setting('default_transaction_isolation'),
		pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean`).
		Scan(&found.version, &found.name, &found.encoding, &found.isolation, &found.recovering, &found.readOnly)
	if err != nil {
		return fmt.Errorf("connecting: %w", explain(err))
	}
	return found.check()
}

// check refuses what the promises cannot be kept with.
func (s *server) check() error {
	switch {
	case s.version < minVersion:
		return fmt.Errorf("%w: PostgreSQL is version %s, 14 or later is needed", ErrSettings, s.name)
	case s.encoding != "UTF8":
		return fmt.Errorf("%w: the database's encoding is %s: make one with CREATE DATABASE ... ENCODING 'UTF8'", ErrSettings, s.encoding)
	case s.recovering:
		return fmt.Errorf("%w: the server is a standby", ErrReadOnly)
	case s.readOnly:
		return fmt.Errorf("%w: it is on", ErrReadOnly)
	case s.isolation != "read committed":
		return fmt.Errorf("%w: default_transaction_isolation is %q: set it to 'read committed' for this role or database", ErrSettings, s.isolation)
	}
	return nil
}

// rights are what the role needs, by table.
var rights = map[string]string{
	"meta":     "SELECT, UPDATE",
	"sessions": "SELECT, INSERT, UPDATE, DELETE",
	"epochs":   "SELECT, INSERT, UPDATE",
	"feed":     "SELECT, INSERT, UPDATE, DELETE",
	"once":     "SELECT, INSERT, UPDATE, DELETE",
	"notes":    "SELECT, INSERT, UPDATE",
	"leases":   "SELECT, INSERT, UPDATE, DELETE",
}

// checkRights finds a missing right before a user's call does.
func checkRights(ctx context.Context, db *sql.DB, schema string) error {
	var missing []string
	for _, table := range slices.Sorted(maps.Keys(rights)) {
		for right := range strings.SplitSeq(rights[table], ", ") {
			var has bool
			err := db.QueryRowContext(ctx, "SELECT has_table_privilege($1, $2)", inSchema("{schema}."+table, schema), right).Scan(&has)
			if err != nil {
				return fmt.Errorf("checking the rights of the role: %w", explain(err))
			}
			if !has {
				missing = append(missing, fmt.Sprintf("%s ON %s.%s", right, schema, table))
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: GRANT %s", ErrAccess, strings.Join(missing, ", "))
	}
	return nil
}
