package verifier

import (
	"context"
	"errors"

	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/token"
)

// Freshness says what a route wants to know about revocations before it answers.
type Freshness uint8

const (
	// Bounded is the default: what happened longer ago than the revocation bound
	// is known. While the feed is out of reach for longer, the answer is 503.
	// Without [Config.Feed] it is what Introspect or Revocation say.
	Bounded Freshness = iota
	// Local takes the last known state, however old: while the feed is out of
	// reach, a token that nothing known here speaks against counts until it
	// expires. It needs [Config.AllowLocal], and is Bounded without.
	Local
	// Live asks the issuer at each check and uses no answer twice. It does not
	// depend on the feed being in reach, and is answered with 503 when the issuer
	// is not. It needs [Config.Introspect], or [Config.Credentials] and an issuer
	// whose metadata name an introspection endpoint.
	Live
)

// String returns "bounded", "local" or "live".
func (f Freshness) String() string {
	switch f {
	case Local:
		return "local"
	case Live:
		return "live"
	}
	return "bounded"
}

// errCannotAsk is why Live answers 503 where nobody can be asked.
var errCannotAsk = errors.New("the configuration does not say how to ask the issuer: set Introspect, or Credentials")

// heard judges claims by the feed.
func (v *Verifier) heard(c *token.Claims, f Freshness) error {
	if v.feed == nil {
		return nil
	}
	err := v.feed.check(c)
	if err == nil || f == Live && isBlind(err) || f == Local && v.cfg.AllowLocal && isBlind(err) {
		return nil
	}
	return revocationRefusal(err)
}

func isBlind(err error) bool { return errors.Is(err, revocation.ErrBlind) }

// ask has the issuer judge a token, as far as freshness and configuration want
// that.
func (v *Verifier) ask(ctx context.Context, raw string, c *token.Claims, f Freshness) error {
	var err error
	switch {
	case f == Live && v.asker == nil:
		err = errCannotAsk
	case f == Live:
		err = v.asker.anew(ctx, raw, c)
	case v.asker != nil && v.asks:
		err = v.asker.check(ctx, raw, c)
	}
	return revocationRefusal(err)
}
