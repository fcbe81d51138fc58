package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Check reads the whole database and returns an error that matches [ErrCorrupt]
// and names what is wrong first: a damaged file, an index that does not fit its
// table, a record that cannot be read, or one that says something else than the
// columns beside it. It takes a while; other calls go on.
func (s *Store) Check(ctx context.Context) error {
	err := s.read(ctx, "checking the database", func(c *connection) error {
		var finding string
		if err := c.conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&finding); err != nil {
			return err
		}
		if finding != "ok" {
			return fmt.Errorf("%w: %s", ErrCorrupt, finding)
		}
		return nil
	})
	from := []byte{0} // below every SID
	for err == nil && from != nil {
		err = s.read(ctx, "checking the records", func(c *connection) error {
			rows, err := c.conn.QueryContext(ctx, `SELECT sid, version, subject, epoch, deadline, ended_at, body
				FROM sessions WHERE sid > ? ORDER BY sid LIMIT ?`, from, scanRows)
			if err != nil {
				return err
			}
			defer rows.Close()
			from, err = checkRows(rows)
			return err
		})
	}
	return err
}

// checkRows returns the last key, or nil if there were no rows.
func checkRows(rows *sql.Rows) (last []byte, err error) {
	for rows.Next() {
		var id, subject, body string
		var version, due int64
		var epoch uint64
		var endedAt sql.NullInt64
		if err := rows.Scan(&id, &version, &subject, &epoch, &due, &endedAt, &body); err != nil {
			return nil, err
		}
		last = []byte(id)
		rec, err := decode(sidOf(id), version, body, epoch)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		fits := rec.Subject == subject && (rec.EndReason != "") == endedAt.Valid && rec.EndedAt == lanyard.Time(endedAt.Int64)
		if !endedAt.Valid { // nobody asks for these afterwards
			fits = fits && rec.GlobalEpoch == epoch && deadline(rec) == due
		}
		if !fits {
			return nil, fmt.Errorf("%w: record %s does not fit the columns beside it", ErrCorrupt, rec.SID)
		}
	}
	return last, rows.Err()
}
