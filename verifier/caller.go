package verifier

import (
	"context"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// Caller is who makes a request, as its access token says. The zero Caller is
// nobody. It is read-only and safe for concurrent use.
type Caller struct {
	claims   *token.Claims // nil for nobody
	verifier *Verifier
	// raw is the token, for asking the issuer about it; nil where nobody is asked.
	// It is behind a pointer so that no way of printing a Caller shows it.
	raw *string
	// undecided is who this nobody may be: his token is good as far as is known
	// here, but the feed is out of reach. Only routes that take him see him.
	undecided *Caller
}

func (v *Verifier) caller(raw string, claims *token.Claims) *Caller {
	c := &Caller{claims: claims, verifier: v}
	if v.asker != nil {
		c.raw = &raw
	}
	return c
}

// nobody and nothing are what a request without a token has; both are never
// written.
var (
	nobody  = &Caller{}
	nothing = &token.Claims{}
)

type callerKey struct{}

// From returns the caller of the request. It is never nil: without a token, or
// without a [Verifier.Handler] around, it is nobody. While the revocation feed is
// out of reach it is nobody too, but on routes that [Verifier.Require] has let him
// through to; [Caller.Meets] and [Caller.Watch] of that nobody say that it cannot
// be told.
func From(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	return nobody
}

// WithCaller returns a context in which [From] answers c: for servers that use
// [Verifier.Check] themselves.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// SignedIn reports whether the token speaks for a person. It is false for nobody
// and for a program.
func (c *Caller) SignedIn() bool { return c.claims != nil && !c.Program() }

// Bound reports whether the token is bound to a key. The request has proven
// possession of that key then: otherwise there would be no caller.
func (c *Caller) Bound() bool { return c.claims != nil && c.claims.JKT != "" }

// Program reports whether a program calls for itself: its token names no session,
// and as subject the client, by its id or as "client:ID".
func (c *Caller) Program() bool {
	t := c.claims
	return t != nil && t.SID == "" && strings.TrimPrefix(t.Subject, "client:") == t.ClientID
}

// Claims returns all the token says, shared and read-only; empty claims for
// nobody.
func (c *Caller) Claims() *token.Claims {
	if c.claims == nil {
		return nothing
	}
	return c.claims
}

// Issuer returns who vouches for the subject; empty for nobody. Only issuer and
// subject together name a person for good.
func (c *Caller) Issuer() string { return c.Claims().Issuer }

// Subject returns who the token speaks for; empty for nobody.
func (c *Caller) Subject() string { return c.Claims().Subject }

// Client returns the id of the client that was given the token.
func (c *Caller) Client() string { return c.Claims().ClientID }

// SID returns the public id of the session; empty for programs and nobody.
func (c *Caller) SID() string { return c.Claims().SID }

// Scope returns the scopes of the token, space-separated.
func (c *Caller) Scope() string { return c.Claims().Scope }

// HasScope reports whether the token grants the scope.
func (c *Caller) HasScope(scope string) bool { return c.Claims().HasScope(scope) }

// AuthTime returns when the person authenticated; zero if the token says nothing.
func (c *Caller) AuthTime() time.Time { return c.Claims().AuthTime }

// Class returns the class (acr) of that authentication.
func (c *Caller) Class() string { return c.Claims().ACR }

// Methods returns the methods (amr) of that authentication.
func (c *Caller) Methods() []string { return c.Claims().AMR }
