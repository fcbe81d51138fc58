package verifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// Verifier accepts access tokens of one issuer for one service. It is safe for
// concurrent use.
type Verifier struct {
	cfg      Config
	log      *slog.Logger
	keys     *source // nil if Config.Keys was given
	tokens   *token.Verifier
	feed     *feed         // nil without Config.Feed
	asker    *introspector // nil if nobody can be asked
	asks     bool          // about every token, not for Live alone
	metadata string        // address of the service's own metadata, or empty
	running  atomic.Bool
	live     atomic.Bool // a route wants Live
}

// New checks the configuration and names the field that is wrong. It starts
// nothing and reaches nobody: the key set is fetched when the first token comes,
// or by [Verifier.Run] or [Verifier.Ready].
func New(cfg Config) (*Verifier, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	v := &Verifier{cfg: cfg, log: cfg.Logger}
	client := newClient(cfg.Transport)
	keys := cfg.Keys
	if keys == nil {
		var err error
		if v.keys, err = newSource(cfg, client); err != nil {
			return nil, err
		}
		keys = v.keys
	}
	if in := cfg.introspection(); in != nil {
		var err error
		if v.asker, err = newIntrospector(cfg, *in, client, v.keys); err != nil {
			return nil, err
		}
		v.asks = cfg.Introspect != nil && len(cfg.feeds()) == 0
	}
	if len(cfg.feeds()) > 0 {
		var err error
		if v.feed, err = newFeed(cfg, v.keys); err != nil {
			return nil, err
		}
	}
	if cfg.Resource != "" {
		v.metadata, _ = resourceMetadataURL(cfg.Resource)
	}
	var err error
	v.tokens, err = token.NewVerifier(token.VerifierConfig{
		Issuer: cfg.Issuer, Audience: cfg.Audience, Keys: keys, Leeway: cfg.Leeway, MaxSize: cfg.MaxSize,
		CacheSize: cfg.CacheSize, AllowRS256: cfg.AllowRS256, Now: cfg.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("verifier: Config: %w", err)
	}
	if cfg.SkipRevocationCheck {
		v.log.Warn("verifier: SkipRevocationCheck is set: tokens of ended sessions are accepted until they expire",
			slog.String("issuer", cfg.Issuer), slog.String("audience", cfg.Audience))
	}
	return v, nil
}

// Run follows the revocation feed and keeps the key set fresh until ctx ends, and
// then returns ctx's error. With [Config.Feed] every token is answered with 503
// while it does not run. Otherwise it is optional: without it the key set is
// fetched when a request needs it, and now and then a request waits for that.
// Only one Run goes on at a time.
func (v *Verifier) Run(ctx context.Context) error {
	if !v.running.CompareAndSwap(false, true) {
		return errors.New("verifier: Run goes on already")
	}
	defer v.running.Store(false)
	var all sync.WaitGroup
	defer all.Wait()
	if v.feed != nil {
		all.Go(func() { v.feed.follower.Run(ctx) })
	}
	if v.keys != nil {
		v.keys.run(ctx)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Ready returns nil if tokens can be judged now, after fetching the key set if
// there is none or it is overdue, and after waiting for the revocation feed for as
// long as [Config.Timeout] if need be. Its error says what is wrong, for whoever
// starts or watches the service.
func (v *Verifier) Ready(ctx context.Context) error {
	if v.keys != nil {
		if err := v.keys.ready(ctx); err != nil {
			return err
		}
	}
	if v.feed != nil {
		return v.feed.ready(ctx, v.cfg.Timeout)
	}
	return nil
}

// Verify judges the text of a token: everything [token.Verifier.Verify] checks,
// that the token is not bound to a key, and that it has not been revoked, as far
// as the configuration says how to know. It is [Verifier.VerifyWith] of [Bounded].
//
// The claims are shared with other callers and read-only. A token seen before
// costs no signature check and no allocation. Verify waits for the network only
// where the key set is missing or overdue, where the key id is unknown, and for
// introspection; never for the feed. Every error is a *[Refused].
func (v *Verifier) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	return v.VerifyWith(ctx, raw, Bounded)
}

// VerifyWith is [Verifier.Verify] where another freshness is wanted.
func (v *Verifier) VerifyWith(ctx context.Context, raw string, f Freshness) (*token.Claims, error) {
	c, err := v.genuine(ctx, presented{raw: raw})
	if err != nil {
		return nil, err
	}
	if err := v.heard(c, f); err != nil {
		return nil, err
	}
	if err := v.ask(ctx, raw, c, f); err != nil {
		return nil, err
	}
	return c, nil
}

// genuine checks everything but what the feed and the issuer know. A proof that
// holds is used up by it.
func (v *Verifier) genuine(ctx context.Context, p presented) (*token.Claims, error) {
	c, err := v.signed(ctx, p.raw)
	if err != nil {
		return nil, err
	}
	if err := v.prove(ctx, p, c); err != nil {
		return nil, err
	}
	if v.cfg.Revocation != nil {
		if err := v.cfg.Revocation.Check(ctx, c); err != nil {
			return nil, revocationRefusal(err)
		}
	}
	return c, nil
}

// signed checks everything that the token itself and the keys can tell.
func (v *Verifier) signed(ctx context.Context, raw string) (*token.Claims, error) {
	if v.keys == nil {
		c, err := v.tokens.Verify(raw)
		return c, badToken(err)
	}
	if err := v.keys.ready(ctx); err != nil {
		return nil, keysRefusal(err)
	}
	set := v.keys.set.Load()
	c, err := v.tokens.Verify(raw)
	if e, ok := errors.AsType[*token.Error](err); !ok || e.Cause != token.CauseUnknownKey {
		return c, badToken(err)
	}
	// The key may be newer than the set.
	newer, waiting := v.keys.unknown(ctx, set)
	if waiting != nil {
		return nil, keysRefusal(waiting)
	}
	if newer {
		c, err = v.tokens.Verify(raw)
	}
	return c, badToken(err)
}

func badToken(err error) error {
	if err == nil {
		return nil
	}
	return &Refused{Cause: CauseBadToken, Err: err}
}

func keysRefusal(err error) error {
	return &Refused{Cause: CauseKeys, RetryAfter: retryAfter, Err: err}
}

func revocationRefusal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrRevoked):
		return &Refused{Cause: CauseRevoked, Err: err}
	}
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused
	}
	return &Refused{Cause: CauseRevocation, RetryAfter: retryAfter, Err: err}
}

