package sqlite

import (
	"context"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Every query of the reading side is one statement, so that it sees one state
// of the database: the global epoch that decides about fences, or the head of
// the feed, belongs to the same moment as the rows beside it. Only listHeld puts
// several answers together, and checks that they belong together.
const (
	sqlGet = `SELECT version, body, (SELECT global_epoch FROM session_meta WHERE id = 1)
		FROM sessions WHERE sid = ?`
	sqlList = `SELECT sid, version, body, (SELECT global_epoch FROM session_meta WHERE id = 1)
		FROM sessions WHERE sid < ? ORDER BY sid DESC LIMIT ?`
	sqlListSubject = `SELECT sid, version, body, (SELECT global_epoch FROM session_meta WHERE id = 1)
		FROM sessions WHERE subject = ? AND subject <> '' AND sid < ? AND (? OR ended_at IS NULL)
		ORDER BY sid DESC LIMIT ?`
	sqlSIDs = `SELECT sid FROM sessions WHERE subject = ? AND subject <> '' AND sid < ? AND (? OR ended_at IS NULL)
		ORDER BY sid DESC LIMIT ?`
	sqlFeed = `SELECT m.global_epoch, m.feed_seq, f.epoch, f.seq, f.kind, f.sid, f.generation,
			f.subject, f.below, f.key, f.reason, f.at, f.until_at
		FROM session_meta m LEFT JOIN session_feed f ON (f.epoch, f.seq) > (?, ?)
		WHERE m.id = 1 ORDER BY f.epoch, f.seq LIMIT ?`
	sqlEpoch = `SELECT global_epoch FROM session_meta WHERE id = 1`
	sqlCount = `SELECT count(*) FROM sessions WHERE ended_at IS NULL AND deadline > ?`
)

var readStatements = []string{sqlGet, sqlList, sqlListSubject, sqlSIDs, sqlFeed, sqlEpoch, sqlCount, sqlNote, sqlLeases}

// read runs f with a connection that nobody else uses meanwhile. Their number is
// fixed: that bounds the memory SQLite takes, and leaves the settings of the
// caller's pool alone.
func (s *Store) read(ctx context.Context, doing string, f func(*connection) error) error {
	select {
	case <-s.closed:
		return fmt.Errorf("%s: %w", doing, ErrClosed)
	default:
	}
	select {
	case c := <-s.readers:
		defer func() { s.readers <- c }()
		if err := f(c); err != nil {
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
