package postgres

import (
	"database/sql"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// row is what the table says about a record besides its key. It overrules the
// stored form in the body, which is as the last caller wrote it.
type row struct {
	version      int64
	subjectEpoch sql.NullInt64
	globalEpoch  sql.NullInt64
	endedAt      sql.NullInt64
	reason, by   sql.NullString
	body         string
}

// epoch is an epoch read from a primary. A standby gives none: its answers may be
// older than what the store has promised to see.
type epoch uint64

// Scan implements [sql.Scanner].
func (e *epoch) Scan(value any) error {
	if value == nil {
		return fmt.Errorf("%w: the server is a standby", ErrReadOnly)
	}
	n, ok := value.(int64)
	if !ok || n < 0 {
		return fmt.Errorf("an epoch of %v", value)
	}
	*e = epoch(n)
	return nil
}

// record decodes a row. That the stored form names the key it was found under is
// checked too: a row copied to another key opens nothing.
func (r *row) record(sid lanyard.SID, epoch uint64) (*lanyard.Record, error) {
	rec, err := lanyard.DecodeRecord(r.body, uint64(r.version))
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", sid, err)
	}
	if rec.SID != sid {
		return nil, fmt.Errorf("record %s: %w: stored under another id", sid, lanyard.ErrBadRecord)
	}
	r.overrule(rec)
	rec.Fenced = rec.EndReason == "" && rec.GlobalEpoch < epoch
	return rec, nil
}

func (r *row) overrule(rec *lanyard.Record) {
	rec.SubjectEpoch, rec.GlobalEpoch = uint64(r.subjectEpoch.Int64), uint64(r.globalEpoch.Int64)
	if r.endedAt.Valid {
		rec.EndedAt = lanyard.Time(r.endedAt.Int64)
		rec.EndReason, rec.EndedBy = lanyard.Reason(r.reason.String), r.by.String
	}
}

// ended decodes the row of a record that has just ended. One whose body cannot
// be read opened nothing already, but must not make its end fail: it becomes a
// record that says no more than whose it was.
func (r *row) ended(sid lanyard.SID, subject string) *lanyard.Record {
	rec, err := r.record(sid, 0)
	if err != nil {
		rec = &lanyard.Record{SID: sid, Version: uint64(r.version), Subject: subject}
		r.overrule(rec)
	}
	return rec
}

// deadline is the moment from which rec.Expired gives a reason.
func deadline(rec *lanyard.Record) int64 {
	return int64(min(rec.IdleExpiresAt, rec.ExpiresAt))
}

// sidOf reads a column that holds a SID. Whatever a damaged table has there
// instead names no session.
func sidOf(column []byte) (sid lanyard.SID) {
	copy(sid[:], column)
	return sid
}
