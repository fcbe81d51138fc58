package server

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyard-go/lanyard/internal/jose"
)

const (
	tokenPath    = "/oauth2/token"
	jwksPath     = "/.well-known/jwks.json"
	resourcePath = "/.well-known/oauth-protected-resource"
)

// oauthMetadata describes the server as one that issues tokens (RFC 8414).
func (s *Server) oauthMetadata(w http.ResponseWriter, r *http.Request) {
	issuer := s.m.Issuer()
	auth := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	if s.cfg.RequireClientKeys {
		auth = auth[2:]
	}
	public := append(auth[:len(auth):len(auth)], "none")
	algorithms := []jose.Algorithm{jose.ES256, jose.Ed25519, jose.EdDSA}
	out := map[string]any{
		"issuer": issuer, "token_endpoint": issuer + tokenPath, "revocation_endpoint": issuer + "/oauth2/revoke",
		"introspection_endpoint": issuer + "/oauth2/introspect", "jwks_uri": issuer + jwksPath,
		"grant_types_supported":                                    []string{"refresh_token", "client_credentials"},
		"response_types_supported":                                 []string{}, // required, though there is no authorization endpoint
		"token_endpoint_auth_methods_supported":                    public,
		"token_endpoint_auth_signing_alg_values_supported":         algorithms,
		"revocation_endpoint_auth_methods_supported":               public,
		"revocation_endpoint_auth_signing_alg_values_supported":    algorithms,
		"introspection_endpoint_auth_methods_supported":            auth,
		"introspection_endpoint_auth_signing_alg_values_supported": algorithms,
		"protected_resources":                                      []string{issuer},
	}
	if algorithms := s.m.ProofAlgorithms(); len(algorithms) > 0 {
		out["dpop_signing_alg_values_supported"] = algorithms
	}
	s.describe(w, out)
}

// resourceMetadata describes the server as one that takes tokens (RFC 9728).
func (s *Server) resourceMetadata(w http.ResponseWriter, r *http.Request) {
	issuer := s.m.Issuer()
	out := map[string]any{
		"resource": issuer, "authorization_servers": []string{issuer}, "bearer_methods_supported": []string{"header"},
		"resource_name": s.cfg.ServiceName,
	}
	if algorithms := s.m.ProofAlgorithms(); len(algorithms) > 0 {
		out["dpop_signing_alg_values_supported"] = algorithms
	}
	s.describe(w, out)
}

func (s *Server) describe(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	encode(w, v)
}

// jwks publishes the keys that verify access tokens (RFC 7517 section 5). The
// entity tag spares whoever asks again the same answer (RFC 9110 section 13.1.2).
func (s *Server) jwks(w http.ResponseWriter, r *http.Request) {
	set := s.keys.JWKS(s.now())
	sum := sha256.Sum256(set)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(keysMaxAge.Seconds())))
	h.Set("ETag", tag)
	if noneMatch(r, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/jwk-set+json; charset=utf-8")
	w.Write(set)
}

// noneMatch reports whether If-None-Match has the tag, in the weak comparison that
// the header asks for.
func noneMatch(r *http.Request, tag string) bool {
	for _, field := range r.Header["If-None-Match"] {
		for one := range strings.SplitSeq(field, ",") {
			if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
				return true
			}
		}
	}
	return false
}
