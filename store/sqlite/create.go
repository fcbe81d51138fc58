package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyard-go/lanyard"
)

// Create implements [lanyard.Store]. The record being created is never the one
// that its own limit ends; a record without a subject has no limit.
func (s *Store) Create(ctx context.Context, rec *lanyard.Record, limit lanyard.Limit) ([]*lanyard.Record, error) {
	switch {
	case rec.SID.IsZero():
		return nil, errors.New("sqlite: creating a session: Record.SID is zero")
	case rec.EndReason != "":
		return nil, errors.New("sqlite: creating a session: Record.EndReason is set, it has ended already")
	case limit.Max < 0:
		return nil, fmt.Errorf("sqlite: creating a session: Limit.Max is %d, it cannot be negative", limit.Max)
	}
	var stored lanyard.Record
	var ended []*lanyard.Record
	err := s.commit(ctx, "creating a session", func(t *tx) (err error) {
		stored = *rec
		stored.Version, stored.Fenced, stored.GlobalEpoch = 1, false, t.epoch
		if stored.SubjectEpoch, err = t.subjectEpoch(rec.Subject); err != nil {
			return err
		}
		body, err := stored.AppendBinary(nil)
		if err != nil {
			return err
		}
		over, err := t.overLimit(rec.Subject, limit)
		if err != nil {
			return err
		}
		inserted, err := t.exec(sqlInsert, stored.SID[:], stored.Subject, int64(stored.GlobalEpoch), deadline(&stored),
			key(stored.Origin), body)
		if err != nil {
			return err
		}
		if inserted == 0 {
			return lanyard.ErrExists
		}
		t.note(stored.SID, 1, body)
		ended = over
		return t.endEach(ended, lanyard.ReasonLimit, limit)
	})
	if err != nil {
		return nil, err
	}
	rec.Version, rec.Fenced = stored.Version, false
	rec.SubjectEpoch, rec.GlobalEpoch = stored.SubjectEpoch, stored.GlobalEpoch
	return ended, nil
}

// overLimit returns the records that have to end so that one more fits.
func (t *tx) overLimit(subject string, limit lanyard.Limit) ([]*lanyard.Record, error) {
	if limit.Max == 0 || subject == "" {
		return nil, nil
	}
	rows, err := t.rows(sqlLive, subject, int64(limit.Now), int64(t.epoch))
	if err != nil {
		return nil, err
	}
	excess := len(rows) + 1 - limit.Max
	if excess <= 0 {
		return nil, nil
	}
	if limit.Action == lanyard.LimitRefuse {
		return nil, lanyard.ErrLimit
	}
	live := make([]*lanyard.Record, len(rows))
	for i := range rows {
		live[i] = t.record(&rows[i])
	}
	slices.SortFunc(live, func(a, b *lanyard.Record) int {
		recent := 0
		if limit.Action == lanyard.LimitEndLeastRecent {
			recent = cmp.Compare(a.LastActive, b.LastActive)
		}
		return cmp.Or(recent, cmp.Compare(a.CreatedAt, b.CreatedAt), slices.Compare(a.SID[:], b.SID[:]))
	})
	return live[:excess], nil
}

func (t *tx) endEach(records []*lanyard.Record, reason lanyard.Reason, limit lanyard.Limit) error {
	for _, rec := range records {
		if err := t.end(rec, reason, system, limit.Now); err != nil {
			return err
		}
		_, err := t.announce(&lanyard.Entry{
			Kind: lanyard.EntrySession, SID: rec.SID, Reason: reason, At: limit.Now, Until: limit.Until,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
