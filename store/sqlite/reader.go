package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Every query of the reading side is one statement, so that it sees one state
// of the database: the global epoch that decides about fences, or the head of
// the feed, belongs to the same moment as the rows beside it.
const (
	sqlGet = `SELECT version, body, (SELECT global_epoch FROM session_meta WHERE id = 1)
		FROM sessions WHERE sid = ?`
	sqlList = `SELECT sid, version, body, (SELECT global_epoch FROM session_meta WHERE id = 1)
		FROM sessions WHERE sid < ? ORDER BY sid DESC LIMIT ?`
	sqlListSubject = `SELECT sid, version, body, (SELECT global_epoch FROM session_meta WHERE id = 1)
		FROM sessions WHERE subject = ? AND subject <> '' AND sid < ? AND (? OR ended_at IS NULL)
		ORDER BY sid DESC LIMIT ?`
	sqlFeed = `SELECT m.global_epoch, m.feed_seq, f.epoch, f.seq, f.kind, f.sid, f.generation,
			f.subject, f.below, f.key, f.reason, f.at, f.until_at
		FROM session_meta m LEFT JOIN session_feed f ON (f.epoch, f.seq) > (?, ?)
		WHERE m.id = 1 ORDER BY f.epoch, f.seq LIMIT ?`
	sqlEpoch = `SELECT global_epoch FROM session_meta WHERE id = 1`
	sqlCount = `SELECT count(*) FROM sessions WHERE ended_at IS NULL AND deadline > ?`
)

// reader is a connection with its statements. A fixed number of them bounds the
// memory SQLite takes, and leaves the settings of the caller's pool alone.
type reader struct {
	conn                                         *sql.Conn
	get, list, listSubject, feed, epoch, counted *sql.Stmt
}

func newReader(ctx context.Context, db *sql.DB) (*reader, error) {
	conn, err := connect(ctx, db)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn}
	err = prepare(ctx, conn, map[string]**sql.Stmt{
		sqlGet: &r.get, sqlList: &r.list, sqlListSubject: &r.listSubject,
		sqlFeed: &r.feed, sqlEpoch: &r.epoch, sqlCount: &r.counted,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// connect takes a connection and checks its settings.
func connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", explain(err))
	}
	if err := checkSettings(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// prepare fills in the statements, or closes the connection.
func prepare(ctx context.Context, conn *sql.Conn, into map[string]**sql.Stmt) error {
	for text, stmt := range into {
		var err error
		if *stmt, err = conn.PrepareContext(ctx, text); err != nil {
			return errors.Join(fmt.Errorf("preparing statements: %w", explain(err)), conn.Close())
		}
	}
	return nil
}

// close gives the connection back to the pool. Its statements are freed first,
// because the pool may keep the connection.
func (r *reader) close() {
	for _, stmt := range []*sql.Stmt{r.get, r.list, r.listSubject, r.feed, r.epoch, r.counted} {
		_ = stmt.Close()
	}
	_ = r.conn.Close()
}

// read runs f with a reader that nobody else uses meanwhile. An error is
// explained and says what was being done.
func (s *Store) read(ctx context.Context, doing string, f func(*reader) error) error {
	select {
	case <-s.closed:
		return fmt.Errorf("%s: %w", doing, ErrClosed)
	default:
	}
	select {
	case r := <-s.readers:
		defer func() { s.readers <- r }()
		if err := f(r); err != nil {
			return fmt.Errorf("%s: %w", doing, explain(err))
		}
		return nil
	case <-s.closed:
		return fmt.Errorf("%s: %w", doing, ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("%s: waiting for a connection: %w", doing, ctx.Err())
	}
}

// decode turns a row into a record. That the stored form names the key it was
// found under is checked too: a row copied to another key opens nothing.
func decode(sid lanyard.SID, version int64, body string, epoch uint64) (*lanyard.Record, error) {
	rec, err := lanyard.DecodeRecord(body, uint64(version))
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", sid, err)
	}
	if rec.SID != sid {
		return nil, fmt.Errorf("record %s: %w: stored under another id", sid, lanyard.ErrBadRecord)
	}
	rec.Fenced = rec.EndReason == "" && rec.GlobalEpoch < epoch
	return rec, nil
}
