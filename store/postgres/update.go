package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// update is a call of Update and its outcome.
type update struct {
	record  lanyard.Record // without what it shares with the caller's
	body    []byte
	entries []lanyard.Entry

	subjectEpoch, globalEpoch uint64
}

var errOtherSubject = errors.New("Record.Subject changed: another subject needs a record of its own")

// Update implements [lanyard.Store]. A record keeps the subject it was created
// for, and the epochs that the store stamped on it.
func (s *Store) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	if rec.EndReason != "" {
		return errors.New("postgres: updating a session: Record.EndReason is set; Revoke ends records")
	}
	if rec.Version > maxInteger {
		return fmt.Errorf("updating a session: %w", lanyard.ErrConflict)
	}
	for i := range announce {
		if announce[i].Epoch > maxInteger {
			return fmt.Errorf("postgres: updating a session: Entry.Epoch is %d, at most %d", announce[i].Epoch, uint64(maxInteger))
		}
	}
	u := update{record: *rec, entries: append([]lanyard.Entry(nil), announce...)}
	var err error
	if u.body, err = rec.AppendBinary(nil); err != nil {
		return fmt.Errorf("updating a session: %w", err)
	}
	u, err = s.updating.do(ctx, "updating a session", string(rec.SID[:]), u)
	if err != nil {
		return err
	}
	rec.Version, rec.Fenced = rec.Version+1, false
	rec.SubjectEpoch, rec.GlobalEpoch = u.subjectEpoch, u.globalEpoch
	return nil
}

func (s *Store) updateAll(ctx context.Context, batch []*op[update]) error {
	var sids, versions, subjects, active, deadlines, expires, origins, bodies, owners array
	var news entries
	for i, o := range batch {
		rec := &o.what.record
		sids.bytes(rec.SID[:])
		versions.integer(int64(rec.Version))
		subjects.string(rec.Subject)
		active.integer(int64(rec.LastActive))
		deadlines.integer(deadline(rec))
		expires.integer(int64(rec.ExpiresAt))
		origins.sid(rec.Origin)
		bodies.bytes(o.what.body)
		for j := range o.what.entries {
			owners.integer(int64(i + 1))
			news.add(&o.what.entries[j])
		}
	}
	appended := false
	args := append([]any{
		sids.String(), versions.String(), subjects.String(), active.String(), deadlines.String(), expires.String(),
		origins.String(), bodies.String(), owners.String(),
	}, news.args()...)
	err := s.outcomes(ctx, s.query.update, func(row *outcome) {
		o := batch[row.op-1]
		switch row.status {
		case 0:
			o.what.subjectEpoch, o.what.globalEpoch = row.epoch, row.seq
			appended = appended || len(o.what.entries) > 0
		case 1:
			o.err = lanyard.ErrNotFound
		case 2:
			o.err = lanyard.ErrEnded
		case 3:
			o.err = lanyard.ErrConflict
		default:
			o.err = errOtherSubject
		}
	}, args...)
	if appended {
		s.notify()
	}
	return err
}
