package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// ending is a call of Revoke for one record, and its outcome.
type ending struct {
	end   lanyard.End
	ended lanyard.Ended
}

// Revoke implements [lanyard.Store]. Records linked to the one named are found
// through ended ones too. A record whose stored form is damaged ends like the
// others.
func (s *Store) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	if err := revocable(&e); err != nil {
		return lanyard.Ended{}, err
	}
	if !e.SID.IsZero() {
		o, err := s.ending.do(ctx, "revoking", string(e.SID[:]), ending{end: e})
		if err != nil {
			return lanyard.Ended{}, err
		}
		return o.ended, nil
	}
	if err := s.enter(); err != nil {
		return lanyard.Ended{}, fmt.Errorf("revoking: %w", err)
	}
	defer s.calls.Done()
	step := s.endKey
	switch {
	case e.Subject != "":
		step = s.endSubject
	case e.All:
		step = s.endAll
	}
	var ended lanyard.Ended
	err := again(func() (err error) {
		ended, err = step(ctx, &e)
		return err
	})
	if err != nil {
		return lanyard.Ended{}, fmt.Errorf("revoking: %w", explain(err))
	}
	if ended.Cursor != "" {
		s.notify()
	}
	return ended, nil
}

// again repeats a step that lost against others and left no trace.
func again(step func() error) (err error) {
	for range maxTries {
		if err = step(); !repeatable(err) {
			return err
		}
	}
	return err
}

// revocable refuses an End that names nothing, several things, or no reason.
func revocable(e *lanyard.End) error {
	named := 0
	for _, set := range []bool{!e.SID.IsZero(), e.Subject != "", e.All, e.Key != ""} {
		if set {
			named++
		}
	}
	switch {
	case named != 1:
		return fmt.Errorf("postgres: revoking: %d of End.SID, Subject, All and Key are set, exactly one is needed", named)
	case e.Reason == "" && e.Key == "":
		return errors.New("postgres: revoking: End.Reason is empty")
	case e.AtLeast > maxInteger:
		return fmt.Errorf("postgres: revoking: End.AtLeast is %d, at most %d", e.AtLeast, uint64(maxInteger))
	}
	return nil
}

func (s *Store) endEach(ctx context.Context, batch []*op[ending]) error {
	var sids, kept, reasons, bys, nows, untils array
	for _, o := range batch {
		o.what.ended = lanyard.Ended{}
		e := &o.what.end
		sids.bytes(e.SID[:])
		kept.boolean(e.KeepLinked)
		reasons.string(string(e.Reason))
		bys.string(e.By)
		nows.integer(int64(e.Now))
		untils.integer(int64(e.Until))
	}
	last := make([]uint64, len(batch)) // number of each op's last entry, from 1
	var first place
	err := s.outcomes(ctx, s.query.end, func(row *outcome) {
		switch {
		case row.ended != nil:
			o := batch[row.op-1]
			o.what.ended.Records = append(o.what.ended.Records, row.ended)
		case row.op == 0:
			first = place{row.epoch, row.seq}
		case row.status == 1:
			batch[row.op-1].err = lanyard.ErrNotFound
		default:
			last[row.op-1] = row.seq
		}
	}, sids.String(), kept.String(), reasons.String(), bys.String(), nows.String(), untils.String())
	if err != nil {
		return err
	}
	for i, o := range batch {
		if len(o.what.ended.Records) > 0 {
			o.what.ended.Cursor = place{first.epoch, first.seq + last[i] - 1}.String()
		}
	}
	if first.seq > 0 {
		s.notify()
	}
	return nil
}

func (s *Store) endSubject(ctx context.Context, e *lanyard.End) (ended lanyard.Ended, err error) {
	var except any
	if !e.Except.IsZero() {
		except = e.Except[:]
	}
	err = s.outcomes(ctx, s.query.endSubject, func(row *outcome) {
		switch {
		case row.ended != nil:
			ended.Records = append(ended.Records, row.ended)
		case row.seq > 0:
			ended.Cursor, ended.Epoch = place{row.epoch, row.seq}.String(), row.raised
		}
	}, []byte(e.Subject), except, []byte(e.Reason), []byte(e.By), int64(e.Now), int64(e.Until))
	return ended, err
}

func (s *Store) endAll(ctx context.Context, e *lanyard.End) (ended lanyard.Ended, err error) {
	var at place
	err = s.db.QueryRowContext(ctx, s.query.endAll, int64(e.AtLeast), []byte(e.Reason), int64(e.Now), int64(e.Until)).
		Scan(&ended.Epoch, &at.epoch, &at.seq)
	ended.Cursor = at.String()
	return ended, err
}

func (s *Store) endKey(ctx context.Context, e *lanyard.End) (ended lanyard.Ended, err error) {
	var news entries
	news.add(&lanyard.Entry{Kind: lanyard.EntryKey, Key: e.Key, Reason: e.Reason, At: e.Now, Until: e.Until})
	var at place
	err = s.db.QueryRowContext(ctx, s.query.announce, news.args()...).Scan(&at.epoch, &at.seq)
	ended.Cursor = at.String()
	return ended, err
}
