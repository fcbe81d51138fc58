package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/dpop"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// holder is a client with a key.
type holder struct {
	*dpop.Prover
	x *site
}

func (x *site) holder() *holder {
	x.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		x.t.Fatal(err)
	}
	p, err := dpop.NewProver(key, x.clock.Now)
	if err != nil {
		x.t.Fatal(err)
	}
	return &holder{p, x}
}

// proof is a DPoP header for one request.
func (h *holder) proof(method, path, access, nonce string) option {
	h.x.t.Helper()
	text, err := h.Proof(method, h.x.url+path, access, nonce)
	if err != nil {
		h.x.t.Fatal(err)
	}
	return header("DPoP", text)
}

// badge presents a bound token with its proof.
func (h *holder) badge(method, path, access string) option {
	proof := h.proof(method, path, access, "")
	return func(r *http.Request) {
		r.Header.Set("Authorization", "DPoP "+access)
		proof(r)
	}
}

func (h *holder) login() *badge {
	h.x.t.Helper()
	a := h.x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword, "channel": "token"}, h.proof("POST", "/v1/login", "", ""))
	if a.field("token_type") != "DPoP" || a.field("session", "binding") != "dpop" {
		h.x.t.Fatalf("not bound: %s", a.body)
	}
	return h.x.badgeOf(a)
}

// req: DPOP-16, DPOP-18, DPOP-19
func TestPairIsBoundFromLoginToRefresh(t *testing.T) {
	x := newSite(t)
	owner, thief := x.holder(), x.holder()
	b := owner.login()
	x.call("GET", "/v1/session", nil, owner.badge("GET", "/v1/session", b.access)).want(200)
	x.call("GET", "/v1/session?passive=1", nil, owner.badge("GET", "/v1/session", b.access)).want(200)

	// The copy of both tokens is dead at once.
	x.call("GET", "/v1/session", nil, header("Authorization", "Bearer "+b.access)).want(401, "invalid_token")
	x.call("GET", "/v1/session", nil, thief.badge("GET", "/v1/session", b.access)).want(401, "invalid_dpop_proof")
	x.refresh(b.refresh).want(400, "invalid_dpop_proof")
	x.refresh(b.refresh, thief.proof("POST", "/oauth2/token", "", "")).want(400, "invalid_grant")
	x.refresh(b.refresh, header("DPoP", "rubbish")).want(400, "invalid_dpop_proof")

	a := x.refresh(b.refresh, owner.proof("POST", "/oauth2/token", "", "")).want(200)
	if a.field("token_type") != "DPoP" {
		t.Errorf("got %s", a.body)
	}
	x.call("GET", "/v1/session", nil, owner.badge("GET", "/v1/session", a.field("access_token"))).want(200)
	events := x.events(b.sid)
	if !slices.Contains(events, "proof_failed:wrong_key") {
		t.Errorf("the thief left no trace: %v", events)
	}
	// A wrong password with a good proof, and a good password with a bad one.
	x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword, "channel": "token"}, owner.proof("POST", "/v1/other", "", "")).want(400, "invalid_dpop_proof")
	x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword, "channel": "cookie"}, owner.proof("POST", "/v1/login", "", "")).want(400, "invalid_request")
	x.call("POST", "/v1/logout", nil, owner.badge("POST", "/v1/logout", a.field("access_token"))).want(204)
	x.call("GET", "/v1/session", nil, owner.badge("GET", "/v1/session", a.field("access_token"))).want(401)
}

// req: DPOP-10, DPOP-23
func TestNonceDance(t *testing.T) {
	x := newSite(t, func(c *Config) { c.DPoPNonce = true })
	h := x.holder()
	in := map[string]string{"username": "ada", "password": goodPassword, "channel": "token"}
	a := x.call("POST", "/v1/login", in, h.proof("POST", "/v1/login", "", "")).want(400, "use_dpop_nonce")
	nonces := a.header.Values("DPoP-Nonce")
	if len(nonces) != 1 || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %v", a.header)
	}
	a = x.call("POST", "/v1/login", in, h.proof("POST", "/v1/login", "", nonces[0])).want(200)
	if again := a.header.Values("DPoP-Nonce"); len(again) != 0 {
		t.Errorf("a fresh nonce was replaced: %q", again)
	}
	refresh := a.field("refresh_token")
	a = x.refresh(refresh, h.proof("POST", "/oauth2/token", "", "")).want(400, "use_dpop_nonce")
	if len(a.header.Values("DPoP-Nonce")) != 1 || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %v", a.header)
	}
	x.clock.advance(90_000_000_000)
	a = x.refresh(refresh, h.proof("POST", "/oauth2/token", "", nonces[0])).want(200)
	if len(a.header.Values("DPoP-Nonce")) != 1 {
		t.Error("no new nonce before the old one is too old")
	}
}

