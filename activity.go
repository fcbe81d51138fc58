package lanyard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/audit"
)

// touchState says whether this request still has to be counted as activity.
type touchState = atomic.Uint32

const (
	touchOpen     = 0 // not decided
	touchDone     = 1 // counted, or nothing to count
	touchRejected = 2 // refused further in: no activity
)

// renewedEvery is how often activity that moves the idle limit has an event: in
// the first write of each hour. Each write would be one a minute and session.
const renewedEvery = time.Hour

// arrived shows the request's own activity in what the handler sees. It is
// written when the request has been accepted, see [Session.used].
func (m *Manager) arrived(r *http.Request, s *Session) {
	s.passive = s.passive || m.cfg.Passive != nil && m.cfg.Passive(r)
	if s.passive || !s.counts() {
		return
	}
	// The record is this request's own copy; the stored times are kept for the
	// decision whether to write.
	s.stored = s.rec.LastActive
	s.rec.LastActive = max(s.rec.LastActive, s.now)
	s.rec.IdleExpiresAt = max(s.rec.IdleExpiresAt, m.policy.idleDeadline(s.rec.Channel, s.now, s.rec.ExpiresAt))
}

// counts reports whether this request is activity on its record's own clock: an
// access token drawn from a cookie session is no sign of a present person.
func (s *Session) counts() bool { return s.rec != nil && s.rec.Channel == s.via }

// used counts the request as activity, once, unless it was refused further in.
// Writes are coalesced: within [Policy.ActivityLag] of the stored time nothing
// is written. A write that fails or loses against another is dropped, since the
// session can only end earlier for it.
func (s *Session) used(ctx context.Context) {
	if s.passive || !s.counts() || !s.touch.CompareAndSwap(touchOpen, touchDone) {
		return
	}
	m, rec := s.manager, s.rec
	if s.now.Sub(s.stored) < m.policy.ActivityLag(rec.Channel) {
		return
	}
	sid, generation := rec.SID, rec.Generation
	// The handler may have returned because its client went away; the activity
	// counts all the same.
	renewed := false
	rec, err := m.change(context.WithoutCancel(ctx), sid, func(rec *Record) (bool, []Entry, error) {
		if usable(rec, s.now) != nil || rec.Generation != generation || s.now.Sub(rec.LastActive) < m.policy.ActivityLag(rec.Channel) {
			renewed = false
			return false, nil, nil
		}
		renewed = rec.LastActive.Time().Truncate(renewedEvery) != s.now.Time().Truncate(renewedEvery)
		rec.LastActive = s.now
		rec.IdleExpiresAt = m.policy.idleDeadline(rec.Channel, s.now, rec.ExpiresAt)
		return true, nil, nil
	})
	switch {
	case err == nil:
		m.count("touch", "written")
		if renewed {
			m.event(ctx, audit.SessionRenewed, rec, nil)
		}
	case errors.Is(err, ErrEnded), errors.Is(err, ErrNotFound):
	default:
		m.count("touch", "failed")
		m.log.LogAttrs(ctx, slog.LevelWarn, "writing down activity failed", slog.String("sid", sid.String()), slog.Any("error", err))
	}
}

// Reject marks the request as refused by the application, so that it is no
// activity of its user. Requests that [Manager.Require] or the manager's own
// checks refuse are marked by them.
func (s *Session) Reject() { s.touch.CompareAndSwap(touchOpen, touchRejected) }

// Active counts the request as activity now instead of when its handler
// returns, for handlers that stay: streams and long polls.
func (s *Session) Active(ctx context.Context) { s.used(ctx) }
