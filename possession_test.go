package lanyard_test

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
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/dpop"
	"github.com/lanyard-go/lanyard/store/memory"
)

// holder is a client with a key of its own.
type holder struct {
	*dpop.Prover
	w *world
}

func (w *world) holder() *holder {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := dpop.NewProver(key, w.clock.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	return &holder{p, w}
}

// proof is a DPoP header for a request to the own site.
func (h *holder) proof(method, path, token, nonce string) string {
	h.w.t.Helper()
	text, err := h.Proof(method, site+path, token, nonce)
	if err != nil {
		h.w.t.Fatal(err)
	}
	return text
}

// prove goes to the token endpoint and returns what [lanyard.Manager.Prove] makes
// of it.
func (h *holder) prove() *dpop.Proof {
	h.w.t.Helper()
	r := post("/token")
	r.Header.Set("DPoP", h.proof("POST", "/token", "", ""))
	p, err := h.w.Prove(r)
	if err != nil || p == nil {
		h.w.t.Fatalf("%v %v", p, err)
	}
	return p
}

// start signs ann in with tokens bound to the holder's key.
func (h *holder) start() *lanyard.Grant {
	h.w.t.Helper()
	return h.w.start(lanyard.Login{Channel: lanyard.ChannelToken, Proof: h.prove()})
}

func (h *holder) renew(refresh string) (*lanyard.Grant, error) {
	h.w.t.Helper()
	return h.w.Renew(h.w.t.Context(), refresh, lanyard.Renewal{UserAgent: phone, IP: homeIP, Proof: h.prove()})
}

// with makes a request as RFC 9449 section 7.1 wants it.
func (h *holder) with(r *http.Request, access string) *http.Request {
	h.w.t.Helper()
	r.Header.Set("Authorization", "DPoP "+access)
	r.Header.Set("DPoP", h.proof(r.Method, r.URL.EscapedPath(), access, ""))
	return r
}

// req: DPOP-18, DPOP-19
func TestSessionBoundAtLoginNeedsItsKey(t *testing.T) {
	w := newWorld(t)
	owner, thief := w.holder(), w.holder()
	g := owner.start()
	if g.TokenType != "DPoP" || g.Session.Binding() != lanyard.BindingDPoP {
		t.Fatalf("a %s token, bound by %s", g.TokenType, g.Session.Binding())
	}
	access := g.Access.Reveal()
	if s := w.send(owner.with(get("/orders"), access)); !s.ran || !s.session.SignedIn() || !s.session.Bound() {
		t.Fatalf("the owner is answered %d", s.answer.Code)
	}
	for name, r := range map[string]*http.Request{
		"as a bearer token":             bearer(get("/"), access),
		"with another key":              thief.with(get("/"), access),
		"with a proof for another path": func() *http.Request { r := owner.with(get("/a"), access); r.URL.Path = "/b"; return r }(),
		"with a proof for another token": func() *http.Request {
			r := owner.with(get("/"), "other")
			r.Header.Set("Authorization", "DPoP "+access)
			return r
		}(),
		"without a proof": func() *http.Request { r := owner.with(get("/"), access); r.Header.Del("DPoP"); return r }(),
	} {
		if s := w.send(r); s.ran || s.answer.Code != 401 {
			t.Errorf("%s: answered %d", name, s.answer.Code)
		}
	}

	refresh := g.Refresh.Reveal()
	_, err := w.renew(refresh)
	wantCause(t, err, lanyard.CauseProof)
	_, err = thief.renew(refresh)
	wantCause(t, err, lanyard.CauseKey)
	// Neither consumed anything, nor ended the session.
	next, err := owner.renew(refresh)
	if err != nil {
		t.Fatal(err)
	}
	if next.TokenType != "DPoP" || !w.send(owner.with(get("/"), next.Access.Reveal())).ran {
		t.Error("the owner's next token does not work")
	}
	// Not even a used refresh token, whose copy would end a session that is not bound.
	_, err = thief.renew(refresh)
	wantCause(t, err, lanyard.CauseKey)
	if !w.record(g.Session.SID()).Live(lanyard.TimeOf(w.clock.Now())) {
		t.Error("a thief without the key ended the session")
	}
	if got := names(w.events.take()); !slices.Contains(got, "proof_failed:wrong_key") || !slices.Contains(got, "proof_failed:dpop_proof") {
		t.Errorf("events %v", got)
	}
}

// req: DPOP-16
func TestTokenAndSchemeBelongTogether(t *testing.T) {
	w := newWorld(t)
	h := w.holder()
	unbound := w.startToken().Access.Reveal()
	s := w.send(h.with(get("/"), unbound))
	if s.ran || s.answer.Code != 401 {
		t.Fatalf("an unbound token under DPoP is answered %d", s.answer.Code)
	}
	if got := s.answer.Header().Values("WWW-Authenticate"); len(got) != 2 || got[0] != `DPoP error="invalid_token", algs="ES256 Ed25519"` || got[1] != "Bearer" {
		t.Errorf("challenges %q", got)
	}
	bound := h.start().Access.Reveal()
	s = w.send(bearer(get("/"), bound))
	if got := s.answer.Header().Values("WWW-Authenticate"); len(got) != 2 || got[0] != `Bearer error="invalid_token"` || got[1] != `DPoP algs="ES256 Ed25519"` {
		t.Errorf("challenges %q", got)
	}
}

// req: DPOP-17, DPOP-22
func TestChallengesNameTheSchemeThatWasTried(t *testing.T) {
	w := newWorld(t)
	h := w.holder()
	access := h.start().Access.Reveal()
	used := h.with(get("/"), access)
	w.send(used)
	again := get("/")
	again.Header = used.Header.Clone()
	alone := get("/")
	alone.Header.Set("DPoP", h.proof("GET", "/", "", ""))
	for name, tt := range map[string]struct {
		request    *http.Request
		need       lanyard.Need
		challenges []string
	}{
		"nothing":            {get("/"), lanyard.Need{}, []string{"Bearer", `DPoP algs="ES256 Ed25519"`}},
		"a proof alone":      {alone, lanyard.Need{}, []string{"Bearer", `DPoP algs="ES256 Ed25519"`}},
		"a proof used twice": {again, lanyard.Need{}, []string{`DPoP error="invalid_dpop_proof", algs="ES256 Ed25519"`, "Bearer"}},
		"a scope missing":    {h.with(get("/"), access), lanyard.Need{Scope: "admin"}, []string{`DPoP error="insufficient_scope", scope="admin", algs="ES256 Ed25519"`, "Bearer"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.sendNeed(tt.request, tt.need)
			if s.ran {
				t.Fatal("passed")
			}
			if got := s.answer.Header().Values("WWW-Authenticate"); !slices.Equal(got, tt.challenges) {
				t.Errorf("challenges %q\nwant       %q", got, tt.challenges)
			}
			if got := s.answer.Header().Values("DPoP-Nonce"); len(got) > 0 {
				t.Errorf("a nonce nobody demands: %q", got)
			}
		})
	}
	off := newWorld(t, func(c *lanyard.Config) { c.Policy.Binding = lanyard.BindingOff })
	if got := off.sendNeed(get("/"), lanyard.Need{}).answer.Header().Values("WWW-Authenticate"); !slices.Equal(got, []string{"Bearer"}) {
		t.Errorf("with binding off: %q", got)
	}
	if s := off.send(h.with(get("/"), access)); s.ran || s.answer.Code != 401 {
		t.Errorf("with binding off a bound token is answered %d", s.answer.Code)
	}
	if p, err := off.Prove(alone); p != nil || err != nil {
		t.Errorf("with binding off a proof is not looked at, but: %v %v", p, err)
	}
}

// req: DPOP-18
func TestBadProofAtTheTokenEndpointIsItsOwnError(t *testing.T) {
	w := newWorld(t)
	r := post("/token")
	r.Header.Set("DPoP", w.holder().proof("POST", "/elsewhere", "", ""))
	_, err := w.Prove(r)
	wantCause(t, err, lanyard.CauseProof)
	refused, _ := errors.AsType[*lanyard.Refused](err)
	if status, code, _ := refused.Public(); status != 400 || code != "invalid_dpop_proof" {
		t.Errorf("%d %s", status, code)
	}
	if p, err := w.Prove(post("/token")); p != nil || err != nil {
		t.Errorf("without a header: %v %v", p, err)
	}
}

// req: FIX-8, FIX-9
func TestUnboundFamilyIsBoundOnceAndSoon(t *testing.T) {
	w := newWorld(t)
	h, other := w.holder(), w.holder()
	g := w.startToken()
	w.clock.advance(lanyard.BindWindow)
	next, err := h.renew(g.Refresh.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if next.TokenType != "DPoP" || next.Session.Binding() != lanyard.BindingDPoP || w.record(g.Session.SID()).Key != h.Thumbprint() {
		t.Fatal("not bound")
	}
	if got := names(w.events.take()); !slices.Contains(got, "binding_made:dpop") {
		t.Errorf("events %v", got)
	}
	_, err = other.renew(next.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseKey)
	if w.record(g.Session.SID()).Key != h.Thumbprint() {
		t.Error("the key was replaced")
	}

	late := w.startToken()
	w.clock.advance(lanyard.BindWindow + time.Millisecond)
	_, err = h.renew(late.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseProof)
	if rec := w.record(late.Session.SID()); rec.Key != "" || rec.Binding != lanyard.BindingNone {
		t.Error("bound too late")
	}
	if _, err := w.renew(late.Refresh.Reveal()); err != nil {
		t.Errorf("the refused attempt consumed the token: %v", err)
	}
}

// TestRepeatedFirstProofBinds: the answer of an unproven refresh was lost, and the
// client comes back with a proof.
func TestRepeatedFirstProofBinds(t *testing.T) {
	w := newWorld(t)
	h := w.holder()
	g := w.startToken()
	w.mustRenew(g.Refresh.Reveal())
	if _, err := h.renew(g.Refresh.Reveal()); err != nil {
		t.Fatal(err)
	}
	if w.record(g.Session.SID()).Key != h.Thumbprint() {
		t.Error("the token is bound and the family is not")
	}
}

// req: DPOP-20
func TestFamilyOfAnAuthenticatedClientIsNotBoundToAKey(t *testing.T) {
	w := newWorld(t)
	first, second := w.holder(), w.holder()
	g := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Client: "shop", Proof: first.prove()})
	renewal := lanyard.Renewal{Client: "shop", Authenticated: true, UserAgent: phone, IP: homeIP, Proof: second.prove()}
	next, err := w.Renew(t.Context(), g.Refresh.Reveal(), renewal)
	if err != nil {
		t.Fatal(err)
	}
	if !w.send(second.with(get("/"), next.Access.Reveal())).ran || w.send(first.with(get("/"), next.Access.Reveal())).ran {
		t.Error("the access token is not bound to the key it was drawn with")
	}
	renewal.Proof = nil
	if next, err = w.Renew(t.Context(), next.Refresh.Reveal(), renewal); err != nil || next.TokenType != "Bearer" {
		t.Errorf("without a proof: %v", err)
	}
}

