package lanyard

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// Session is what a request was recognised as: a live session, a program that
// presented a token of its own, or nobody. It is a snapshot taken when the
// request was checked and is safe for concurrent reading.
type Session struct {
	rec     *Record
	claims  *token.Claims // the access token presented, if it was one
	via     Channel       // the badge this request presented
	anon    *Record       // record of a browser that is not signed in
	pre     *credential   // its cookie
	manager *Manager
	touch   touchState
	stored  Time // LastActive as the store has it
	passive bool
	near    bool    // rec comes from the near cache, without application data
	mayHold bool    // the request passes a handler, where routes say what they take
	flooded bool    // there were too many cookies to look for ours
	held    *Record // good by what was last known, for routes that take that
	away    error   // why the store did not say

	heldClaims *token.Claims // of held
	proven     bool          // with a proof of possession
	now        Time
}

// nobody is what [From] returns outside of a [Manager.Handler].
var nobody = &Session{}

type sessionKey struct{}

// sessionContext carries the session without a wrapper of its own, which saves
// an allocation on each request.
type sessionContext struct {
	context.Context
	session Session
	request *http.Request // whose address events name, worked out when one needs it
}

// Value answers for the session and the source of its request, and asks the
// parent for the rest.
func (c *sessionContext) Value(key any) any {
	switch key.(type) {
	case sessionKey:
		return &c.session
	case sourceKey:
		if c.request != nil {
			return c.session.manager.address(c.request)
		}
	}
	return c.Context.Value(key)
}

// From returns what the request was recognised as. It is never nil: without a
// [Manager.Handler] around, it is nobody.
func From(ctx context.Context) *Session {
	if s, ok := ctx.Value(sessionKey{}).(*Session); ok {
		return s
	}
	return nobody
}

// WithSession returns a context in which [From] answers s: for servers that go
// on with a session just made, in the same request.
func WithSession(ctx context.Context, s *Session) context.Context {
	c := &sessionContext{Context: ctx}
	t := &c.session
	t.rec, t.claims, t.via, t.anon, t.pre, t.manager, t.now = s.rec, s.claims, s.via, s.anon, s.pre, s.manager, s.now
	t.passive = true // the request that made it has been counted
	return c
}

// SignedIn reports whether a person is signed in: the session is live, not
// anonymous and not half-way through a login.
func (s *Session) SignedIn() bool { return s.rec != nil && s.rec.State == StateLive }

// Client returns the client id of a program that presented an access token of
// its own (grant client_credentials), or of the program that holds this
// session's tokens. Empty for a cookie.
func (s *Session) Client() string {
	switch {
	case s.claims != nil:
		return s.claims.ClientID
	case s.rec != nil:
		return s.rec.ClientID
	}
	return ""
}

// Bound reports whether this request proved possession of the key that its badge
// is bound to.
func (s *Session) Bound() bool { return s.proven }

// Program reports whether the request was made by a program for itself, with no
// session of a person behind it.
func (s *Session) Program() bool { return s.rec == nil && s.claims != nil }

// SID returns the public id, zero for nobody.
func (s *Session) SID() SID {
	if s.rec == nil {
		return SID{}
	}
	return s.rec.SID
}

// Subject returns who is signed in, empty for nobody. With the issuer it names
// a person uniquely.
func (s *Session) Subject() string {
	if s.rec == nil {
		return ""
	}
	return s.rec.Subject
}

// Channel returns the channel of the session's record.
func (s *Session) Channel() Channel {
	if s.rec == nil {
		return 0
	}
	return s.rec.Channel
}

// Via returns the badge that this request presented: a cookie session may also
// be reached by a short access token drawn from it.
func (s *Session) Via() Channel { return s.via }

// Generation returns how many times the session has been authenticated.
func (s *Session) Generation() uint32 {
	if s.rec == nil {
		return 0
	}
	return s.rec.Generation
}

// AuthTime returns when the person last authenticated in this session.
func (s *Session) AuthTime() time.Time { return s.time(func(r *Record) Time { return r.AuthTime }) }

// CreatedAt returns when the session began.
func (s *Session) CreatedAt() time.Time { return s.time(func(r *Record) Time { return r.CreatedAt }) }

// LastActive returns the last activity, this request included.
func (s *Session) LastActive() time.Time { return s.time(func(r *Record) Time { return r.LastActive }) }

// IdleExpiresAt returns when the session is over without further activity.
func (s *Session) IdleExpiresAt() time.Time {
	return s.time(func(r *Record) Time { return r.IdleExpiresAt })
}

// ExpiresAt returns the absolute limit.
func (s *Session) ExpiresAt() time.Time { return s.time(func(r *Record) Time { return r.ExpiresAt }) }

func (s *Session) time(of func(*Record) Time) time.Time {
	if s.rec == nil {
		return time.Time{}
	}
	return of(s.rec).Time()
}

// Methods returns how the person authenticated (RFC 8176 words).
func (s *Session) Methods() []string {
	if s.rec == nil {
		return nil
	}
	return slices.Clone(s.rec.Methods)
}

// Class returns the authentication context class, empty if none was stated.
func (s *Session) Class() string {
	if s.rec == nil {
		return ""
	}
	return s.rec.Class
}

// Device returns what is known of the session's client.
func (s *Session) Device() Device {
	if s.rec == nil {
		return Device{}
	}
	return s.rec.Device
}

// Binding returns what the session's credentials are bound to.
func (s *Session) Binding() Binding {
	if s.rec == nil {
		return BindingNone
	}
	return s.rec.Binding
}

// Origin returns the session this one was handed off from, or zero.
func (s *Session) Origin() SID {
	if s.rec == nil {
		return SID{}
	}
	return s.rec.Origin
}

// Scope returns the scopes of the access token presented, space-separated.
func (s *Session) Scope() string {
	if s.claims == nil {
		return ""
	}
	return s.claims.Scope
}

// view makes a Session of a record, for lists and grants.
func (m *Manager) view(rec *Record, now Time) *Session {
	return &Session{rec: rec, via: rec.Channel, manager: m, now: now}
}
