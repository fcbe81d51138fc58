package token

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// MaxLeeway is the most clock difference a [Verifier] can be told to forgive.
const MaxLeeway = time.Minute

// DefaultCacheSize is the number of verified tokens remembered by default.
const DefaultCacheSize = 8192

// VerifyKeys gives the trusted key with an id, or false. It is asked on every
// call of [Verifier.Verify], also for a token seen before, so a key that it
// stops returning is refused at once. It must be fast, safe for concurrent use,
// and hold the keys of one issuer only; kid is hostile input of at most 128
// bytes. *[KeySet] and *[PublicKeys] are such.
type VerifyKeys interface {
	Lookup(kid string) (*PublicKey, bool)
}

// VerifierConfig is what a [Verifier] needs.
type VerifierConfig struct {
	// Issuer is the only iss accepted, compared as an exact string. Required.
	Issuer string
	// Audience is this verifier's own identifier, which aud must contain.
	// Required.
	Audience string
	// SkipAudience accepts tokens for any audience, and Audience must be empty
	// then. It is for the issuer that answers questions about its own tokens,
	// never for letting anybody in: a token made for one service would open
	// another.
	SkipAudience bool
	// Keys are the issuer's keys. Required.
	Keys VerifyKeys
	// Leeway is the clock difference forgiven for exp, nbf and iat, at most 60
	// seconds. Zero forgives none.
	Leeway time.Duration
	// MaxSize is the longest token read, in bytes; zero means 8 KiB.
	MaxSize int
	// CacheSize is how many live tokens are remembered, so that the signature
	// is checked once per token; zero means 8192, a negative number none. The
	// table takes 32 to 64 bytes per token at once, 1 to 2 KiB more for each one
	// remembered, and never grows.
	CacheSize int
	// AllowRS256 accepts RS256 too. It is a deviation: PKCS #1 v1.5
	// signatures are kept for peers that can do nothing else, as RFC 9068
	// section 2.1 wants and ASVS 5.0 appendix C advises against.
	AllowRS256 bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verifier checks access tokens of one issuer for one audience. It is safe for
// concurrent use.
type Verifier struct {
	cfg    VerifierConfig
	policy jose.HeaderPolicy
	cache  *cache
}

// NewVerifier checks the configuration and names the field that is wrong.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	switch {
	case cfg.Issuer == "":
		return nil, errors.New("token: VerifierConfig.Issuer is required")
	case cfg.SkipAudience && cfg.Audience != "":
		return nil, errors.New("token: VerifierConfig.Audience: not together with SkipAudience")
	case cfg.Audience == "" && !cfg.SkipAudience:
		return nil, errors.New("token: VerifierConfig.Audience is required")
	case cfg.Keys == nil:
		return nil, errors.New("token: VerifierConfig.Keys is required")
	case cfg.Leeway < 0 || cfg.Leeway > MaxLeeway:
		return nil, fmt.Errorf("token: VerifierConfig.Leeway must be 0 to %v", MaxLeeway)
	case cfg.MaxSize < 0 || cfg.MaxSize > 64<<10:
		return nil, errors.New("token: VerifierConfig.MaxSize must be 0 to 64 KiB")
	case cfg.CacheSize > maxCacheSize:
		return nil, fmt.Errorf("token: VerifierConfig.CacheSize must be at most %d", maxCacheSize)
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = MaxSize
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = DefaultCacheSize
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	v := &Verifier{cfg: cfg, policy: jose.HeaderPolicy{
		Type:       accessTokenType,
		Algorithms: verifierAlgorithms(cfg.AllowRS256),
		Key:        jose.KeyByID,
	}}
	if cfg.CacheSize > 0 {
		v.cache = newCache(cfg.CacheSize)
	}
	return v, nil
}

// Verify checks raw as draft rfc8725bis and RFC 9068 section 4 demand, in this
// order: size and form, header, key, signature, types of the claims, issuer,
// audience, times. Every refusal satisfies errors.Is(err, ErrInvalid) and is an
// *[Error] that names the cause for the log.
//
// The claims are shared with other callers and read-only. Two things are left to
// the caller, on every call: comparing SID, Generation and the epochs with
// what has been revoked, and demanding a DPoP proof when JKT is not empty.
//
// A token seen before costs no signature check and no allocation; its times and
// its key are still checked.
func (v *Verifier) Verify(raw string) (*Claims, error) {
	now := v.cfg.Now()
	if v.cache != nil {
		if e := v.cache.get(raw); e != nil {
			return v.again(e, now)
		}
	}
	e, err := v.first(raw)
	if err != nil {
		return nil, err
	}
	if cause := e.window(now); cause != "" {
		return nil, refuse(cause)
	}
	if v.cache != nil {
		e.hold(raw)
		v.cache.put(raw, e, now)
	}
	return &e.claims, nil
}

// again re-checks what can change after a token was verified.
func (v *Verifier) again(e *entry, now time.Time) (*Claims, error) {
	key, ok := v.cfg.Keys.Lookup(e.key.ID())
	// Another key under the same id must not inherit the trust of the first.
	if !ok || key != e.key && !key.key.Equal(e.key.key) {
		return nil, refuse(CauseUnknownKey)
	}
	if cause := e.window(now); cause != "" {
		return nil, refuse(cause)
	}
	return &e.claims, nil
}

// first checks everything about a token but its times.
func (v *Verifier) first(raw string) (*entry, error) {
	m, err := jose.Parse(raw, v.cfg.MaxSize, v.policy)
	if err != nil {
		return nil, refuse(joseCause(err))
	}
	key, ok := v.cfg.Keys.Lookup(m.Header.KeyID)
	if !ok {
		return nil, refuse(CauseUnknownKey)
	}
	payload, err := m.Verify(key.key)
	if err != nil {
		return nil, refuse(joseCause(err))
	}
	e := &entry{key: key}
	c := &e.claims
	if err := parseClaims(payload, c); err != nil {
		return nil, err
	}
	switch {
	case c.Issuer != v.cfg.Issuer:
		return nil, refuse(CauseIssuer)
	case !v.cfg.SkipAudience && !slices.Contains(c.Audience, v.cfg.Audience):
		return nil, refuse(CauseAudience)
	}
	c.KeyID = m.Header.KeyID
	from := c.IssuedAt
	if c.NotBefore.After(from) {
		from = c.NotBefore
	}
	e.from = nanoseconds(from.Add(-v.cfg.Leeway))
	e.until = nanoseconds(c.Expiry.Add(v.cfg.Leeway))
	return e, nil
}

// lastNano is the last second that fits in 64 bits of nanoseconds, in the year
// 2262. Later dates count as that one.
const lastNano = math.MaxInt64 / int64(time.Second)

func nanoseconds(t time.Time) int64 {
	if t.Unix() >= lastNano {
		return lastNano * int64(time.Second)
	}
	return t.UnixNano()
}

// window answers why the token is not valid at now, or nothing.
func (e *entry) window(now time.Time) Cause {
	switch n := now.UnixNano(); {
	case n >= e.until:
		return CauseExpired
	case n >= e.from:
		return ""
	case e.claims.NotBefore.After(e.claims.IssuedAt):
		return CauseNotYetValid
	default:
		return CauseIssuedInFuture
	}
}
