package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// ErrClaims means an [Issuer] refused to issue what it was given.
var ErrClaims = errors.New("token: claims refused")

// MaxSize is the longest token issued, and accepted by default, in bytes.
const MaxSize = 8 << 10

// MaxLifetime is the longest lifetime an [Issuer] gives unless told otherwise.
const MaxLifetime = 15 * time.Minute

// SigningKeys gives the key to sign with at a time. *[KeySet] is one.
type SigningKeys interface {
	Signing(now time.Time) (*Key, error)
}

// IssuerConfig is what an [Issuer] needs.
type IssuerConfig struct {
	// Issuer is the iss of every token, compared by verifiers as an exact
	// string. Required.
	Issuer string
	// Keys gives the signing key. Required.
	Keys SigningKeys
	// MaxLifetime bounds exp - iat; zero means 15 minutes. A longer one
	// weakens every promise about stolen tokens. Retire of the key set must
	// be longer than this plus the time verifiers cache the key set.
	MaxLifetime time.Duration
	// Now is the clock that chooses the signing key; nil means time.Now.
	Now func() time.Time
}

// Issuer signs access tokens of RFC 9068. It is safe for concurrent use.
type Issuer struct {
	cfg IssuerConfig
}

// NewIssuer checks the configuration and names the field that is wrong.
func NewIssuer(cfg IssuerConfig) (*Issuer, error) {
	switch {
	case cfg.Issuer == "":
		return nil, errors.New("token: IssuerConfig.Issuer is required")
	case cfg.Keys == nil:
		return nil, errors.New("token: IssuerConfig.Keys is required")
	case cfg.MaxLifetime < 0:
		return nil, errors.New("token: IssuerConfig.MaxLifetime is negative")
	}
	if cfg.MaxLifetime == 0 {
		cfg.MaxLifetime = MaxLifetime
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Issuer{cfg}, nil
}

// Issue signs c as an access token. Issuer may be empty and is filled in. Sub,
// aud, client_id, jti, iat and exp are required, exp must be later than iat by at
// most MaxLifetime, times lose their fractions of a second, and application claims
// must not use a name this package knows, in any letter case. Anything else is
// ErrClaims. The token is at most 8 KiB long.
func (i *Issuer) Issue(c Claims) (string, error) {
	if c.Issuer == "" {
		c.Issuer = i.cfg.Issuer
	}
	if c.Issuer != i.cfg.Issuer {
		return "", fmt.Errorf("%w: iss is not this issuer", ErrClaims)
	}
	if err := c.check(i.cfg.MaxLifetime); err != nil {
		return "", err
	}
	payload, err := c.appendJSON(nil)
	if err != nil {
		return "", err
	}
	key, err := i.cfg.Keys.Signing(i.cfg.Now())
	if err != nil {
		return "", fmt.Errorf("choosing the signing key: %w", err)
	}
	raw, err := key.jose.Sign(jose.SignOptions{Type: accessTokenType}, payload)
	if err != nil {
		return "", err
	}
	if len(raw) > MaxSize {
		return "", fmt.Errorf("%w: the token would have %d bytes, the limit is %d", ErrClaims, len(raw), MaxSize)
	}
	return raw, nil
}
