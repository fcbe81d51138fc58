package contender

import (
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// GoJose returns a check by go-jose. It has no option that demands an expiry, so
// that is done by hand.
func (t *Tokens) GoJose() (Check, error) {
	kid, err := t.keyID()
	if err != nil {
		return nil, err
	}
	pub := t.signer.Public()
	algorithms := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.alg)}
	return func(raw string) (string, error) {
		tok, err := jwt.ParseSigned(raw, algorithms)
		if err != nil {
			return "", err
		}
		if len(tok.Headers) != 1 || tok.Headers[0].KeyID != kid {
			return "", errRefused
		}
		var c struct {
			jwt.Claims
			sessionClaims
		}
		if err := tok.Claims(pub, &c); err != nil {
			return "", err
		}
		if c.Expiry == nil {
			return "", errRefused
		}
		expected := jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{audience}, Time: time.Now()}
		if err := c.ValidateWithLeeway(expected, 0); err != nil {
			return "", err
		}
		return c.Subject, nil
	}, nil
}
