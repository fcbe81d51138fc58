package directory

import (
	"context"
	"database/sql"
	"time"
)

// pruneEvery is how many reservations of a process lie between two cleanings.
const pruneEvery = 256

// Prune removes what no longer means anything: delays that are over and reset
// secrets that have expired. Logins do it too from time to time, so that the
// tables stay small; an hourly call removes what the last login left behind.
func (d *Directory) Prune(ctx context.Context) error {
	return d.write(ctx, "pruning directory", func(tx *sql.Tx) error {
		return d.prune(ctx, tx, d.now())
	})
}

func (d *Directory) prune(ctx context.Context, tx *sql.Tx, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM directory_resets WHERE expires <= $1`, now.UnixMilli()); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM directory_throttle WHERE expires <= $1`, now.UnixMilli()); err != nil {
		return err
	}
	var rows int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM directory_throttle`).Scan(&rows); err != nil {
		return err
	}
	if rows <= d.throttle.MaxRows {
		return nil
	}
	// Fewest failures first, whether the name exists or not: to get a counter
	// with n failures evicted, an attacker has to pay for MaxRows others with
	// as many, and what is evicted says nothing about which names exist. The
	// count that closes an account is kept with the user and is never evicted.
	// A tenth more than needed goes, so that this does not recur at once.
	_, err := tx.ExecContext(ctx, `DELETE FROM directory_throttle WHERE bucket IN
		(SELECT bucket FROM directory_throttle ORDER BY failures, seen LIMIT $1)`,
		rows-d.throttle.MaxRows+d.throttle.MaxRows/10)
	return err
}