// req: DPOP-21, DPOP-25
func TestPolicyMakesProofsMandatory(t *testing.T) {
	byClient := newWorld(t, func(c *lanyard.Config) {
		c.Client = func(_ context.Context, id string) (lanyard.ClientLimits, error) {
			return lanyard.ClientLimits{Bound: id == "bank"}, nil
		}
	})
	byAudience := newWorld(t, func(c *lanyard.Config) { c.DPoP.Audiences = []string{"billing"} })
	login := func(w *world, l lanyard.Login) error {
		l.Subject, l.Methods, l.Channel = "ann", []string{"pwd"}, lanyard.ChannelToken
		_, err := w.Start(t.Context(), l)
		return err
	}
	wantCause(t, login(byClient, lanyard.Login{Client: "bank"}), lanyard.CauseProof)
	wantCause(t, login(byAudience, lanyard.Login{Resource: "billing"}), lanyard.CauseProof)
	for name, err := range map[string]error{
		"another client":        login(byClient, lanyard.Login{Client: "shop"}),
		"another audience":      login(byAudience, lanyard.Login{Resource: "orders"}),
		"the client, proven":    login(byClient, lanyard.Login{Client: "bank", Proof: byClient.holder().prove()}),
		"the audience, proven":  login(byAudience, lanyard.Login{Resource: "billing", Proof: byAudience.holder().prove()}),
		"a cookie is no tokens": func() error { byAudience.startCookie(); return nil }(),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := byClient.ProgramToken(t.Context(), "bank", nil, "")
	wantCause(t, err, lanyard.CauseProof)
	if g, err := byClient.BoundProgramToken(t.Context(), "bank", nil, "", byClient.holder().prove()); err != nil || g.TokenType != "DPoP" {
		t.Errorf("a program with a proof: %v", err)
	}
	// A client that authenticates itself cannot leave the proof away later.
	h := byClient.holder()
	g := byClient.start(lanyard.Login{Channel: lanyard.ChannelToken, Client: "bank", Proof: h.prove()})
	_, err = byClient.Renew(t.Context(), g.Refresh.Reveal(), lanyard.Renewal{Client: "bank", Authenticated: true, UserAgent: phone, IP: homeIP})
	wantCause(t, err, lanyard.CauseProof)

	cookie := byAudience.startCookie()
	_, err = byAudience.AccessToken(t.Context(), cookie.Session, "billing")
	wantCause(t, err, lanyard.CauseProof)
	if g, err := byAudience.BoundAccessToken(t.Context(), cookie.Session, "billing", byAudience.holder().prove()); err != nil || g.TokenType != "DPoP" {
		t.Errorf("drawn with a proof: %v", err)
	}
	code := byAudience.code(byAudience.start(lanyard.Login{Resource: "billing"}), lanyard.ChannelToken, true)
	_, err = byAudience.Redeem(t.Context(), code, lanyard.Redemption{})
	wantCause(t, err, lanyard.CauseProof)
	if g, err := byAudience.Redeem(t.Context(), code, lanyard.Redemption{Proof: byAudience.holder().prove()}); err != nil || g.TokenType != "DPoP" {
		t.Errorf("the refusal spent the code: %v", err)
	}
}

func TestRouteMayTakeBoundSessionsAlone(t *testing.T) {
	w := newWorld(t)
	h := w.holder()
	need := lanyard.Need{Bound: true}
	if s := w.sendNeed(h.with(get("/"), h.start().Access.Reveal()), need); !s.ran {
		t.Errorf("a bound one is answered %d", s.answer.Code)
	}
	for name, r := range map[string]*http.Request{
		"an unbound token": bearer(get("/"), w.startToken().Access.Reveal()),
		"a cookie":         w.withCookie(get("/"), w.startCookie().Handle.Reveal()),
	} {
		if s := w.sendNeed(r, need); s.ran || s.answer.Code != 401 {
			t.Errorf("%s is answered %d", name, s.answer.Code)
		}
	}
}

func TestTokenDrawnFromABoundSessionIsBound(t *testing.T) {
	w := newWorld(t)
	h, other := w.holder(), w.holder()
	g := h.start()
	drawn, err := w.AccessToken(t.Context(), g.Session, "orders")
	if err != nil {
		t.Fatal(err)
	}
	_, claims, err := w.CheckAccess(t.Context(), drawn.Access.Reveal())
	if err != nil || claims.JKT != h.Thumbprint() || drawn.TokenType != "DPoP" {
		t.Errorf("bound to %q (%v)", claims.JKT, err)
	}
	_, err = w.BoundAccessToken(t.Context(), g.Session, "orders", other.prove())
	wantCause(t, err, lanyard.CauseKey)
	lifted, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}})
	if err != nil {
		t.Fatal(err)
	}
	if lifted.TokenType != "DPoP" || !w.send(h.with(get("/"), lifted.Access.Reveal())).ran {
		t.Error("a step-up lost the key")
	}
}

