package verifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
	asker    *introspector // nil without Config.Introspect
	metadata string        // address of the service's own metadata, or empty
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
	if cfg.Introspect != nil {
		var err error
		if v.asker, err = newIntrospector(cfg, client, v.keys); err != nil {
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

// Run keeps the key set fresh until ctx ends, and then returns ctx's error. It is
// optional: without it the key set is fetched when a request needs it, and now
// and then a request waits for that.
func (v *Verifier) Run(ctx context.Context) error {
	if v.keys != nil {
		v.keys.run(ctx)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Ready returns nil if tokens can be judged now, after fetching the key set if
// there is none or it is overdue. Its error says what is wrong with the issuer's
// answers, for whoever starts or watches the service.
func (v *Verifier) Ready(ctx context.Context) error {
	if v.keys == nil {
		return nil
	}
	return v.keys.ready(ctx)
}

// Verify judges the text of a token: everything [token.Verifier.Verify] checks,
// that the token is not bound to a key, and that it has not been revoked, as far
// as the configuration says how to know. Every error is a *[Refused].
//
// The claims are shared with other callers and read-only. A token seen before
// costs no signature check and no allocation. Verify waits for the network only
// where the key set is missing or overdue, where the key id is unknown, and for
// introspection.
func (v *Verifier) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	c, err := v.signed(ctx, raw)
	if err != nil {
		return nil, err
	}
	if c.JKT != "" {
		// Accepting it without its proof would make a bearer token of it.
		return nil, &Refused{Cause: CauseBound}
	}
	if v.cfg.Revocation != nil {
		if err := v.cfg.Revocation.Check(ctx, c); err != nil {
			return nil, revocationRefusal(err)
		}
	}
	if v.asker != nil {
		if err := v.asker.check(ctx, raw, c); err != nil {
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
	if errors.Is(err, ErrRevoked) {
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
func (v *Verifier) Check(ctx context.Context, h http.Header) (*Caller, error) {
	fields := h["Authorization"]
	switch len(fields) {
	case 0:
		return nobody, nil
	case 1:
	default:
		return nil, &Refused{Cause: CauseAmbiguous}
	}
	scheme, raw := cutScheme(fields[0])
	switch scheme {
	case schemeBearer:
		if len(h["Dpop"]) > 0 {
			return nil, &Refused{Cause: CauseAmbiguous}
		}
	case schemeDPoP:
		return nil, &Refused{Cause: CauseBound}
	default:
		return nobody, nil
	}
	c, err := v.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	return &Caller{claims: c, now: v.cfg.Now}, nil
}
