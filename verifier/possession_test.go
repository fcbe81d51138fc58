package verifier_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/dpop"
	"github.com/lanyard-go/lanyard/verifier"
)

const ordersURL = "https://orders.example"

// bound is a service that takes proofs, and a client whose token is bound.
type bound struct {
	*dpop.Prover
	t      *testing.T
	v      *verifier.Verifier
	access string
	other  string // an unbound token
	home   *home
	grant  *lanyard.Grant
}

func newBound(t *testing.T, proofs dpop.Config, change ...func(*verifier.Config)) *bound {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &bound{t: t, home: newHome(t)}
	if b.Prover, err = dpop.NewProver(key, nil); err != nil {
		t.Fatal(err)
	}
	if proofs.Memory == nil {
		if proofs.Memory, err = dpop.NewLocalMemory(1024); err != nil {
			t.Fatal(err)
		}
	}
	cfg := b.home.config()
	if cfg.Proofs, err = dpop.New(proofs); err != nil {
		t.Fatal(err)
	}
	cfg.URL = ordersURL
	for _, f := range change {
		f(&cfg)
	}
	b.v = b.home.run(cfg)
	login := lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Channel: lanyard.ChannelToken}
	plain, err := b.home.m.Start(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	login.Proof = &dpop.Proof{Thumbprint: b.Thumbprint()}
	if b.grant, err = b.home.m.Start(t.Context(), login); err != nil {
		t.Fatal(err)
	}
	b.access, b.other = b.grant.Access.Reveal(), plain.Access.Reveal()
	return b
}

func (b *bound) request(method, path, token, nonce string) *http.Request {
	b.t.Helper()
	text, err := b.Proof(method, ordersURL+path, token, nonce)
	if err != nil {
		b.t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", text)
	return r
}

func (b *bound) send(r *http.Request, need verifier.Need) *httptest.ResponseRecorder {
	b.t.Helper()
	a := httptest.NewRecorder()
	b.v.Handler(b.v.Require(need, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(verifier.From(r.Context()).Subject()))
	}))).ServeHTTP(a, r)
	return a
}

