package server

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/jose"
)

// assertionType is the only client_assertion_type (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	maxAssertion     = 8 << 10
	maxAssertionLife = 5 * time.Minute
	assertionSkew    = 30 * time.Second // for iat and nbf, which a client's clock may put ahead of ours
	maxAssertionID   = 256
)

// assertionAlgorithms are what clients may sign with. RS256 is let in for clients
// that were given it, and named in no metadata.
var assertionAlgorithms = []jose.Algorithm{jose.ES256, jose.Ed25519, jose.RS256}

// assertionHeader: RFC 7523 names no typ, so clients in the field send JWT or none,
// and newer ones the type of its revision. Tokens of all other kinds are refused.
var assertionHeader = jose.HeaderPolicy{
	Type: "client-authentication+jwt", Also: []string{"jwt"}, Untyped: true,
	Algorithms: assertionAlgorithms, Key: jose.KeyByID,
}

// asserted authenticates a client by a JWT that it signed (private_key_jwt, RFC
// 7523 section 3). What is wrong with it is told to the log alone.
func (s *Server) asserted(r *http.Request, p proof) (directory.Client, error) {
	c, why, err := s.checkAssertion(r, p)
	if err != nil {
		return directory.Client{}, err
	}
	if why != nil {
		s.metrics.Count("client", "refused")
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "a client's assertion was refused", slog.String("client", c.ID), slog.Any("why", why),
			slog.String("request_id", lanyard.RequestID(r.Context())))
		return directory.Client{}, errInvalidClient
	}
	return c, nil
}

// checkAssertion returns why an assertion is refused, or err if that cannot be
// told.
func (s *Server) checkAssertion(r *http.Request, p proof) (c directory.Client, why, err error) {
	m, why := jose.Parse(p.assertion, maxAssertion, assertionHeader)
	if why != nil {
		return c, why, nil
	}
	// Whose keys to try is all that is taken from the text before its signature
	// is checked, and only if the form does not say.
	id := p.id
	if id == "" {
		if id, why = m.UnverifiedIssuer(); why != nil {
			return c, why, nil
		}
	}
	c, err = s.dir.Client(r.Context(), id)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return c, errors.New("there is no such client"), nil
	case err != nil:
		return c, nil, err
	case c.JWKS == "":
		return c, errors.New("the client has no keys"), nil
	}
	payload, why := verifyAssertion(&m, c)
	if why != nil {
		return c, why, nil
	}
	a, why := parseAssertion(payload)
	if why == nil {
		why = a.check(c.ID, s.m.Issuer(), s.now())
	}
	if why != nil {
		return c, why, nil
	}
	// Last, so that only a good assertion is used up.
	first, err := s.m.Once(r.Context(), a.onceKey(), a.expires)
	if err == nil && !first {
		why = errors.New("jti was used before")
	}
	return c, why, err
}

func verifyAssertion(m *jose.Message, c directory.Client) (string, error) {
	keys, err := jose.ParseSet(c.JWKS)
	if err != nil {
		return "", fmt.Errorf("reading the client's keys: %w", err)
	}
	for _, k := range keys {
		if k.KeyID() == m.Header.KeyID && (k.Algorithm() != jose.RS256 || c.AllowRS256) {
			return m.Verify(k)
		}
	}
	return "", errors.New("kid names none of the client's keys")
}

// assertion is the claims set of RFC 7523 section 3.
type assertion struct {
	issuer, subject, id string
	audience            string
	expires             time.Time
	begins              []time.Time // iat and nbf, if given
}

func parseAssertion(payload string) (a assertion, err error) {
	members, err := jose.ParseObject(nil, payload, jose.Limits{})
	if err != nil {
		return a, err
	}
	for _, m := range members {
		ok := true
		switch m.Name {
		case "iss":
			a.issuer, ok = m.Value.Str()
		case "sub":
			a.subject, ok = m.Value.Str()
		case "jti":
			a.id, ok = m.Value.Str()
		case "aud":
			a.audience, ok = oneAudience(m.Value)
		case "exp":
			a.expires, ok = m.Value.Date()
		case "iat", "nbf":
			var t time.Time
			t, ok = m.Value.Date()
			a.begins = append(a.begins, t)
		default:
			ok = !jose.Folds(m.Name, assertionClaims)
		}
		if !ok {
			return a, fmt.Errorf("the claim %.40q is malformed", m.Name)
		}
	}
	return a, nil
}

var assertionClaims = []string{"iss", "sub", "jti", "aud", "exp", "iat", "nbf"}

// oneAudience wants a single audience: an assertion that another server takes too
// could be passed on by that server.
func oneAudience(v jose.Value) (string, bool) {
	if s, ok := v.Str(); ok {
		return s, true
	}
	list, ok := v.Strings()
	if !ok || len(list) != 1 {
		return "", false
	}
	return list[0], true
}

func (a *assertion) check(client, issuer string, now time.Time) error {
	switch {
	case a.issuer != client:
		return errors.New("iss is not the client's id")
	case a.subject != client:
		return errors.New("sub is not the client's id")
	case a.audience != issuer && a.audience != issuer+tokenPath:
		return errors.New("aud is neither the issuer nor its token endpoint")
	case a.id == "" || len(a.id) > maxAssertionID:
		return fmt.Errorf("jti is missing or longer than %d bytes", maxAssertionID)
	case !now.Before(a.expires):
		return errors.New("exp is missing or has been reached")
	case a.expires.Sub(now) > maxAssertionLife+assertionSkew:
		return fmt.Errorf("exp is more than %v ahead", maxAssertionLife)
	}
	for _, t := range a.begins {
		if t.Sub(now) > assertionSkew {
			return errors.New("iat or nbf lies ahead")
		}
	}
	return nil
}

// onceKey names an assertion among all clients' ones, in the length of a key.
func (a *assertion) onceKey() string {
	sum := sha256.Sum256([]byte(a.issuer + "\x00" + a.id)) // an id of a client has no NUL
	return "assertion " + base64.RawURLEncoding.EncodeToString(sum[:])
}
