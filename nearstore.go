package lanyard

import (
	"context"
	"errors"
)

// nearStore keeps the near cache in step with what this node itself reads and
// writes. It answers nothing from the cache: only a check may be, see
// [Manager.look].
type nearStore struct {
	Store
	near *near
}

// Get implements [Store].
func (s *nearStore) Get(ctx context.Context, sid SID) (*Record, error) {
	said := s.near.said(sid)
	rec, err := s.Store.Get(ctx, sid)
	switch {
	case err == nil:
		s.near.keep(rec, said)
	case errors.Is(err, ErrNotFound):
		s.near.drop(sid)
	}
	return rec, err
}

// Update implements [Store].
func (s *nearStore) Update(ctx context.Context, rec *Record, announce ...Entry) error {
	said := s.near.said(rec.SID)
	err := s.Store.Update(ctx, rec, announce...)
	if err != nil {
		// Whatever it is, what is kept here is not what the store has, or nobody
		// knows.
		s.near.drop(rec.SID)
		return err
	}
	s.near.keep(rec, said)
	return nil
}

// look reads a record for a check. Kept says that it comes from the near cache:
// good enough to let a request in, while any other verdict on it is reached
// again with what the store has.
func (m *Manager) look(ctx context.Context, sid SID) (rec *Record, kept bool, err error) {
	if m.near != nil && m.node.fresh() {
		if rec := m.near.get(sid); rec != nil {
			own := *rec // what requests change of it is in the record itself
			m.count("near_cache", "hit")
			return &own, true, nil
		}
		m.count("near_cache", "miss")
	}
	rec, err = m.store.Get(ctx, sid)
	return rec, false, err
}

// judged reads a record for a check and judges it. A record from the near cache
// can only be out of date in ways that refuse too much, so a refusal is judged
// again by the store. No record and no error means that one is held.
func (m *Manager) judged(ctx context.Context, sid SID, s *Session, judge func(*Record) error) (*Record, error) {
	for useNear := true; ; useNear = false {
		var rec *Record
		var kept bool
		var err error
		if useNear {
			rec, kept, err = m.look(ctx, sid)
		} else {
			rec, err = m.store.Get(ctx, sid)
		}
		if errors.Is(err, ErrNotFound) {
			return nil, refuse(CauseUnknown, sid)
		}
		if err != nil {
			err = unavailable("reading a session", err)
			if m.hold(sid, s, judge, err) {
				return nil, nil
			}
			return nil, err
		}
		if kept && usable(rec, s.now) != nil {
			continue
		}
		if err := m.alive(ctx, rec, s.now); err != nil {
			return nil, err
		}
		if err := judge(rec); err != nil {
			if kept {
				continue
			}
			return nil, err
		}
		s.near = kept
		return rec, nil
	}
}
