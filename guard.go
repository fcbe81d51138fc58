package lanyard

import (
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard/audit"
)

// guessed reports whether a cause means that somebody may be guessing.
func guessed(c Cause) bool {
	return c == CauseForged || c == CauseUnknown || c == CauseMismatch
}

const (
	guessLimit  = 100             // credentials that are not ours, per source and window
	guessWindow = Time(60 * 1000) // a minute
	guessSlots  = 1024
)

// guessGuard counts refused credentials per address range in a table of fixed
// size: an attacker with many addresses shares slots rather than growing it.
// Requests with a good credential are never counted or throttled.
type guessGuard struct {
	mu    sync.Mutex
	seed  maphash.Seed
	ready bool
	slots [guessSlots]struct {
		since Time
		count int
	}
}

// guess counts one refused credential and refuses the source past the limit.
func (m *Manager) guess(r *http.Request) error {
	source := AddressRange(m.address(r))
	now := m.now()
	g := &m.guesses
	g.mu.Lock()
	if !g.ready {
		g.seed, g.ready = maphash.MakeSeed(), true
	}
	slot := &g.slots[maphash.String(g.seed, source)%guessSlots]
	if now-slot.since >= guessWindow || now < slot.since {
		slot.since, slot.count = now, 0
	}
	slot.count++
	count, left := slot.count, guessWindow-(now-slot.since)
	g.mu.Unlock()
	if count <= guessLimit {
		return nil
	}
	if count == guessLimit+1 {
		m.event(withSource(r, m), audit.CredentialGuessed, nil, nil)
	}
	e := refuse(CauseThrottled, SID{})
	e.RetryAfter = time.Duration(left) * time.Millisecond
	return e
}

// deadUseLog keeps repeated use of one dead session from flooding the audit
// trail: one event a minute for each, in a table of fixed size.
type deadUseLog struct {
	mu    sync.Mutex
	slots [256]struct {
		sid   SID
		cause Cause
		at    Time
	}
}

// due reports whether a use is worth an event now.
func (d *deadUseLog) due(sid SID, cause Cause, now Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	slot := &d.slots[sid[15]]
	if slot.sid == sid && slot.cause == cause && now-slot.at < guessWindow {
		return false
	}
	slot.sid, slot.cause, slot.at = sid, cause, now
	return true
}

// noteDead reports that a credential of a session that is over was presented.
func (m *Manager) noteDead(r *http.Request, refused *Refused) {
	switch refused.Cause {
	case CauseEnded, CauseIdle, CauseExpired, CauseOldGeneration, CauseMismatch:
	default:
		return
	}
	if !m.deadUse.due(refused.SID, refused.Cause, m.now()) {
		return
	}
	m.event(withSource(r, m), audit.SessionUsedAfterEnd, nil, func(e *audit.Event) {
		e.SID = refused.SID.String()
		e.Reason = string(refused.Cause)
	})
}
