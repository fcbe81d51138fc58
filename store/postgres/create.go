package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/lanyard-go/lanyard"
)

// creation is a call of Create and its outcome.
type creation struct {
	record lanyard.Record // without what it shares with the caller's
	limit  lanyard.Limit
	body   []byte

	subjectEpoch, globalEpoch uint64
	ended                     []*lanyard.Record
}

// Create implements [lanyard.Store]. The record being created is never the one
// that its own limit ends; a record without a subject has no limit.
func (s *Store) Create(ctx context.Context, rec *lanyard.Record, limit lanyard.Limit) ([]*lanyard.Record, error) {
	switch {
	case rec.SID.IsZero():
		return nil, errors.New("postgres: creating a session: Record.SID is zero")
	case rec.EndReason != "":
		return nil, errors.New("postgres: creating a session: Record.EndReason is set, it has ended already")
	case limit.Max < 0 || limit.Max > math.MaxInt32:
		return nil, fmt.Errorf("postgres: creating a session: Limit.Max is %d, want 0 to %d", limit.Max, math.MaxInt32)
	}
	c := creation{record: *rec, limit: limit}
	var err error
	if c.body, err = rec.AppendBinary(nil); err != nil {
		return nil, fmt.Errorf("creating a session: %w", err)
	}
	if rec.Subject == "" {
		c.limit.Max = 0
	}
	c, err = s.creating.do(ctx, "creating a session", string(rec.SID[:]), c)
	if err != nil {
		return nil, err
	}
	rec.Version, rec.Fenced = 1, false
	rec.SubjectEpoch, rec.GlobalEpoch = c.subjectEpoch, c.globalEpoch
	return c.ended, nil
}

func (s *Store) createAll(ctx context.Context, batch []*op[creation]) error {
	var sids, subjects, created, active, deadlines, expires, origins, bodies, maxes, actions, nows, untils array
	for _, o := range batch {
		rec := &o.what.record
		o.what.ended = nil
		sids.bytes(rec.SID[:])
		subjects.string(rec.Subject)
		created.integer(int64(rec.CreatedAt))
		active.integer(int64(rec.LastActive))
		deadlines.integer(deadline(rec))
		expires.integer(int64(rec.ExpiresAt))
		origins.sid(rec.Origin)
		bodies.bytes(o.what.body)
		maxes.integer(int64(o.what.limit.Max))
		actions.integer(int64(o.what.limit.Action))
		nows.integer(int64(o.what.limit.Now))
		untils.integer(int64(o.what.limit.Until))
	}
	appended := false
	err := s.outcomes(ctx, s.query.create, func(row *outcome) {
		o := batch[row.op-1]
		switch {
		case row.ended != nil:
			o.what.ended = append(o.what.ended, row.ended)
			appended = true
		case row.status == 1:
			o.err = lanyard.ErrExists
		case row.status == 2:
			o.err = lanyard.ErrLimit
		default:
			o.what.subjectEpoch, o.what.globalEpoch = row.epoch, row.seq
		}
	}, sids.String(), subjects.String(), created.String(), active.String(), deadlines.String(), expires.String(),
		origins.String(), bodies.String(), maxes.String(), actions.String(), nows.String(), untils.String())
	if appended {
		s.notify()
	}
	return err
}