// req: DPOP-8, DPOP-12, DPOP-13, DPOP-14, DPOP-16, DPOP-17, DPOP-22
func TestServiceTakesBoundTokensWithTheirProof(t *testing.T) {
	b := newBound(t, dpop.Config{})
	const algs = `algs="ES256 Ed25519"`
	used := b.request("GET", "/orders?q=1", b.access, "")
	if a := b.send(used, verifier.Need{Bound: true}); a.Code != 200 || a.Body.String() != "ann" {
		t.Fatalf("answered %d %s", a.Code, a.Body)
	}
	bearer := httptest.NewRequest("GET", "/orders", nil)
	bearer.Header.Set("Authorization", "Bearer "+b.access)
	alone := b.request("GET", "/orders", b.access, "")
	alone.Header.Del("Authorization")
	bare := b.request("GET", "/orders", b.access, "")
	bare.Header.Del("DPoP")
	again := httptest.NewRequest("GET", "/orders?q=1", nil)
	again.Header = used.Header.Clone()
	method := b.request("POST", "/orders", b.access, "")
	method.Method = "PUT"
	plain := httptest.NewRequest("GET", "/orders", nil)
	plain.Header.Set("Authorization", "Bearer "+b.other)
	for name, tt := range map[string]struct {
		r          *http.Request
		need       verifier.Need
		challenges []string
	}{
		"a bound token as bearer":                  {bearer, verifier.Need{}, []string{`Bearer error="invalid_token"`, "DPoP " + algs}},
		"an unbound token with a proof":            {b.request("GET", "/orders", b.other, ""), verifier.Need{}, []string{`DPoP error="invalid_token", ` + algs, "Bearer"}},
		"a proof alone":                            {alone, verifier.Need{}, []string{"Bearer", "DPoP " + algs}},
		"no proof":                                 {bare, verifier.Need{}, []string{`DPoP error="invalid_dpop_proof", ` + algs, "Bearer"}},
		"a proof used before":                      {again, verifier.Need{}, []string{`DPoP error="invalid_dpop_proof", ` + algs, "Bearer"}},
		"a proof for another method":               {method, verifier.Need{}, []string{`DPoP error="invalid_dpop_proof", ` + algs, "Bearer"}},
		"a scope missing":                          {b.request("GET", "/orders", b.access, ""), verifier.Need{Scope: "admin"}, []string{`DPoP error="insufficient_scope", scope="admin", ` + algs, "Bearer"}},
		"an unbound token where one must be bound": {plain, verifier.Need{Bound: true}, []string{`Bearer error="invalid_token"`, "DPoP " + algs}},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.send(tt.r, tt.need)
			if got := a.Header().Values("WWW-Authenticate"); a.Code == 200 || !slices.Equal(got, tt.challenges) {
				t.Errorf("answered %d\ngot  %q\nwant %q", a.Code, got, tt.challenges)
			}
		})
	}
	if a := b.send(plain, verifier.Need{}); a.Code != 200 {
		t.Errorf("bearer tokens beside them: %d", a.Code)
	}
	if _, err := b.v.Verify(t.Context(), b.access); err == nil {
		t.Error("Verify, which knows no request, took a bound token")
	}
	if _, err := b.v.Check(t.Context(), b.request("GET", "/orders", b.access, "").Header); err == nil {
		t.Error("Check, which knows no request, took a bound token")
	}
	// Its session's end is heard like any other.
	if err := b.home.m.End(t.Context(), b.grant.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ann"}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); b.send(b.request("GET", "/orders", b.access, ""), verifier.Need{}).Code != 401; {
		if time.Now().After(deadline) {
			t.Fatal("the bound token outlives its session")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// req: DPOP-10
func TestServiceDemandsItsOwnNonce(t *testing.T) {
	n, err := dpop.NewNonces("orders", 0, []byte(strings.Repeat("k", dpop.MinKey)))
	if err != nil {
		t.Fatal(err)
	}
	b := newBound(t, dpop.Config{Nonces: n})
	a := b.send(b.request("GET", "/orders", b.access, ""), verifier.Need{})
	nonce := a.Header().Values("DPoP-Nonce")
	if a.Code != 401 || len(nonce) != 1 || a.Header().Get("Cache-Control") != "no-store" ||
		a.Header().Get("WWW-Authenticate") != `DPoP error="use_dpop_nonce", algs="ES256 Ed25519"` {
		t.Fatalf("%d %v", a.Code, a.Header())
	}
	if a := b.send(b.request("GET", "/orders", b.access, nonce[0]), verifier.Need{}); a.Code != 200 {
		t.Errorf("with the nonce: %d %s", a.Code, a.Body)
	}
}

// failing is a memory that cannot be asked.
type failing struct{}

func (failing) Once(context.Context, string, time.Time, time.Time) (bool, error) {
	return false, errors.New("connection refused")
}

// req: DPOP-15
func TestServiceWithoutItsMemoryAnswers503(t *testing.T) {
	b := newBound(t, dpop.Config{Memory: failing{}})
	if a := b.send(b.request("GET", "/orders", b.access, ""), verifier.Need{}); a.Code != 503 || a.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d", a.Code)
	}
}

// A proof is looked at once, also where the feed is out of reach and a route takes
// its caller all the same.
func TestBoundCallerPassesWhereTheFeedIsNotNeeded(t *testing.T) {
	b := newBound(t, dpop.Config{}, func(c *verifier.Config) { c.AllowLocal = true })
	b.home.cutOff()
	blind := func() bool { return b.send(b.request("GET", "/", b.access, ""), verifier.Need{}).Code == 503 }
	for deadline := time.Now().Add(20 * time.Second); !blind(); {
		if time.Now().After(deadline) {
			t.Fatal("not blind without its feed")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if a := b.send(b.request("GET", "/", b.access, ""), verifier.Need{Freshness: verifier.Local, Bound: true}); a.Code != 200 {
		t.Errorf("a Local route answers %d %s", a.Code, a.Body)
	}
}

func TestServiceWithProofsNeedsItsAddress(t *testing.T) {
	memory, err := dpop.NewLocalMemory(1024)
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := dpop.New(dpop.Config{Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ url, resource, field string }{
		{"", "", "Config.URL"}, {"orders.example", "", "Config.URL"}, {"https://orders.example/", "", "Config.URL"}, {"", "https://orders.example/api", ""},
	} {
		_, err := verifier.New(verifier.Config{Issuer: "https://app.example", Audience: "orders", SkipRevocationCheck: true, Proofs: proofs, URL: tt.url, Resource: tt.resource})
		if (err == nil) != (tt.field == "") || err != nil && !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
