package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

const (
	sqlBegin    = "BEGIN IMMEDIATE" // the lock is taken now, so no step finds out half-way
	sqlCommit   = "COMMIT"
	sqlRollback = "ROLLBACK"

	sqlMeta    = `SELECT global_epoch, feed_seq, sweep FROM session_meta WHERE id = 1`
	sqlSetMeta = `UPDATE session_meta SET global_epoch = ?, feed_seq = ?, sweep = ? WHERE id = 1`

	sqlInsert = `INSERT INTO sessions (sid, version, subject, epoch, deadline, origin, body)
		VALUES (?, 1, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	sqlImport = `INSERT INTO sessions (sid, version, subject, epoch, deadline, ended_at, origin, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	sqlLive = `SELECT sid, version, subject, ended_at, body FROM sessions
		WHERE subject = ? AND subject <> '' AND ended_at IS NULL AND deadline > ? AND epoch >= ?`
	sqlFind    = `SELECT version, subject, epoch, deadline, ended_at, origin FROM sessions WHERE sid = ?`
	sqlReplace = `UPDATE sessions SET version = ?, body = ? WHERE sid = ?`
	sqlMove    = `UPDATE sessions SET version = ?, body = ?, deadline = ? WHERE sid = ?`
	sqlLink    = `UPDATE sessions SET origin = ? WHERE sid = ?`

	sqlRow       = `SELECT sid, version, subject, ended_at, body FROM sessions WHERE sid = ?`
	sqlOfOrigin  = `SELECT sid, version, subject, ended_at, body FROM sessions WHERE origin = ?`
	sqlOfSubject = `SELECT sid, version, subject, ended_at, body FROM sessions
		WHERE subject = ? AND subject <> '' AND ended_at IS NULL`
	sqlEnd = `UPDATE sessions SET version = ?, ended_at = ?, body = ? WHERE sid = ?`

	sqlSubjectEpoch = `SELECT epoch FROM session_epochs WHERE subject = ?`
	sqlRaise        = `INSERT INTO session_epochs (subject, epoch) VALUES (?, 1)
		ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch`
	sqlRaiseTo = `INSERT INTO session_epochs (subject, epoch) VALUES (?, ?)
		ON CONFLICT DO UPDATE SET epoch = excluded.epoch WHERE excluded.epoch > epoch`
	sqlAppend = `INSERT INTO session_feed
		(epoch, seq, kind, sid, generation, subject, below, key, reason, at, until_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlOnce = `INSERT INTO session_once (key, until_at) VALUES (?1, ?2)
		ON CONFLICT DO UPDATE SET until_at = excluded.until_at WHERE until_at <= ?3`

	sqlNote       = `SELECT value FROM session_notes WHERE name = ?`
	sqlSetNote    = `INSERT INTO session_notes (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`
	sqlForgetNote = `DELETE FROM session_notes WHERE name = ?`

	sqlOverdue = `SELECT sid, version, subject, ended_at, body FROM sessions
		WHERE ended_at IS NULL AND deadline <= ? ORDER BY deadline LIMIT ?`
	sqlSweep = `SELECT sid, version, subject, ended_at, body, epoch FROM sessions
		WHERE sid > ? ORDER BY sid LIMIT ?`
	sqlForgotten = `SELECT sid, origin FROM sessions
		WHERE ended_at IS NOT NULL AND ended_at <= ? ORDER BY ended_at LIMIT ?`
	sqlDelete    = `DELETE FROM sessions WHERE sid = ?`
	sqlInherit   = `UPDATE sessions SET origin = ? WHERE origin = ?`
	sqlPruneOnce = `DELETE FROM session_once WHERE key IN
		(SELECT key FROM session_once WHERE until_at <= ? LIMIT ?)`
	sqlPruneFeed = `DELETE FROM session_feed WHERE (epoch, seq) IN
		(SELECT epoch, seq FROM session_feed WHERE until_at <= ? LIMIT ?)`
)

var writeStatements = []string{
	sqlBegin, sqlCommit, sqlRollback, sqlMeta, sqlSetMeta,
	sqlInsert, sqlLive, sqlFind, sqlReplace, sqlMove, sqlLink,
	sqlRow, sqlOfOrigin, sqlOfSubject, sqlEnd, sqlSubjectEpoch, sqlRaise, sqlRaiseTo, sqlAppend, sqlOnce,
	sqlImport, sqlNote, sqlSetNote, sqlForgetNote, sqlSetLease, sqlDropLease,
	sqlOverdue, sqlSweep, sqlForgotten, sqlDelete, sqlInherit, sqlPruneOnce, sqlPruneFeed,
}

// writer is the one connection that writes.
type writer struct{ *connection }

// begin takes the write lock of the database, waiting until the busy timeout or
// the end of ctx.
func (w writer) begin(ctx context.Context) error {
	_, err := w.stmt[sqlBegin].ExecContext(ctx)
	if err != nil {
		w.undo() // it may have begun just when ctx ended
	}
	return err
}

// undo ends a transaction without a trace. SQLite may have done so already,
// which is the only error there is.
func (w writer) undo() {
	_, _ = w.stmt[sqlRollback].ExecContext(context.Background())
}

// tune spares the writer work. With 64 callers creating sessions it took about a
// fifth less processor time: index pages are found in memory, and a page changed
// by many transactions is copied out of the log once. The log grows to 16 MB.
func (w writer) tune(ctx context.Context) error {
	for _, pragma := range []string{"PRAGMA cache_size = -8000", "PRAGMA wal_autocheckpoint = 4000"} {
		if _, err := w.conn.ExecContext(ctx, pragma); err != nil {
			return fmt.Errorf("setting up the writer: %w", explain(err))
		}
	}
	return nil
}

// meta is the row of session_meta.
type meta struct {
	epoch uint64 // the global epoch
	seq   uint64 // of the newest feed entry
	sweep []byte // records behind this key may still be fenced; nil: none are
}

// tx is a transaction in progress.
type tx struct {
	writer
	meta
	dirty   bool  // meta has changed
	wrote   int   // statements that changed something
	broken  error // the engine failed: nothing may be kept
	changes []change
}

// change is what a transaction makes of a row, for the cache; an empty body
// means that the row is gone.
type change struct {
	sid     lanyard.SID
	version int64
	body    string
}

// start reads what every transaction needs, unless it is known.
func (w writer) start(known *meta) (*tx, error) {
	t := &tx{writer: w}
	if known != nil {
		t.meta = *known
		return t, nil
	}
	_, err := t.scan(sqlMeta, nil, &t.epoch, &t.seq, &t.sweep)
	return t, err
}

// finish commits: when it returns nil, all is on the disk.
func (t *tx) finish() error {
	if t.dirty {
		if _, err := t.exec(sqlSetMeta, int64(t.epoch), int64(t.seq), t.sweep); err != nil {
			return err
		}
	}
	_, err := t.exec(sqlCommit)
	return err
}

// sweepAgain makes Prune look at all records for fenced ones.
func (t *tx) sweepAgain() {
	t.sweep = []byte{0} // below every SID
	t.dirty = true
}

// exec runs a statement and returns the number of rows it changed. Like scan
// and query it goes without the caller's context: the transaction belongs to
// several callers, and one of them giving up must not undo it for the others.
func (t *tx) exec(text string, args ...any) (int64, error) {
	res, err := t.stmt[text].ExecContext(context.Background(), args...)
	if err != nil {
		t.broken = err
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil {
		t.broken = err
		return 0, err
	}
	if n > 0 {
		t.wrote++
	}
	return n, nil
}

// scan reads one row, and reports whether there was one.
func (t *tx) scan(text string, args []any, into ...any) (bool, error) {
	err := t.stmt[text].QueryRowContext(context.Background(), args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		t.broken = err
	}
	return err == nil, err
}

// query calls each for every row.
func (t *tx) query(text string, each func(*sql.Rows) error, args ...any) error {
	rows, err := t.stmt[text].QueryContext(context.Background(), args...)
	if err != nil {
		t.broken = err
		return err
	}
	defer rows.Close()
	for err == nil && rows.Next() {
		err = each(rows)
	}
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		t.broken = err
	}
	return err
}

func (t *tx) note(sid lanyard.SID, version int64, body []byte) {
	t.changes = append(t.changes, change{sid, version, string(body)})
}