// req: DPOP-20, DPOP-21, DPOP-25
func TestClientsThatMustProve(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "bank", Grants: []string{directory.GrantClientCredentials}, DPoPBound: true, MayIntrospect: true})
	form := url.Values{"grant_type": {"client_credentials"}}
	basic := func(r *http.Request) { r.SetBasicAuth("bank", secret) }
	x.call("POST", "/oauth2/token", form, basic).want(400, "invalid_dpop_proof")
	h := x.holder()
	a := x.call("POST", "/oauth2/token", form, basic, h.proof("POST", "/oauth2/token", "", "")).want(200)
	if a.field("token_type") != "DPoP" {
		t.Fatalf("got %s", a.body)
	}
	own := a.field("access_token")
	// As a bearer token it authenticates nobody.
	x.call("POST", "/oauth2/introspect", url.Values{"token": {own}}, header("Authorization", "Bearer "+own)).want(401, "invalid_client")
	// Introspection names the key and never asks for a proof.
	a = x.call("POST", "/oauth2/introspect", url.Values{"token": {own}}, basic).want(200)
	if a.field("active") != "true" || a.field("token_type") != "DPoP" || a.field("cnf", "jkt") != h.Thumbprint() {
		t.Errorf("got %s", a.body)
	}
	listed := x.call("GET", "/v1/admin/clients", nil, x.as(x.signedIn("root", "token"))).want(200)
	if !strings.Contains(listed.body, `"dpop_bound_access_tokens":true`) {
		t.Errorf("got %s", listed.body)
	}
}

func TestDrawnAndRedeemedTokensAreBoundToTheProof(t *testing.T) {
	x := newSite(t)
	h := x.holder()
	b := x.signedIn("ada", "cookie")
	a := x.call("POST", "/v1/session/token", map[string]string{}, x.as(b), h.proof("POST", "/v1/session/token", "", "")).want(200)
	access := a.field("access_token")
	if a.field("token_type") != "DPoP" {
		t.Errorf("got %s", a.body)
	}
	x.call("GET", "/v1/session", nil, h.badge("GET", "/v1/session", access)).want(200)
	x.call("GET", "/v1/session", nil, header("Authorization", "Bearer "+access)).want(401)
	code := x.call("POST", "/v1/session/handoff", map[string]any{"channel": "token"}, x.as(b)).want(200).field("code")
	a = x.call("POST", "/v1/session/redeem", map[string]string{"code": code}, h.proof("POST", "/v1/session/redeem", "", "")).want(200)
	if a.field("token_type") != "DPoP" || a.field("session", "binding") != "dpop" {
		t.Errorf("got %s", a.body)
	}
}

// req: DPOP-5, DPOP-27
func TestMetadataAdvertisesWhatIsEnforced(t *testing.T) {
	for binding, want := range map[string]string{"": "[ES256 Ed25519]", "off": ""} {
		x := newSite(t, func(c *Config) { c.Binding = binding })
		for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"} {
			if got := x.call("GET", path, nil).want(200).field("dpop_signing_alg_values_supported"); got != want {
				t.Errorf("binding %q: %s says %q", binding, path, got)
			}
		}
	}
}

// req: DPOP-9
func TestForwardAuthChecksProofsOfTheOriginalRequest(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	h := x.holder()
	b := h.login()
	proxied := func(htu string) *answer {
		text, err := h.Proof("PUT", htu, b.access, "")
		if err != nil {
			t.Fatal(err)
		}
		return x.call("GET", "/verify", nil, header("Authorization", "DPoP "+b.access), header("DPoP", text),
			header("X-Forwarded-Proto", "https"), header("X-Forwarded-Host", "shop.example"), header("X-Forwarded-Method", "PUT"), header("X-Forwarded-Uri", "/cart?x=1"))
	}
	if a := proxied("https://shop.example/cart").want(200); a.header.Get("X-Lanyard-Sid") != b.sid {
		t.Errorf("got %v", a.header)
	}
	proxied("https://other.example/cart").want(401, "invalid_dpop_proof")
	proxied(x.url+"/verify").want(401, "invalid_dpop_proof")
}

// req: DPOP-24
func TestPagesOfOtherOriginsMayReadTheNonce(t *testing.T) {
	const page = "https://spa.example"
	x := newSite(t, func(c *Config) { c.CORSOrigin, c.DPoPNonce = []string{page}, true })
	in := map[string]string{"username": "ada", "password": goodPassword, "channel": "token"}
	a := x.call("POST", "/v1/login", in, header("Origin", page), x.holder().proof("POST", "/v1/login", "", ""))
	exposed := strings.Split(a.header.Get("Access-Control-Expose-Headers"), ", ")
	if !slices.Contains(exposed, "DPoP-Nonce") || !slices.Contains(exposed, "WWW-Authenticate") {
		t.Errorf("%d exposes %q", a.status, exposed)
	}
}
