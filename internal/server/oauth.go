package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// oauthError is a refusal in the words of RFC 6749 section 5.2.
type oauthError struct {
	status      int
	code        string
	description string
	retryAfter  time.Duration
}

func (e *oauthError) Error() string { return e.code }

func oauthBad(code, description string) error {
	return &oauthError{status: http.StatusBadRequest, code: code, description: description}
}

// failOAuth answers in OAuth's own shape. Every cause for which a grant is no
// good looks the same outside.
func (s *Server) failOAuth(w http.ResponseWriter, r *http.Request, err error) {
	out := &oauthError{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", description: "This cannot be answered right now. Nothing was consumed; try again shortly.", retryAfter: time.Second}
	if o, ok := errors.AsType[*oauthError](err); ok {
		out = o
	} else if b, ok := errors.AsType[*badRequest](err); ok {
		out = &oauthError{status: b.status, code: "invalid_request", description: b.message}
	} else if refused, ok := errors.AsType[*lanyard.Refused](err); ok {
		s.noteStore(r, refused)
		status, code, message := refused.Public()
		switch refused.Cause {
		case lanyard.CauseProof, lanyard.CauseNonce:
			s.m.NonceFor(w.Header(), err)
			out = &oauthError{status: http.StatusBadRequest, code: code, description: message}
		case lanyard.CauseStore, lanyard.CauseThrottled, lanyard.CauseScopeGrown, lanyard.CauseAudience, lanyard.CauseInsecure:
			out = &oauthError{status, code, message, refused.RetryAfter}
		default:
			out = &oauthError{status: http.StatusBadRequest, code: "invalid_grant", description: "The token is not valid any more."}
		}
	} else {
		s.log.Error("a token request failed", "error", err, "request_id", lanyard.RequestID(r.Context()))
	}
	if out.retryAfter > 0 {
		setRetryAfter(w.Header(), out.retryAfter)
	}
	if out.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", basicChallenge)
	}
	writeJSON(w, out.status, api.OAuthError{Code: out.code, Description: out.description})
}

