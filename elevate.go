package lanyard

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyard-go/lanyard/audit"
)

// Elevation says how a person has just been authenticated again.
type Elevation struct {
	Methods []string // the factors just proven
	Class   string   // the class they reach; empty for none
}

// Elevate records a new authentication inside a session: both clocks start
// anew, the generation rises, and every credential and access token from before
// is dead. The session stays the same one, in lists and in the audit trail.
// Only this session is lifted; others of the subject, linked ones too, are not.
//
// Methods and class become those of the new authentication alone: with its time
// beside them, factors proven long ago would pass for recent ones.
func (m *Manager) Elevate(ctx context.Context, s *Session, e Elevation) (*Grant, error) {
	if !s.SignedIn() {
		return nil, refuse(CauseNotSignedIn, s.SID())
	}
	switch {
	case !s.counts():
		// A short token drawn from a cookie session cannot renew its cookie.
		return nil, refuse(CauseChannel, s.SID())
	case len(e.Methods) == 0 || len(e.Methods) > maxMethods || !words1(e.Methods):
		return nil, fmt.Errorf("lanyard: Elevation.Methods: want 1 to %d words of 1 to 32 letters, digits and the signs - _ . : such as pwd", maxMethods)
	case e.Class != "" && !words1([]string{e.Class}):
		return nil, errors.New("lanyard: Elevation.Class: want one word of letters, digits and the signs - _ . : only")
	}
	g, rec, err := m.rekey(ctx, s, "elevated", func(rec *Record, now Time) {
		rec.AuthTime, rec.LastActive = now, now
		rec.ExpiresAt = now.Add(m.policy.AbsoluteTimeout)
		rec.IdleExpiresAt = m.policy.idleDeadline(rec.Channel, now, rec.ExpiresAt)
		rec.Methods, rec.Class = slices.Clone(e.Methods), e.Class
	})
	if err != nil {
		return nil, err
	}
	m.event(ctx, audit.SessionElevated, rec, func(ev *audit.Event) { ev.Methods = e.Methods })
	m.event(ctx, audit.SessionRotated, rec, func(ev *audit.Event) { ev.Reason = "elevated" })
	return g, nil
}

// Rotate replaces every credential of a session whose rights change without a new
// authentication: at a switch of role, or where somebody begins or ceases to act
// for another. The generation rises, so that every credential and access token
// from before is dead; who authenticated, when and how, and the absolute limit, stay.
// Hand the grant to the client as at login.
func (m *Manager) Rotate(ctx context.Context, s *Session) (*Grant, error) {
	if !s.SignedIn() {
		return nil, refuse(CauseNotSignedIn, s.SID())
	}
	if !s.counts() {
		return nil, refuse(CauseChannel, s.SID())
	}
	g, rec, err := m.rekey(ctx, s, "rights_changed", func(rec *Record, now Time) {
		rec.LastActive = now
		rec.IdleExpiresAt = m.policy.idleDeadline(rec.Channel, now, rec.ExpiresAt)
	})
	if err != nil {
		return nil, err
	}
	m.event(ctx, audit.SessionRotated, rec, func(ev *audit.Event) { ev.Reason = "rights_changed" })
	return g, nil
}

// rekey raises the generation of a session and gives it new credentials. All those
// from before are dead when it returns, at each node and for all that follow.
func (m *Manager) rekey(ctx context.Context, s *Session, reason Reason, change func(*Record, Time)) (*Grant, *Record, error) {
	t, err := m.terms(ctx, s.rec)
	if err != nil {
		return nil, nil, err
	}
	generation := s.rec.Generation
	var g *Grant
	rec, err := m.change(ctx, s.rec.SID, func(rec *Record) (bool, []Entry, error) {
		now := m.now()
		if err := usable(rec, now); err != nil {
			return false, nil, err
		}
		if rec.Generation != generation {
			// Another one won. Its answer holds the only credentials.
			return false, nil, refuse(CauseOldGeneration, rec.SID)
		}
		rec.Generation++
		change(rec, now)
		cred, err := m.arm(rec)
		if err != nil {
			return false, nil, err
		}
		// Signed before the old credentials die, so that a signing key that is
		// away signs nobody out.
		if g, err = m.grant(rec, &cred, t); err != nil {
			return false, nil, err
		}
		return true, []Entry{{
			Kind: EntryGeneration, SID: rec.SID, Subject: rec.Subject, Generation: rec.Generation,
			Reason: reason, At: now, Until: m.entriesUntil(now),
		}}, nil
	})
	if err != nil {
		return nil, nil, m.changeError("giving a session new credentials", s.rec.SID, err)
	}
	m.tellNodes(ctx)
	return g, rec, nil
}

// usable returns why a record cannot be used at now, or nil.
func usable(rec *Record, now Time) error {
	if rec.Ended() {
		e := refuse(CauseEnded, rec.SID)
		e.Reason = rec.EndReason
		return e
	}
	switch rec.Expired(now) {
	case ReasonIdle:
		return refuse(CauseIdle, rec.SID)
	case ReasonExpired:
		return refuse(CauseExpired, rec.SID)
	}
	if rec.State != StateLive {
		return refuse(CauseNotSignedIn, rec.SID)
	}
	return nil
}

// changeError turns what came out of [Manager.change] into a refusal.
func (m *Manager) changeError(doing string, sid SID, err error) error {
	if _, ok := errors.AsType[*Refused](err); ok {
		return err
	}
	switch {
	case errors.Is(err, ErrEnded):
		return refuse(CauseEnded, sid)
	case errors.Is(err, ErrNotFound):
		return refuse(CauseUnknown, sid)
	case isCallerError(err):
		return err
	}
	return unavailable(doing, err)
}

// isCallerError reports whether err came from the function passed to change
// rather than from the store.
func isCallerError(err error) bool {
	_, ok := errors.AsType[*callerError](err)
	return ok
}

// callerError marks an application's own error on its way through change.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }
func (e *callerError) Unwrap() error { return e.err }
