package sqlite

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
	sqlSetLease  = `INSERT INTO session_leases (node, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`
	sqlDropLease = `DELETE FROM session_leases WHERE node = ? AND value = ?`
	// No name is empty: the bound has the table read by its key.
	sqlLeases = `SELECT i.identity, l.node, l.value
		FROM session_identity i LEFT JOIN session_leases l ON l.node > '' WHERE i.id = 1`
)

var _ lanyard.Leaser = (*Store)(nil)

// SetLease implements [lanyard.Leaser]. It shares transactions and their syncs
// with whoever else writes.
func (s *Store) SetLease(ctx context.Context, node, value string) error {
	if node == "" || len(node) > maxLeaseName || len(value) > maxLeaseValue {
		return fmt.Errorf("sqlite: writing a lease: a name of %d bytes and a value of %d, want 1 to %d and at most %d",
			len(node), len(value), maxLeaseName, maxLeaseValue)
	}
	return s.commit(ctx, "writing a lease", func(t *tx) error {
		_, err := t.exec(sqlSetLease, node, value)
		return err
	})
}

// DropLease implements [lanyard.Leaser].
func (s *Store) DropLease(ctx context.Context, node, value string) error {
	return s.commit(ctx, "removing a lease", func(t *tx) error {
		_, err := t.exec(sqlDropLease, node, value)
		return err
	})
}

// Leases implements [lanyard.Leaser]. The incarnation is drawn when the tables
// are made. It sees that another database was put in the place of this one. It
// does not see a copy of the same database put there, as [Store.Backup] makes
// one: nothing may have the file open then, so that every node begins anew. A
// restart and a loss of power lose nothing that was acknowledged and are not
// seen either.
func (s *Store) Leases(ctx context.Context) (leases map[string]string, incarnation string, err error) {
	err = s.read(ctx, "reading the leases", func(c *connection) error {
		rows, err := c.stmt[sqlLeases].QueryContext(ctx)
		if err != nil {
			return err
		}
		defer rows.Close()
		leases, incarnation, err = readLeases(rows)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return leases, incarnation, nil
}

func readLeases(rows *sql.Rows) (leases map[string]string, incarnation string, err error) {
	leases = make(map[string]string)
	for rows.Next() {
		var node, value sql.NullString // NULL in the only row when there are no leases
		if err := rows.Scan(&incarnation, &node, &value); err != nil {
			return nil, "", err
		}
		if node.Valid {
			leases[node.String] = value.String
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", err
	}
	if incarnation == "" {
		return nil, "", fmt.Errorf("%w: the row of session_identity is missing", ErrCorrupt)
	}
	return leases, incarnation, nil
}
