package lanyard

import (
	"net/http"
	"slices"
	"time"
)

// Need says what a route takes. The zero value takes any live session, by either
// badge.
type Need struct {
	// MaxAge is how long ago the person may have authenticated. Zero: whenever.
	// [RecentAuth], or any negative value, stands for what the policy calls recent.
	MaxAge time.Duration

	// Classes lists the authentication context classes that will do. Empty: all.
	Classes []string

	// Methods lists authentication methods that must all have been used.
	Methods []string

	// Channel is the badge that must be presented. Zero: either.
	Channel Channel

	// Scope lists scopes that a token must carry, space-separated. A cookie
	// carries the rights of its person and is not asked.
	Scope string

	// Bound demands that the request proved possession of a key, so that a stolen
	// copy of its badge is not enough.
	Bound bool

	// Freshness says how new what is known of the session must be. Only
	// [Manager.Require] looks at it: [Session.Meets] has nobody to ask.
	Freshness Freshness

	// Programs also lets in programs with a token of their own.
	Programs bool
}

// RecentAuth as [Need.MaxAge] stands for [Policy.RecentAuth].
const RecentAuth time.Duration = -1

// Require lets requests through to next only if they have what the route needs,
// and answers the others: 401 with a challenge, or 403. It works inside a
// [Manager.Handler]; outside of one nobody is recognised and all are refused.
func (m *Manager) Require(need Need, next http.Handler) http.Handler {
	if need.MaxAge < 0 {
		need.MaxAge = m.policy.RecentAuth
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := From(r.Context())
		err := m.freshen(r, s, need.Freshness)
		if err == nil {
			err = s.Meets(need)
		}
		if err != nil {
			s.Reject()
			m.refused(r, s, err)
			m.answer(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Meets returns nil if the session has what need asks for, else a [*Refused]
// that says what is missing.
func (s *Session) Meets(need Need) error {
	if need.MaxAge < 0 && s.manager != nil {
		need.MaxAge = s.manager.policy.RecentAuth
	}
	switch {
	case s.Program():
		if !need.Programs {
			return refuse(CauseNotSignedIn, SID{})
		}
		if need.Bound && !s.proven {
			return refuse(CauseUnbound, SID{})
		}
		return s.meetsScope(need)
	case s.rec == nil && s.flooded:
		return refuse(CauseFlooded, SID{})
	case s.rec == nil:
		return refuse(CauseNone, SID{})
	case !s.SignedIn():
		return refuse(CauseNotSignedIn, s.rec.SID)
	case need.Channel != 0 && need.Channel != s.via:
		return refuse(CauseChannel, s.rec.SID)
	case need.Bound && !s.proven:
		return refuse(CauseUnbound, s.rec.SID)
	case need.MaxAge > 0 && s.manager.now().Sub(s.rec.AuthTime) >= need.MaxAge:
		// The clock is read again: the deadline may have passed in this request.
		e := refuse(CauseStale, s.rec.SID)
		e.MaxAge = need.MaxAge
		return e
	case len(need.Classes) > 0 && !slices.Contains(need.Classes, s.rec.Class):
		e := refuse(CauseWeak, s.rec.SID)
		e.Classes = need.Classes
		return e
	}
	for _, method := range need.Methods {
		if !slices.Contains(s.rec.Methods, method) {
			e := refuse(CauseWeak, s.rec.SID)
			e.Classes = need.Classes
			return e
		}
	}
	return s.meetsScope(need)
}

func (s *Session) meetsScope(need Need) error {
	if need.Scope == "" || s.via != ChannelToken || narrower(need.Scope, s.Scope()) {
		return nil
	}
	e := refuse(CauseScope, s.SID())
	e.Scope = need.Scope
	return e
}