// retryAfter is when clients should come again after a 503.
const retryAfter = time.Second

// Check judges the Authorization field of a request and returns its caller, who
// is nobody if there is no such field or it has a scheme other than Bearer and
// DPoP. Header names are in canonical form, as [http.Header] has them. Every
// error is a *[Refused]; nothing has been logged or answered.
//
// It refuses tokens that are bound to a key, because it does not know which
// request they came with: see [Verifier.CheckRequest].
func (v *Verifier) Check(ctx context.Context, h http.Header) (*Caller, error) {
	p, ok, err := credential(h)
	if err != nil || !ok {
		return nobody, err
	}
	return v.checked(ctx, p)
}

// CheckRequest is [Verifier.Check] for a request as it came: a token that is bound
// to a key is accepted with its proof, which counts once (RFC 9449 section 7.1).
func (v *Verifier) CheckRequest(r *http.Request) (*Caller, error) {
	p, ok, err := v.presentedBy(r)
	if err != nil || !ok {
		return nobody, err
	}
	return v.checked(r.Context(), p)
}

func (v *Verifier) checked(ctx context.Context, p presented) (*Caller, error) {
	c, err := v.genuine(ctx, p)
	if err == nil {
		err = v.heard(c, Bounded)
	}
	if err == nil {
		err = v.ask(ctx, p.raw, c, Bounded)
	}
	if err != nil {
		return nobody, err
	}
	return v.caller(p.raw, c), nil
}

// Admit is [Verifier.Check] and [Caller.Meets] in one, for servers other than
// HTTP's: it returns the caller of a request that has what need asks for, and a
// *[Refused] for any other, nobody included.
func (v *Verifier) Admit(ctx context.Context, h http.Header, need Need) (*Caller, error) {
	p, ok, err := credential(h)
	if err != nil {
		return nobody, err
	}
	if !ok {
		return nobody, &Refused{Cause: CauseNone}
	}
	claims, err := v.genuine(ctx, p)
	if err != nil {
		return nobody, err
	}
	if need.Freshness != Live { // which Meets asks
		if err := v.ask(ctx, p.raw, claims, need.Freshness); err != nil {
			return nobody, err
		}
	}
	c := v.caller(p.raw, claims)
	if err := c.Meets(ctx, need); err != nil {
		return nobody, err
	}
	return c, nil
}

// recognise is [Verifier.CheckRequest], but that it lets a caller pass undecided
// whom only a feed out of reach keeps from being accepted, if there are routes
// that take him.
func (v *Verifier) recognise(r *http.Request) (*Caller, error) {
	p, ok, err := v.presentedBy(r)
	if err != nil || !ok {
		return nobody, err
	}
	claims, err := v.genuine(r.Context(), p)
	if err != nil {
		return nobody, err
	}
	err = v.heard(claims, Bounded)
	if err == nil {
		err = v.ask(r.Context(), p.raw, claims, Bounded)
	}
	switch {
	case err == nil:
		return v.caller(p.raw, claims), nil
	case !isBlind(err) || !v.cfg.AllowLocal && !v.live.Load():
		return nobody, err
	}
	if err := v.heard(claims, Live); err != nil {
		return nobody, err
	}
	return &Caller{undecided: v.caller(p.raw, claims)}, nil
}
