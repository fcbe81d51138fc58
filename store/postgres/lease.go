package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// The longest name and value of a lease, in bytes.
const (
	maxLeaseName  = 64
	maxLeaseValue = 8 << 10
)

const (
	sqlSetLease = `INSERT INTO {schema}.leases AS l VALUES ($1, $2)
		ON CONFLICT (node) DO UPDATE SET value = excluded.value`
	sqlDropLease = `DELETE FROM {schema}.leases l WHERE l.node = $1 AND l.value = $2`
	// The incarnation is in each row, and alone in the only row when there are no
	// leases. Everybody may read what it is made of. A standby gives none.
	sqlLeases = `SELECT CASE WHEN NOT pg_is_in_recovery() THEN concat_ws('.',
				extract(epoch FROM pg_postmaster_start_time()), d.oid, m.tableoid) END, l.node, l.value
		FROM {schema}.meta m JOIN pg_database d ON d.datname = current_database()
		LEFT JOIN {schema}.leases l ON l.node > ''::bytea WHERE m.id = 1`
)

var _ lanyard.Leaser = (*Store)(nil)

// SetLease implements [lanyard.Leaser].
func (s *Store) SetLease(ctx context.Context, node, value string) error {
	if node == "" || len(node) > maxLeaseName || len(value) > maxLeaseValue {
		return fmt.Errorf("postgres: writing a lease: a name of %d bytes and a value of %d, want 1 to %d and at most %d",
			len(node), len(value), maxLeaseName, maxLeaseValue)
	}
	return s.exec(ctx, "writing a lease", s.query.setLease, []byte(node), []byte(value))
}

// DropLease implements [lanyard.Leaser].
func (s *Store) DropLease(ctx context.Context, node, value string) error {
	return s.exec(ctx, "removing a lease", s.query.dropLease, []byte(node), []byte(value))
}

func (s *Store) exec(ctx context.Context, doing, text string, args ...any) error {
	if err := s.enter(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer s.calls.Done()
	if _, err := s.db.ExecContext(ctx, text, args...); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	return nil
}

// Leases implements [lanyard.Leaser]. The incarnation is the moment at which the
// server was started, with the numbers of the database and of a table in it. It
// sees a restart, another primary after a failover, and a backup restored as new
// tables or as another database. It does not see what is written back into the
// same tables, nor a former primary that still runs and answers, nor that the
// server ended all connections after one of its processes had crashed, which
// loses nothing while synchronous_commit is on.
func (s *Store) Leases(ctx context.Context) (leases map[string]string, incarnation string, err error) {
	const doing = "reading the leases"
	if err := s.enter(); err != nil {
		return nil, "", fmt.Errorf("%s: %w", doing, err)
	}
	defer s.calls.Done()
	rows, err := s.db.QueryContext(ctx, s.query.leases)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", doing, explain(err))
	}
	defer rows.Close()
	leases, incarnation, err = readLeases(rows)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", doing, explain(err))
	}
	return leases, incarnation, nil
}

func readLeases(rows *sql.Rows) (leases map[string]string, incarnation string, err error) {
	leases = make(map[string]string)
	for rows.Next() {
		var word sql.NullString
		var node, value []byte
		if err := rows.Scan(&word, &node, &value); err != nil {
			return nil, "", err
		}
		if incarnation = word.String; incarnation == "" {
			return nil, "", fmt.Errorf("%w: the server is a standby", ErrReadOnly)
		}
		if node != nil {
			leases[string(node)] = string(value)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", err
	}
	if incarnation == "" {
		return nil, "", fmt.Errorf("%w: the row of meta is missing", ErrForeign)
	}
	return leases, incarnation, nil
}
