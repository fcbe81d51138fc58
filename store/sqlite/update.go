package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/lanyard-go/lanyard"
)

// Update implements [lanyard.Store]. A record keeps the subject it was created
// for, and the global epoch that the store stamped on it.
func (s *Store) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	if rec.EndReason != "" {
		return errors.New("sqlite: updating a session: Record.EndReason is set; Revoke ends records")
	}
	var stored lanyard.Record
	err := s.commit(ctx, "updating a session", func(t *tx) error {
		var version, was int64
		var endedAt sql.NullInt64
		var origin []byte
		stored = *rec
		stored.Fenced = false
		found, err := t.scan(sqlFind, []any{rec.SID[:]},
			&version, &stored.Subject, &stored.GlobalEpoch, &was, &endedAt, &origin)
		switch {
		case err != nil:
			return err
		case !found:
			return lanyard.ErrNotFound
		case endedAt.Valid || stored.GlobalEpoch < t.epoch:
			return lanyard.ErrEnded
		case uint64(version) != rec.Version:
			return lanyard.ErrConflict
		case stored.Subject != rec.Subject:
			return errors.New("Record.Subject changed: another subject needs a record of its own")
		}
		stored.Version++
		body, err := stored.AppendBinary(nil)
		if err != nil {
			return err
		}
		// The indexes are left alone unless what they hold has changed.
		if now := deadline(&stored); now == was {
			_, err = t.exec(sqlReplace, int64(stored.Version), body, rec.SID[:])
		} else {
			_, err = t.exec(sqlMove, int64(stored.Version), body, now, rec.SID[:])
		}
		if err != nil {
			return err
		}
		if err := t.relink(&stored, origin); err != nil {
			return err
		}
		for i := range announce {
			if _, err := t.announce(&announce[i]); err != nil {
				return err
			}
		}
		t.note(rec.SID, int64(stored.Version), body)
		return nil
	})
	if err != nil {
		return err
	}
	rec.Version, rec.GlobalEpoch, rec.Fenced = stored.Version, stored.GlobalEpoch, false
	return nil
}

// relink follows a change of the record's origin: taking it away detaches the
// record. A link that [Store.Prune] passed on to an older ancestor stays there.
func (t *tx) relink(rec *lanyard.Record, origin []byte) error {
	if rec.Origin.IsZero() == (origin == nil) || bytes.Equal(rec.Origin[:], origin) {
		return nil
	}
	_, err := t.exec(sqlLink, key(rec.Origin), rec.SID[:])
	return err
}