// req: DPOP-9
func TestProofNamesTheConfiguredAddress(t *testing.T) {
	w := newWorld(t)
	h := w.holder()
	access := h.start().Access.Reveal()
	request := func(method, target, htu string) *http.Request {
		r := httptest.NewRequest(method, target, nil)
		r.RemoteAddr = homeIP + ":1"
		r.Header.Set("Authorization", "DPoP "+access)
		text, err := h.Proof(method, htu, access, "")
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("DPoP", text)
		return r
	}
	forged := request("GET", site+"/a", "https://evil.example/a")
	forged.Host = "evil.example"
	forged.Header.Set("X-Forwarded-Host", "evil.example")
	inside := request("GET", "http://10.0.0.7:8080/a?q=1", site+"/a")
	stripped := request("GET", "/api/orders", site+"/api/orders")
	encoded := request("GET", site+"/a%2Fb?x", site+"/a%2fb")
	told := request("GET", site+"/verify", "https://shop.example/cart")
	told = told.WithContext(lanyard.WithTarget(told.Context(), "https://shop.example/cart"))
	for name, tt := range map[string]struct {
		request *http.Request
		passes  bool
	}{
		"a forged host":                    {forged, false},
		"another host inside":              {inside, true},
		"a path that a router cuts":        {stripped, true},
		"an escaped slash":                 {encoded, true},
		"the request of another, told so":  {told, true},
		"the same, where nobody has told":  {request("GET", site+"/verify", "https://shop.example/cart"), false},
		"HEAD with a proof for HEAD":       {request("HEAD", site+"/a", site+"/a"), true},
		"the default port":                 {request("GET", site+"/a", "https://app.example:443/a"), true},
		"the host with a dot":              {request("GET", site+"/a", "https://app.example./a"), false},
		"plain HTTP":                       {request("GET", site+"/a", "http://app.example/a"), false},
		"a path in which dots are cleaned": {request("GET", site+"/a", site+"/x/../a"), true},
	} {
		t.Run(name, func(t *testing.T) {
			var ran bool
			cut := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })).ServeHTTP(rw, r)
			})
			var h http.Handler = cut
			if name == "a path that a router cuts" {
				h = http.StripPrefix("/api", cut)
			}
			a := httptest.NewRecorder()
			h.ServeHTTP(a, tt.request)
			if ran != tt.passes {
				t.Errorf("answered %d", a.Code)
			}
		})
	}

	local := newWorld(t, func(c *lanyard.Config) { c.Issuer = "http://localhost:8080" })
	lh := local.holder()
	for host, passes := range map[string]bool{"localhost:8080": true, "127.0.0.1:8080": true, "[::1]:8080": true, "127.0.0.1:9090": false, "localhost": false, "evil.example:8080": false} {
		r := httptest.NewRequest("POST", "http://"+host+"/token", nil)
		text, err := lh.Proof("POST", "http://"+host+"/token", "", "")
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("DPoP", text)
		if _, err := local.Prove(r); (err == nil) != passes {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// req: DPOP-10, DPOP-23, DPOP-24
func TestNonceIsHandedOutAndDemanded(t *testing.T) {
	w := newWorld(t, func(c *lanyard.Config) { c.DPoP.Nonces = true })
	h := w.holder()
	r := post("/token")
	r.Header.Set("DPoP", h.proof("POST", "/token", "", ""))
	_, err := w.Prove(r)
	wantCause(t, err, lanyard.CauseNonce)
	a := httptest.NewRecorder()
	w.WriteError(a, r, err)
	nonce := a.Header().Values("DPoP-Nonce")
	if a.Code != 400 || len(nonce) != 1 || a.Header().Get("Cache-Control") != "no-store" || !strings.Contains(a.Body.String(), `"use_dpop_nonce"`) {
		t.Fatalf("%d %v %s", a.Code, a.Header(), a.Body)
	}
	r = post("/token")
	r.Header.Set("DPoP", h.proof("POST", "/token", "", nonce[0]))
	p, err := w.Prove(r)
	if err != nil {
		t.Fatal(err)
	}
	g := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Proof: p})

	// The nonce of the token endpoint is none for resources.
	access := g.Access.Reveal()
	ask := func(nonce string) seen {
		r := get("/")
		r.Header.Set("Authorization", "DPoP "+access)
		r.Header.Set("DPoP", h.proof("GET", "/", access, nonce))
		return w.send(r)
	}
	s := ask(nonce[0])
	if s.answer.Code != 401 || s.answer.Header().Get("WWW-Authenticate") != `DPoP error="use_dpop_nonce", algs="ES256 Ed25519"` {
		t.Fatalf("%d %v", s.answer.Code, s.answer.Header())
	}
	resource := s.answer.Header().Values("DPoP-Nonce")
	if len(resource) != 1 || resource[0] == nonce[0] {
		t.Fatalf("nonce %q", resource)
	}
	if s := ask(resource[0]); !s.ran {
		t.Errorf("with the nonce: %d %s", s.answer.Code, s.answer.Body)
	}
	w.clock.advance(3 * time.Minute)
	if s := ask(resource[0]); s.ran || s.answer.Header().Get("DPoP-Nonce") == "" {
		t.Error("an old nonce passed")
	}
	h2 := http.Header{}
	w.FreshNonce(h2, p)
	if len(h2.Values("DPoP-Nonce")) != 1 {
		t.Error("no fresh nonce is handed out after the old one's life")
	}
}

