package sqlite

import (
	"database/sql"

	"github.com/lanyard-go/lanyard"
)

// system is who ends records when nobody asked.
const system = "system"

// row is a stored record that may be about to end. Its body is decoded late, so
// that a damaged one stands in nobody's way.
type row struct {
	sid     lanyard.SID
	version int64
	subject string
	ended   bool
	body    string
}

// rows runs a query whose columns are sid, version, subject, ended_at, body.
func (t *tx) rows(text string, args ...any) ([]row, error) {
	var found []row
	err := t.query(text, func(rows *sql.Rows) error {
		var r row
		var key string
		var endedAt sql.NullInt64
		if err := rows.Scan(&key, &r.version, &r.subject, &endedAt, &r.body); err != nil {
			return err
		}
		r.sid = sidOf(key)
		r.ended = endedAt.Valid
		found = append(found, r)
		return nil
	}, args...)
	return found, err
}

// record decodes a row. What cannot be read opens nothing already, but must
// not make "end everything" fail: it becomes a record that says no more than
// whose it was.
func (t *tx) record(r *row) *lanyard.Record {
	rec, err := decode(r.sid, r.version, r.body, t.epoch)
	if err != nil {
		rec = &lanyard.Record{SID: r.sid, Version: uint64(r.version), Subject: r.subject}
	}
	return rec
}

// end writes the end of a record that has not ended yet. A fenced one ended when
// the global epoch was raised, whatever the reason it would be given today.
func (t *tx) end(rec *lanyard.Record, reason lanyard.Reason, by string, now lanyard.Time) error {
	if rec.Fenced {
		reason = lanyard.ReasonRevokedAll
	}
	rec.Fenced = false
	rec.Version++
	rec.EndReason, rec.EndedBy, rec.EndedAt = reason, by, now
	body, err := rec.AppendBinary(nil)
	if err != nil {
		// Only the name of who ended it can have made it too long.
		rec.Data = nil
		if body, err = rec.AppendBinary(nil); err != nil {
			return err
		}
	}
	if _, err := t.exec(sqlEnd, int64(rec.Version), int64(now), body, rec.SID[:]); err != nil {
		return err
	}
	t.note(rec.SID, int64(rec.Version), body)
	return nil
}

// announce appends an entry to the feed and returns its place.
func (t *tx) announce(e *lanyard.Entry) (place, error) {
	t.seq++
	t.dirty = true
	_, err := t.exec(sqlAppend, int64(t.epoch), int64(t.seq), int64(e.Kind), e.SID[:], int64(e.Generation),
		e.Subject, int64(e.Epoch), e.Key, string(e.Reason), int64(e.At), int64(e.Until))
	return place{t.epoch, t.seq}, err
}

// subjectEpoch returns the current epoch of a subject.
func (t *tx) subjectEpoch(subject string) (epoch uint64, err error) {
	if subject == "" {
		return 0, nil
	}
	_, err = t.scan(sqlSubjectEpoch, []any{subject}, &epoch)
	return epoch, err
}

// deadline is the moment from which rec.Expired gives a reason.
func deadline(rec *lanyard.Record) int64 {
	return int64(min(rec.IdleExpiresAt, rec.ExpiresAt))
}

// key is a SID as a value of a column that may be NULL.
func key(sid lanyard.SID) any {
	if sid.IsZero() {
		return nil
	}
	return sid[:]
}

// sidOf reads a column that holds a SID. Whatever a damaged file has there
// instead names no session.
func sidOf(column string) (sid lanyard.SID) {
	copy(sid[:], column)
	return sid
}