func (s *Server) oauthToken(w http.ResponseWriter, r *http.Request) {
	out, err := s.token(w, r)
	if err != nil {
		s.failOAuth(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) (*api.Login, error) {
	form, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	c, err := s.limitedClient(r, form)
	if err != nil {
		return nil, err
	}
	switch grant := form["grant_type"]; grant {
	case "refresh_token":
		return s.refreshGrant(w, r, c, form)
	case "client_credentials":
		return s.programGrant(w, r, c, form)
	case "":
		return nil, oauthBad("invalid_request", "The parameter grant_type is missing.")
	default:
		return nil, oauthBad("unsupported_grant_type", "Only refresh_token and client_credentials are served here; people sign in at /v1/login.")
	}
}

func (s *Server) refreshGrant(w http.ResponseWriter, r *http.Request, c directory.Client, form map[string]string) (*api.Login, error) {
	if !c.Allows(directory.GrantRefreshToken) {
		return nil, oauthBad("unauthorized_client", "This client may not refresh.")
	}
	text := form["refresh_token"]
	if text == "" {
		return nil, oauthBad("invalid_request", "The parameter refresh_token is missing.")
	}
	// The sid in the middle of the text is the same through a whole family; for
	// a limit it need not be checked.
	if len(text) >= 30 {
		if ok, wait := s.limits.allow("session", text[4:25], rateSession); !ok {
			return nil, &lanyard.Refused{Cause: lanyard.CauseThrottled, RetryAfter: wait}
		}
	}
	proof, err := s.prove(w, r)
	if err != nil {
		return nil, err
	}
	g, err := s.m.Renew(s.withSource(r), text, lanyard.Renewal{
		Client: c.ID, Resource: form["resource"], Scope: form["scope"], Request: r, Proof: proof, Authenticated: !c.Public,
	})
	if err != nil {
		return nil, err
	}
	return &api.Login{
		AccessToken: g.Access.Reveal(), TokenType: g.TokenType, ExpiresIn: int(g.ExpiresIn / time.Second),
		RefreshToken: g.Refresh.Reveal(), Scope: g.Scope,
	}, nil
}

func (s *Server) programGrant(w http.ResponseWriter, r *http.Request, c directory.Client, form map[string]string) (*api.Login, error) {
	if c.Public || !c.Allows(directory.GrantClientCredentials) {
		return nil, oauthBad("unauthorized_client", "This client has no calls of its own.")
	}
	var audience []string
	if resource := form["resource"]; resource != "" && resource != s.m.Issuer() {
		if !slices.Contains(c.Audiences, resource) {
			return nil, oauthBad("invalid_target", "The resource may not be asked for.")
		}
		audience = []string{resource}
	}
	scope := form["scope"]
	for _, word := range strings.Fields(scope) {
		if !slices.Contains(c.Scopes, word) {
			return nil, oauthBad("invalid_scope", "The scope was not granted.")
		}
	}
	proof, err := s.prove(w, r)
	if err != nil {
		return nil, err
	}
	g, err := s.m.BoundProgramToken(s.withSource(r), c.ID, audience, strings.Join(strings.Fields(scope), " "), proof)
	if err != nil {
		return nil, err
	}
	return &api.Login{AccessToken: g.Access.Reveal(), TokenType: g.TokenType, ExpiresIn: int(g.ExpiresIn / time.Second), Scope: g.Scope}, nil
}

func (s *Server) oauthRevoke(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	var c directory.Client
	if err == nil {
		c, err = s.limitedClient(r, form)
	}
	if err == nil && form["token"] == "" {
		err = oauthBad("invalid_request", "The parameter token is missing.")
	}
	if err == nil {
		err = s.m.RevokeToken(s.withSource(r), form["token"], c.ID)
	}
	if err != nil {
		s.failOAuth(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

func (s *Server) oauthIntrospect(w http.ResponseWriter, r *http.Request) {
	out, err := s.introspect(w, r)
	if err != nil {
		s.failOAuth(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// introspect answers RFC 7662. Whatever is wrong with a token, or with the
// caller's right to know it, the answer is the same inactive one.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) (*api.Introspection, error) {
	form, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	c, err := s.introspector(r, form)
	if err != nil {
		return nil, err
	}
	if ok, wait := s.limits.allow("client", c.ID, rateClient); !ok {
		return nil, &lanyard.Refused{Cause: lanyard.CauseThrottled, RetryAfter: wait}
	}
	text := form["token"]
	if text == "" {
		return nil, oauthBad("invalid_request", "The parameter token is missing.")
	}
	inactive := &api.Introspection{}
	v, claims, err := s.m.CheckAccess(r.Context(), text)
	if lanyard.CauseOf(err) == lanyard.CauseStore {
		return nil, err
	}
	if err == nil {
		if claims.ClientID != c.ID && !s.concerns(c, claims.Audience) {
			return inactive, nil
		}
		if v.Program() {
			// A client that was removed has no rights left, whatever its token says.
			_, err := s.dir.Client(r.Context(), claims.ClientID)
			if errors.Is(err, directory.ErrNotFound) {
				return inactive, nil
			}
			if err != nil {
				return nil, err
			}
		}
		out := &api.Introspection{
			Active: true, Scope: claims.Scope, ClientID: claims.ClientID, TokenType: "Bearer",
			Exp: claims.Expiry.Unix(), Iat: claims.IssuedAt.Unix(), Sub: claims.Subject, Aud: claims.Audience, Iss: claims.Issuer,
			JTI: claims.ID, SID: claims.SID, ACR: claims.ACR, AMR: claims.AMR,
		}
		if claims.JKT != "" {
			out.TokenType, out.Cnf = "DPoP", &api.Confirmation{JKT: claims.JKT}
		}
		if v.SignedIn() {
			out.Username, out.AuthTime = v.Subject(), claims.AuthTime.Unix()
		}
		return out, nil
	}
	return s.introspectRefresh(r.Context(), c, text)
}

// introspectRefresh tells a client about its own refresh tokens only: services
// never learn about them.
func (s *Server) introspectRefresh(ctx context.Context, c directory.Client, text string) (*api.Introspection, error) {
	v, err := s.m.FindRefresh(ctx, text)
	if lanyard.CauseOf(err) == lanyard.CauseStore {
		return nil, err
	}
	if err != nil || v.Client() != c.ID {
		return &api.Introspection{}, nil
	}
	return &api.Introspection{
		Active: true, ClientID: v.Client(), TokenType: "refresh_token", Sub: v.Subject(), Username: v.Subject(), Iss: s.m.Issuer(),
		SID: v.SID().String(), Exp: v.ExpiresAt().Unix(), ACR: v.Class(), AMR: v.Methods(), AuthTime: v.AuthTime().Unix(),
	}, nil
}

// introspector authenticates the caller: as at the token endpoint, or with a token
// of its own.
func (s *Server) introspector(r *http.Request, form map[string]string) (directory.Client, error) {
	auth := r.Header["Authorization"]
	if len(auth) == 1 && len(auth[0]) > 7 && strings.EqualFold(auth[0][:7], "Bearer ") {
		for _, also := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
			if _, ok := form[also]; ok {
				return directory.Client{}, oauthBad("invalid_request", "The client authenticates in one way only.")
			}
		}
		c, err := s.program(r.Context(), auth[0][7:])
		if err != nil {
			return directory.Client{}, err
		}
		if !c.MayIntrospect {
			return directory.Client{}, errInvalidClient
		}
		return c, nil
	}
	c, err := s.client(r, form)
	if err != nil {
		return directory.Client{}, err
	}
	if c.Public || !c.MayIntrospect {
		return directory.Client{}, errInvalidClient
	}
	return c, nil
}

// program finds the client behind an access token of its own, which came as a
// bearer token: one bound to a key is none.
func (s *Server) program(ctx context.Context, text string) (directory.Client, error) {
	v, claims, err := s.m.CheckAccess(ctx, text)
	if lanyard.CauseOf(err) == lanyard.CauseStore {
		return directory.Client{}, err
	}
	if err != nil || claims.JKT != "" || !v.Program() || !slices.Contains(claims.Audience, s.m.Issuer()) {
		return directory.Client{}, errInvalidClient
	}
	// A client that was removed has no rights left, whatever its token says.
	c, err := s.dir.Client(ctx, claims.ClientID)
	if errors.Is(err, directory.ErrNotFound) {
		return directory.Client{}, errInvalidClient
	}
	return c, err
}

// concerns reports whether a client may know tokens for these audiences: its
// own, or the issuer's if it has none of its own.
func (s *Server) concerns(c directory.Client, audience []string) bool {
	if len(c.Audiences) == 0 {
		return slices.Contains(audience, s.m.Issuer())
	}
	return slices.ContainsFunc(c.Audiences, func(a string) bool { return slices.Contains(audience, a) })
}
