package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Revoke implements [lanyard.Store]. Records linked to the one named are found
// through ended ones too. A record whose stored form is damaged ends like the
// others.
func (s *Store) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	step, err := revokeStep(&e)
	if err != nil {
		return lanyard.Ended{}, err
	}
	var ended lanyard.Ended
	err = s.commit(ctx, "revoking", func(t *tx) error {
		ended = lanyard.Ended{}
		return step(t, &e, &ended)
	})
	if err != nil {
		return lanyard.Ended{}, err
	}
	return ended, nil
}

// revokeStep chooses what to do, and refuses an End that names nothing, several
// things, or no reason.
func revokeStep(e *lanyard.End) (step func(*tx, *lanyard.End, *lanyard.Ended) error, err error) {
	named := 0
	for _, kind := range []struct {
		set bool
		do  func(*tx, *lanyard.End, *lanyard.Ended) error
	}{
		{!e.SID.IsZero(), (*tx).revokeSession},
		{e.Subject != "", (*tx).revokeSubject},
		{e.All, (*tx).revokeAll},
		{e.Key != "", (*tx).revokeKey},
	} {
		if kind.set {
			named++
			step = kind.do
		}
	}
	switch {
	case named != 1:
		return nil, fmt.Errorf("sqlite: revoking: %d of End.SID, Subject, All and Key are set, exactly one is needed", named)
	case e.Reason == "" && e.Key == "":
		return nil, errors.New("sqlite: revoking: End.Reason is empty")
	case e.AtLeast > maxInteger:
		return nil, fmt.Errorf("sqlite: revoking: End.AtLeast is %d, at most %d", e.AtLeast, uint64(maxInteger))
	}
	return step, nil
}

func (t *tx) revokeSession(e *lanyard.End, ended *lanyard.Ended) error {
	named, err := t.rows(sqlRow, e.SID[:])
	if err != nil {
		return err
	}
	if len(named) == 0 {
		return lanyard.ErrNotFound
	}
	if !e.KeepLinked {
		if named, err = t.withLinked(named); err != nil {
			return err
		}
	}
	for i := range named {
		reason := e.Reason
		if i > 0 {
			reason = lanyard.ReasonLinked
		}
		if err := t.endOne(&named[i], reason, e, ended); err != nil {
			return err
		}
	}
	return nil
}

// withLinked adds the records handed off from the one in found, directly or
// through others.
func (t *tx) withLinked(found []row) ([]row, error) {
	seen := map[string]bool{string(found[0].sid[:]): true}
	for i := 0; i < len(found); i++ {
		linked, err := t.rows(sqlOfOrigin, found[i].sid[:])
		if err != nil {
			return nil, err
		}
		for _, r := range linked {
			if id := string(r.sid[:]); !seen[id] {
				seen[id] = true
				found = append(found, r)
			}
		}
	}
	return found, nil
}

// endOne ends the record unless it has ended, with an entry of its own.
func (t *tx) endOne(r *row, reason lanyard.Reason, e *lanyard.End, ended *lanyard.Ended) error {
	if r.ended {
		return nil
	}
	rec := t.record(r)
	if err := t.end(rec, reason, e.By, e.Now); err != nil {
		return err
	}
	ended.Records = append(ended.Records, rec)
	return t.publish(&lanyard.Entry{Kind: lanyard.EntrySession, SID: rec.SID, Reason: rec.EndReason}, e, ended)
}

// publish appends an entry that carries the times of e.
func (t *tx) publish(entry *lanyard.Entry, e *lanyard.End, ended *lanyard.Ended) error {
	entry.At, entry.Until = e.Now, e.Until
	at, err := t.announce(entry)
	ended.Cursor = at.String()
	return err
}

func (t *tx) revokeSubject(e *lanyard.End, ended *lanyard.Ended) error {
	rows, err := t.rows(sqlOfSubject, e.Subject)
	if err != nil {
		return err
	}
	if !e.Except.IsZero() {
		for i := range rows {
			if rows[i].sid == e.Except {
				continue
			}
			if err := t.endOne(&rows[i], e.Reason, e, ended); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := t.scan(sqlRaise, []any{e.Subject}, &ended.Epoch); err != nil {
		return err
	}
	t.wrote++
	for i := range rows {
		rec := t.record(&rows[i])
		if err := t.end(rec, e.Reason, e.By, e.Now); err != nil {
			return err
		}
		ended.Records = append(ended.Records, rec)
	}
	return t.publish(&lanyard.Entry{
		Kind: lanyard.EntrySubject, Subject: e.Subject, Epoch: ended.Epoch, Reason: e.Reason,
	}, e, ended)
}

func (t *tx) revokeAll(e *lanyard.End, ended *lanyard.Ended) error {
	if t.epoch == maxInteger {
		return errors.New("the global epoch cannot be raised any further")
	}
	t.epoch = max(t.epoch+1, e.AtLeast)
	t.sweepAgain()
	ended.Epoch = t.epoch
	return t.publish(&lanyard.Entry{Kind: lanyard.EntryAll, Epoch: t.epoch, Reason: e.Reason}, e, ended)
}

func (t *tx) revokeKey(e *lanyard.End, ended *lanyard.Ended) error {
	return t.publish(&lanyard.Entry{Kind: lanyard.EntryKey, Key: e.Key, Reason: e.Reason}, e, ended)
}
