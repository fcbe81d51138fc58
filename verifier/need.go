package verifier

import (
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
	// Scope is demanded.
	Programs bool
}

// Require lets requests through to next only if their caller has what the route
// needs, and answers the others: 401 with a challenge (RFC 6750, RFC 9470), or
// 403. It works inside a [Verifier.Handler]; outside of one nobody is recognised
// and all are refused.
func (v *Verifier) Require(need Need, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := From(r.Context())
		if err := c.Meets(need); err != nil {
			v.LogRefused(r.Context(), c, err)
			v.WriteError(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Meets returns nil if the caller has what need asks for, else a *[Refused] that
// says what is missing.
func (c *Caller) Meets(need Need) error {
	switch {
	case c.claims == nil:
		return &Refused{Cause: CauseNone}
	case c.Program():
		if !need.Programs {
			return &Refused{Cause: CauseProgram}
		}
		return c.meetsScope(need)
	// A time that the token does not say is in the year 1, and too old.
	case need.MaxAge != 0 && c.now().Sub(c.AuthTime()) >= need.MaxAge:
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
