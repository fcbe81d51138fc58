package server

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
)

var errInvalidClient = &oauthError{status: http.StatusUnauthorized, code: "invalid_client", description: "The client is not known, or did not authenticate as it must."}

// basicChallenge asks for a client's id and secret (RFC 7617 section 2).
const basicChallenge = `Basic realm="lanyard"`

// proof is how a client says who it is: with a secret, with an assertion, or with
// nothing but its name.
type proof struct {
	id        string // may be empty with an assertion
	secret    string
	assertion string
	kind      proofKind
}

type proofKind uint8

const (
	named proofKind = iota
	bySecret
	byAssertion
)

// client finds who calls. Confidential clients authenticate in one of the ways of
// the metadata, never in two; public ones name themselves in the form, and
// without a name it is the built-in client.
func (s *Server) client(r *http.Request, form map[string]string) (directory.Client, error) {
	p, err := readProof(r, form)
	if err != nil {
		return directory.Client{}, err
	}
	switch p.kind {
	case byAssertion:
		return s.asserted(r, p)
	case bySecret:
		c, err := s.dir.AuthenticateClient(r.Context(), p.id, directory.Secret(p.secret))
		if errors.Is(err, directory.ErrInvalidClient) || err == nil && s.cfg.RequireClientKeys {
			s.metrics.Count("client", "refused")
			return directory.Client{}, errInvalidClient
		}
		return c, err
	}
	if p.id == "" {
		p.id = directory.BuiltInClient
	}
	c, err := s.dir.Client(r.Context(), p.id)
	if errors.Is(err, directory.ErrNotFound) || err == nil && !c.Public {
		return directory.Client{}, errInvalidClient
	}
	return c, err
}

// limitedClient is client with its limits: a program that has authenticated has a
// pace of its own, everybody else that of their address.
func (s *Server) limitedClient(r *http.Request, form map[string]string) (directory.Client, error) {
	c, err := s.client(r, form)
	if err != nil || c.Public {
		if over := s.limitSource(r); over != nil {
			return directory.Client{}, over
		}
		return c, err
	}
	if ok, wait := s.limits.allow("client", c.ID, rateClient); !ok {
		return directory.Client{}, &lanyard.Refused{Cause: lanyard.CauseThrottled, RetryAfter: wait}
	}
	return c, nil
}

func readProof(r *http.Request, form map[string]string) (proof, error) {
	id, hasID := form["client_id"]
	secret, hasSecret := form["client_secret"]
	assertion, asserts := form["client_assertion"]
	kind, typed := form["client_assertion_type"]
	auth := r.Header["Authorization"]
	twice := oauthBad("invalid_request", "The client authenticates in one way only.")
	switch {
	case len(auth) > 1:
		return proof{}, oauthBad("invalid_request", "More than one Authorization header.")
	case len(auth) == 1 && (hasSecret || asserts || typed), hasSecret && (asserts || typed):
		return proof{}, twice
	case len(auth) == 1:
		p, ok := basic(auth[0])
		if !ok {
			return proof{}, errInvalidClient
		}
		if hasID && id != p.id {
			return proof{}, twice
		}
		return p, nil
	case asserts != typed:
		return proof{}, oauthBad("invalid_request", "The parameters client_assertion and client_assertion_type go together.")
	case asserts && kind != assertionType:
		return proof{}, oauthBad("invalid_request", "The client_assertion_type must be "+assertionType+".")
	case asserts:
		return proof{id: id, assertion: assertion, kind: byAssertion}, nil
	case hasSecret:
		return proof{id: id, secret: secret, kind: bySecret}, nil
	}
	return proof{id: id}, nil
}

// basic reads RFC 7617 credentials, form-encoded as RFC 6749 section 2.3.1 wants.
func basic(header string) (p proof, ok bool) {
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return proof{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return proof{}, false
	}
	id, secret, ok := strings.Cut(string(raw), ":")
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	return proof{id: id, secret: secret, kind: bySecret}, ok && err1 == nil && err2 == nil
}
