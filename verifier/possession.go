package verifier

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/lanyard-go/lanyard/dpop"
	"github.com/lanyard-go/lanyard/token"
)

// presented is what a request shows: a token, and what goes with one that is
// bound to a key.
type presented struct {
	raw    string
	bound  bool     // under the scheme DPoP
	proofs []string // the values of the DPoP header
	method string
	url    string
}

// credential finds the token of a request of which only the header is known; not
// ok if there is none.
func credential(h http.Header) (p presented, ok bool, err error) {
	fields := h["Authorization"]
	switch len(fields) {
	case 0:
		return p, false, nil
	case 1:
	default:
		return p, false, &Refused{Cause: CauseAmbiguous}
	}
	scheme, raw := cutScheme(fields[0])
	switch scheme {
	case schemeBearer:
		if len(h["Dpop"]) > 0 {
			return p, false, &Refused{Cause: CauseAmbiguous}
		}
		return presented{raw: raw}, true, nil
	case schemeDPoP:
		return p, false, &Refused{Cause: CauseBound}
	}
	return p, false, nil
}

// presentedBy finds the token of a request and its proof.
func (v *Verifier) presentedBy(r *http.Request) (p presented, ok bool, err error) {
	fields := r.Header["Authorization"]
	if v.cfg.Proofs == nil || len(fields) != 1 {
		return credential(r.Header)
	}
	scheme, raw := cutScheme(fields[0])
	if scheme != schemeDPoP {
		return credential(r.Header)
	}
	path := r.RequestURI // as it came, whatever a router has cut off
	if !strings.HasPrefix(path, "/") {
		path = r.URL.EscapedPath()
	}
	return presented{raw: raw, bound: true, proofs: r.Header["Dpop"], method: r.Method, url: v.cfg.URL + path}, true, nil
}

// prove holds a token and the way it came together (RFC 9449 section 7.1).
func (v *Verifier) prove(ctx context.Context, p presented, c *token.Claims) error {
	switch {
	case c.JKT == "" && !p.bound:
		return nil
	case c.JKT == "":
		return &Refused{Cause: CauseBadToken, Err: errUnbound}
	case !p.bound:
		// Accepting it without its proof would make a bearer token of it.
		return &Refused{Cause: CauseBound}
	}
	_, err := v.cfg.Proofs.Check(ctx, p.proofs, dpop.Request{Method: p.method, URL: p.url, Token: p.raw, Thumbprint: c.JKT})
	if err == nil {
		return nil
	}
	why, ok := errors.AsType[*dpop.Refused](err)
	switch {
	case !ok:
		return &Refused{Cause: CauseProofs, RetryAfter: retryAfter, Err: err}
	case why.Why == dpop.NeedsNonce:
		return &Refused{Cause: CauseNonce, Err: err}
	}
	return &Refused{Cause: CauseProof, Err: err}
}

// errUnbound is what lies beneath a refused token that is not bound to a key.
var errUnbound = errors.New("the token is not bound to a key and came under the scheme DPoP")
