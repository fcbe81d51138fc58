package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// DSN returns the data source name for modernc.org/sqlite that opens the file
// at path with the settings [New] asks for: write-ahead log, a sync at each
// commit (also of the drive's own cache where the system can ask for that),
// five seconds of patience with a lock held by another process.
func DSN(path string) string {
	p := filepath.ToSlash(filepath.Clean(path))
	if filepath.VolumeName(path) != "" {
		p = "/" + p // file:/C:/... is how SQLite spells a drive letter
	}
	settings := []string{
		"_pragma=busy_timeout(5000)",
		"_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)",
		"_pragma=fullfsync(1)",
		"_txlock=immediate",
	}
	return "file:" + (&url.URL{Path: p}).EscapedPath() + "?" + strings.Join(settings, "&")
}

// checkSettings refuses a connection on which a commit could be lost. Settings
// of SQLite belong to a connection, so it runs on each one the store takes.
func checkSettings(ctx context.Context, q queryer) error {
	var journal string
	var synchronous, timeout int
	for _, pragma := range []struct {
		name string
		into any
	}{{"journal_mode", &journal}, {"synchronous", &synchronous}, {"busy_timeout", &timeout}} {
		if err := q.QueryRowContext(ctx, "PRAGMA "+pragma.name).Scan(pragma.into); err != nil {
			return fmt.Errorf("reading PRAGMA %s: %w", pragma.name, explain(err))
		}
	}
	const how = "open the file with sqlite.DSN, or add _pragma=%s to the data source name"
	switch {
	case !strings.EqualFold(journal, "wal"):
		return fmt.Errorf("sqlite: PRAGMA journal_mode is %s and must be WAL: "+how, journal, "journal_mode(WAL)")
	case synchronous < 2:
		return fmt.Errorf("sqlite: PRAGMA synchronous is %d and must be FULL (2), or a power loss undoes logins and revocations: "+how,
			synchronous, "synchronous(FULL)")
	case timeout <= 0:
		return fmt.Errorf("sqlite: PRAGMA busy_timeout is %d and must be positive: "+how, timeout, "busy_timeout(5000)")
	}
	return nil
}

// queryer is what [sql.DB] and [sql.Conn] have in common.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}
