package verifier

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Need says what a route takes. The zero value takes any person who is signed
// in.
type Need struct {
	// Scope lists scopes that the token must all grant, space-separated.
	Scope string

	// MaxAge is how long ago the person may have authenticated. Zero: whenever.
	// A token that does not say when is too old, and so is every token for a
	// negative value.
	MaxAge time.Duration

	// Classes lists the authentication context classes (acr) that will do. Empty:
	// all.
	Classes []string

	// Methods lists authentication methods (amr) that must all have been used.
	Methods []string

	// Programs also lets in programs with a token of their own. Of them only
	// Scope and Bound are demanded.
	Programs bool

	// Bound demands that the request proved possession of the key that its token is
	// bound to, so that a stolen copy is not enough.
	Bound bool

	// Freshness is what has to be known about revocations. Zero: [Bounded].
	Freshness Freshness
}

// Require lets requests through to next only if their caller has what the route
// needs, and answers the others: 401 with a challenge (RFC 6750, RFC 9470), 403,
// or 503 while it cannot be told. It works inside a [Verifier.Handler]; outside of one nobody is recognised
// and all are refused.
func (v *Verifier) Require(need Need, next http.Handler) http.Handler {
	if need.Freshness == Live {
		v.live.Store(true)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		c := From(ctx)
		if err := c.Meets(ctx, need); err != nil {
			v.LogRefused(ctx, c, err)
			v.answer(w, r, err)
			return
		}
		if c.undecided != nil {
			r = r.WithContext(WithCaller(ctx, c.undecided))
		}
		next.ServeHTTP(w, r)
	})
}

// Meets returns nil if the caller has what need asks for, else a *[Refused] that
// says what is missing. It is judged by the revocation feed again, so a session
// that has ended since the request came is refused. It waits for the network, as
// long as ctx and [Introspection.Timeout] allow, for [Live] alone.
func (c *Caller) Meets(ctx context.Context, need Need) error {
	switch {
	case c.undecided != nil:
		return c.undecided.Meets(ctx, need)
	case c.claims == nil:
		return &Refused{Cause: CauseNone}
	}
	if err := c.verifier.heard(c.claims, need.Freshness); err != nil {
		return err
	}
	if err := c.suffices(need); err != nil || need.Freshness != Live {
		return err
	}
	raw := ""
	if c.raw != nil {
		raw = *c.raw
	}
	return c.verifier.ask(ctx, raw, c.claims, Live)
}

// suffices compares what the token says with what need asks for.
func (c *Caller) suffices(need Need) error {
	switch {
	case need.Bound && !c.Bound():
		return &Refused{Cause: CauseUnbound, Need: need}
	case c.Program():
		if !need.Programs {
			return &Refused{Cause: CauseProgram}
		}
		return c.meetsScope(need)
	// A time that the token does not say is in the year 1, and too old.
	case need.MaxAge != 0 && c.verifier.cfg.Now().Sub(c.AuthTime()) >= need.MaxAge:
		return &Refused{Cause: CauseStale, Need: need}
	case len(need.Classes) > 0 && !slices.Contains(need.Classes, c.Class()):
		return &Refused{Cause: CauseWeak, Need: need}
	}
	for _, method := range need.Methods {
		if !slices.Contains(c.Methods(), method) {
			return &Refused{Cause: CauseWeak, Need: need}
		}
	}
	return c.meetsScope(need)
}

func (c *Caller) meetsScope(need Need) error {
	for scope := range strings.FieldsSeq(need.Scope) {
		if !c.HasScope(scope) {
			return &Refused{Cause: CauseScope, Need: need}
		}
	}
	return nil
}
