package lanyard

import (
	"context"
	"errors"
	"net/http"

	"github.com/lanyard-go/lanyard/audit"

	"github.com/lanyard-go/lanyard/csrf"
)

// Logout ends the session whose badge the request carries, and clears its
// cookie. It succeeds for a session that has ended already. A request from
// another site, two credentials, a token that is not ours, and a store that
// cannot be asked are refused; then nothing has changed. Nothing is written on
// success besides headers.
func (m *Manager) Logout(w http.ResponseWriter, r *http.Request) error {
	s := &Session{manager: m, now: m.now(), passive: true}
	err := m.recognise(nil, r, s)
	if err == nil && s.rec == nil && s.anon == nil && len(r.Header["Authorization"]) == 0 {
		// SameSite keeps the cookie out of another site's request, and yet the
		// browser would obey this answer's deletion of it.
		t := m.Transport(r)
		if e := m.loginCheck.Decide(r, csrf.Facts{Scheme: t.Scheme, Host: t.Host}); e != nil {
			err = &Refused{Cause: CauseForgery, Err: e}
		}
	}
	switch CauseOf(err) {
	case "":
		if err != nil {
			return err
		}
	case CauseEnded, CauseIdle, CauseExpired, CauseOldGeneration, CauseUnknown:
		// Dead already, which is what was asked for.
		m.Clear(w)
		return nil
	default:
		m.refused(r, s, err)
		return err
	}
	if s.rec != nil {
		ctx := withSource(r, m)
		err := m.End(ctx, s.rec.SID, EndOptions{Reason: ReasonLogout, By: s.rec.Subject})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	m.Clear(w)
	return nil
}

// RevokeToken ends the session that a refresh token or access token belongs to
// (RFC 7009), on behalf of the client it was issued to. Unknown and dead tokens
// are no error; a token of another client is refused and nothing changes.
func (m *Manager) RevokeToken(ctx context.Context, text, client string) error {
	var sid SID
	var owner string
	if c, err := m.keys.open(text, kindRefresh); err == nil {
		rec, err := m.store.Get(ctx, c.sid)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return unavailable("reading a session", err)
		}
		if usable(rec, m.now()) != nil || c.generation < rec.Generation {
			return nil
		}
		sid, owner = rec.SID, rec.ClientID
	} else {
		s, claims, err := m.CheckAccess(ctx, text)
		if CauseOf(err) == CauseStore {
			return err
		}
		if err != nil || s.rec == nil {
			return nil
		}
		sid, owner = s.rec.SID, claims.ClientID
	}
	if owner != client {
		return refuse(CauseClient, sid)
	}
	done, err := m.end(ctx, End{SID: sid, Reason: ReasonTokenRevoked, By: programPrefix + client})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	for _, rec := range done.Records {
		if rec.SID == sid {
			m.event(ctx, audit.TokenRevoked, rec, func(e *audit.Event) { e.Actor = programPrefix + client })
		}
	}
	return err
}

// FindRefresh returns the live session of a refresh token that is current, for
// introspection by the client that holds it. Nothing is consumed.
func (m *Manager) FindRefresh(ctx context.Context, text string) (*Session, error) {
	c, err := m.keys.open(text, kindRefresh)
	if err != nil {
		return nil, refuse(CauseForged, SID{})
	}
	rec, err := m.store.Get(ctx, c.sid)
	if errors.Is(err, ErrNotFound) {
		return nil, refuse(CauseUnknown, c.sid)
	}
	if err != nil {
		return nil, unavailable("reading a session", err)
	}
	now := m.now()
	if err := usable(rec, now); err != nil {
		return nil, err
	}
	if rec.Refresh == nil || c.generation != rec.Generation || c.counter != rec.Refresh.Counter || !rec.Refresh.Digest.fits(c.digest()) {
		return nil, refuse(CauseMismatch, c.sid)
	}
	return m.view(rec, now), nil
}
