package contender

import (
	"context"
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-go/lanyard/token"
)

// jwtClaims is the cheapest way golang-jwt has to read the same claims.
type jwtClaims struct {
	jwt.RegisteredClaims
	sessionClaims
}

// sessionClaims are the claims that RFC 7519 does not register.
type sessionClaims struct {
	ClientID     string   `json:"client_id"`
	SID          string   `json:"sid"`
	Generation   uint32   `json:"gen"`
	SubjectEpoch uint64   `json:"sep"`
	GlobalEpoch  uint64   `json:"gep"`
	AuthTime     int64    `json:"auth_time"`
	AMR          []string `json:"amr"`
	Scope        string   `json:"scope"`
}

// GolangJWT returns a check by golang-jwt with every option that makes it
// strict.
func (t *Tokens) GolangJWT() (Check, error) {
	kid, err := t.keyID()
	if err != nil {
		return nil, err
	}
	pub := t.signer.Public()
	parser := jwt.NewParser(jwt.WithValidMethods([]string{string(t.alg)}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding())
	key := func(tok *jwt.Token) (any, error) {
		if id, _ := tok.Header["kid"].(string); id != kid {
			return nil, errRefused
		}
		return pub, nil
	}
	return func(raw string) (string, error) {
		var c jwtClaims
		if _, err := parser.ParseWithClaims(raw, &c, key); err != nil {
			return "", err
		}
		return c.Subject, nil
	}, nil
}

type subjectKey struct{}

// openJWT is the middleware that the users of such a library write themselves:
// it checks the signature each time and knows no revocation.
func openJWT(kind Kind, n int) (*Site, error) {
	alg := token.ES256
	if kind == JWTEdDSA {
		alg = token.EdDSA
	}
	t, err := NewTokens(alg, n)
	if err != nil {
		return nil, err
	}
	check, err := t.GolangJWT()
	if err != nil {
		return nil, err
	}
	private := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject, _ := r.Context().Value(subjectKey{}).(string)
		page(w, subject)
	})
	s := &Site{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			page(w, "")
			return
		}
		subject, err := check(raw)
		if err != nil {
			page(w, "")
			return
		}
		private.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), subjectKey{}, subject)))
	})}
	for _, text := range t.Texts {
		s.Badges = append(s.Badges, bearerBadge(text))
	}
	return s, nil
}