// req: DPOP-14, DPOP-15
func TestProofCountsOnceOnAllNodes(t *testing.T) {
	store, clock := memory.New(), newClock()
	one := newWorldOn(t, store, clock)
	two := newWorldOn(t, store, clock)
	h := one.holder()
	r := h.with(get("/"), h.start().Access.Reveal())
	var all sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for i := range 16 {
		all.Go(func() {
			w := one
			if i%2 == 1 {
				w = two
			}
			c := get("/")
			c.Header = r.Header.Clone()
			if w.send(c).ran {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if passed != 1 {
		t.Errorf("one proof passed %d times", passed)
	}
	fresh := h.with(get("/"), h.start().Access.Reveal())
	one.store.arm(func(call string, _ int) error {
		if call == "Once" {
			return errEngine
		}
		return nil
	})
	if s := one.send(fresh); s.ran || s.answer.Code != 503 {
		t.Errorf("with the memory away: %d", s.answer.Code)
	}
	one.store.arm(nil)
	if s := one.send(fresh); !s.ran {
		t.Errorf("the same proof after the outage: %d", s.answer.Code)
	}
}

func TestWrongProofSettingsAreNamed(t *testing.T) {
	for field, c := range map[string]lanyard.DPoPConfig{
		"DPoP.URL":   {URL: "app.example"},
		"DPoP.URL: ": {URL: "https://app.example/path"},
		"MaxAge":     {MaxAge: time.Hour},
		"Algorithms": {Algorithms: []string{"none"}},
	} {
		_, err := lanyard.New(memory.New(), lanyard.Config{Issuer: site, DPoP: c})
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("want an error that names %s, got %v", field, err)
		}
	}
}
