package lanyard

import (
	"context"
	"errors"
	"net/http"
)

// Freshness says how new what is known of a session must be on a route.
type Freshness uint8

const (
	// Bounded takes what this node knows while its lease runs, so no older than
	// [Config.RevocationBound], and what the store says otherwise. With neither
	// the answer is 503.
	Bounded Freshness = iota
	// Local also takes what was last known, however old, while the store cannot
	// be asked. It needs [Config.AllowLocal], and is outside of what an end that
	// has returned promises.
	Local
	// Live asks the store each time.
	Live
)

// String returns the name of f.
func (f Freshness) String() string {
	switch f {
	case Bounded:
		return "bounded"
	case Local:
		return "local"
	case Live:
		return "live"
	}
	return "unknown"
}

// hold keeps a session aside that would be good by what was last known, when
// the store could not be asked. Until a route says that it takes it, the request
// is nobody's.
func (m *Manager) hold(sid SID, s *Session, judge func(*Record) error, away error) bool {
	if !s.mayHold || m.near == nil || CauseOf(away) != CauseStore {
		return false
	}
	kept := m.near.get(sid)
	if kept == nil || usable(kept, s.now) != nil || judge(kept) != nil {
		return false
	}
	own := *kept
	s.held, s.away = &own, away
	return true
}

// freshen sees to it that the session is as fresh as the route wants.
func (m *Manager) freshen(r *http.Request, s *Session, f Freshness) error {
	switch {
	case s.held != nil && f != Local:
		return s.away
	case s.held != nil:
		s.rec, s.held, s.near = s.held, nil, true
		s.claims = s.heldClaims
		s.passive = true // nothing could be written down
		if s.claims == nil && !safeMethod(r.Method) {
			return m.checkForgery(r, s)
		}
	case s.near && f == Live:
		return m.reread(r.Context(), s)
	}
	return nil
}

// reread puts the store's record in the place of one from the near cache.
func (m *Manager) reread(ctx context.Context, s *Session) error {
	rec, err := m.store.Get(ctx, s.rec.SID)
	if errors.Is(err, ErrNotFound) {
		return refuse(CauseUnknown, s.rec.SID)
	}
	if err != nil {
		return unavailable("reading a session", err)
	}
	if err := m.alive(ctx, rec, m.now()); err != nil {
		return err
	}
	if rec.Generation != s.rec.Generation {
		return refuse(CauseOldGeneration, rec.SID)
	}
	rec.LastActive, rec.IdleExpiresAt = max(rec.LastActive, s.rec.LastActive), max(rec.IdleExpiresAt, s.rec.IdleExpiresAt)
	s.rec, s.near = rec, false
	return nil
}
