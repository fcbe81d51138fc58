package contender

import (
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/lanyard-go/lanyard/token"
)

// JWX returns a check by jwx against a set of one key with its id and algorithm,
// the way its documentation takes keys from a JWKS.
func (t *Tokens) JWX() (Check, error) {
	kid, err := t.keyID()
	if err != nil {
		return nil, err
	}
	key, err := jwk.Import(t.signer.Public())
	if err != nil {
		return nil, err
	}
	alg := jwa.ES256()
	if t.alg == token.EdDSA {
		alg = jwa.EdDSA()
	}
	if err := key.Set(jwk.KeyIDKey, kid); err != nil {
		return nil, err
	}
	if err := key.Set(jwk.AlgorithmKey, alg); err != nil {
		return nil, err
	}
	set := jwk.NewSet()
	if err := set.AddKey(key); err != nil {
		return nil, err
	}
	options := []jwt.ParseOption{
		jwt.WithKeySet(set), jwt.WithValidate(true), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
	}
	return func(raw string) (string, error) {
		tok, err := jwt.Parse([]byte(raw), options...)
		if err != nil {
			return "", err
		}
		subject, ok := tok.Subject()
		if !ok {
			return "", errRefused
		}
		return subject, nil
	}, nil
}
