package server

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// claimsOf reads an access token without verifying it, which the server does in
// these tests.
func claimsOf(t *testing.T, access string) (c struct {
	Aud      any    `json:"aud"`
	Scope    string `json:"scope"`
	Sub      string `json:"sub"`
	ClientID string `json:"client_id"`
	AuthTime int64  `json:"auth_time"`
	Exp      int64  `json:"exp"`
}) {
	t.Helper()
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		t.Fatalf("not a token: %q", access)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// startFor has a program start a session, and returns the tokens.
func (x *site) startFor(client, secret string, in api.AdminSessionRequest) *badge {
	x.t.Helper()
	a := x.call("POST", "/v1/admin/sessions", in, basicAuth(client, secret)).want(200)
	return &badge{sid: a.field("session", "sid"), access: a.field("access_token"), refresh: a.field("refresh_token"), origin: x.url}
}

var allGrants = []string{directory.GrantClientCredentials, directory.GrantRefreshToken}

// req: REFRESH-14, HTTP-1
func TestARefreshAnswersInTheWordsOfOAuth(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "token")
	a := x.refresh(b.refresh).want(200)
	if a.field("token_type") != "Bearer" || a.field("expires_in") == "" || a.field("refresh_token") == b.refresh || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v %s", a.header, a.body)
	}
	var e api.OAuthError
	for name, f := range map[string]url.Values{
		"invalid_grant":          {"grant_type": {"refresh_token"}, "refresh_token": {"x"}},
		"invalid_request":        {"grant_type": {"refresh_token"}},
		"unsupported_grant_type": {"grant_type": {"authorization_code"}},
	} {
		x.call("POST", "/oauth2/token", f).want(400, name).json(&e)
		if e.Description == "" || strings.ContainsAny(e.Description, "\"\\") {
			t.Errorf("%s: the description %q is not of RFC 6749 characters", name, e.Description)
		}
	}
	x.call("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.field("refresh_token")}, "client_id": {"stranger"}}).want(401, "invalid_client")
}

// req: LOGIN-19
func TestThereIsNoGrantForPasswords(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "orders", Grants: allGrants})
	for _, grant := range []string{"password", "implicit", "token", "urn:ietf:params:oauth:grant-type:jwt-bearer", "authorization_code", "Refresh_Token"} {
		f := url.Values{"grant_type": {grant}, "username": {"ada"}, "password": {goodPassword}, "response_type": {"token"}}
		x.call("POST", "/oauth2/token", f).want(400, "unsupported_grant_type")
		x.call("POST", "/oauth2/token", f, basicAuth("orders", secret)).want(400, "unsupported_grant_type")
	}
	x.call("GET", "/oauth2/authorize?response_type=token", nil).want(404)
}

// req: REFRESH-7, REFRESH-8, REFRESH-19, REFRESH-20, REVOKE-16
func TestARefreshTokenIsItsClientsAlone(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "shop", Grants: allGrants, MayCreateSessions: true})
	other := x.program(directory.Client{ID: "other", Grants: allGrants, MayCreateSessions: true})
	bare := x.program(directory.Client{ID: "bare", MayCreateSessions: true})
	b := x.startFor("shop", secret, api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd"}, Channel: "token"})
	f := func(token string) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	}
	named := func(token, id string) url.Values {
		v := f(token)
		v.Set("client_id", id)
		return v
	}
	x.call("POST", "/oauth2/token", f(b.refresh)).want(400, "invalid_grant")
	x.call("POST", "/oauth2/token", f(b.refresh), basicAuth("other", other)).want(400, "invalid_grant")
	if !slices.Contains(x.events(b.sid), "session_used_after_end:wrong_client") {
		t.Errorf("another client leaves no event: %v", x.events(b.sid))
	}
	for why, a := range map[string]*answer{
		"no secret":                      x.call("POST", "/oauth2/token", named(b.refresh, "shop")),
		"a wrong secret":                 x.call("POST", "/oauth2/token", f(b.refresh), basicAuth("shop", other)),
		"an empty secret":                x.call("POST", "/oauth2/token", f(b.refresh), basicAuth("shop", "")),
		"a secret for a public client":   x.call("POST", "/oauth2/token", f(b.refresh), basicAuth("lanyard", secret)),
		"a client that is not there":     x.call("POST", "/oauth2/token", f(b.refresh), basicAuth("nobody", secret)),
		"a Bearer header":                x.call("POST", "/oauth2/token", f(b.refresh), header("Authorization", "Bearer "+b.access)),
		"a Basic header of something":    x.call("POST", "/oauth2/token", f(b.refresh), header("Authorization", "Basic x")),
		"a Basic header without a colon": x.call("POST", "/oauth2/token", f(b.refresh), header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("shop")))),
	} {
		if a.status != 401 || a.code() != "invalid_client" || a.header.Get("WWW-Authenticate") != `Basic realm="lanyard"` {
			t.Errorf("%s: got %d %s %v", why, a.status, a.body, a.header["Www-Authenticate"])
		}
	}
	// Two ways to authenticate are one too many.
	v := f(b.refresh)
	v.Set("client_secret", secret)
	x.call("POST", "/oauth2/token", v, basicAuth("shop", secret)).want(400, "invalid_request")
	x.call("POST", "/oauth2/token", named(b.refresh, "other"), basicAuth("shop", secret)).want(400, "invalid_request")
	// None of it cost the client its token. Both places for the secret work.
	a := x.call("POST", "/oauth2/token", f(b.refresh), basicAuth("shop", secret)).want(200)
	v = f(a.field("refresh_token"))
	v.Set("client_id", "shop")
	v.Set("client_secret", secret)
	x.call("POST", "/oauth2/token", v).want(200)

	// A client that was given no grant gets no refresh token, and cannot use any.
	n := x.startFor("bare", bare, api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd"}, Channel: "token"})
	if n.refresh != "" || n.access == "" {
		t.Errorf("a client without the grant got %+v", n)
	}
	x.call("POST", "/oauth2/token", f(b.refresh), basicAuth("bare", bare)).want(400, "unauthorized_client")
	x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basicAuth("bare", bare)).want(400, "unauthorized_client")
	x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}).want(400, "unauthorized_client")
	added := x.call("POST", "/v1/admin/clients", map[string]any{"id": "fresh"}, x.as(x.signedIn("root", "token"))).want(200)
	x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basicAuth("fresh", added.field("secret"))).want(400, "unauthorized_client")
}

// A token for two resources would leave open which of its scopes is meant for
// whom: there is none, and asking for one consumes nothing.
//
// req: JWT-32
func TestTwoResourcesAtOnceAreRefused(t *testing.T) {
	x := newSite(t, func(c *Config) { c.Audience = []string{"orders", "billing"} })
	secret := x.program(directory.Client{ID: "shop", Grants: allGrants, MayCreateSessions: true, Audiences: []string{"orders", "billing"}, Scopes: []string{"read"}})
	b := x.startFor("shop", secret, api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd"}, Channel: "token", Resource: "orders", Scope: "read"})
	for _, pair := range [][]string{{"orders", "billing"}, {"orders", "orders"}, {"orders", ""}, {"", ""}} {
		for _, form := range []url.Values{
			{"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}, "scope": {"read"}, "resource": pair},
			{"grant_type": {"client_credentials"}, "scope": {"read"}, "resource": pair},
		} {
			x.call("POST", "/oauth2/token", form, basicAuth("shop", secret)).want(400, "invalid_target")
		}
	}
	x.call("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}, "resource": {"orders"}}, basicAuth("shop", secret)).want(200)
}

// req: REFRESH-9
func TestScopeAndAudienceOnlyShrink(t *testing.T) {
	x := newSite(t, func(c *Config) { c.Audience = []string{"orders", "billing"} })
	secret := x.program(directory.Client{ID: "shop", Grants: allGrants, MayCreateSessions: true, Audiences: []string{"orders"}, Scopes: []string{"read", "write", "pay"}})
	in := api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd"}, Channel: "token", Resource: "orders", Scope: "read write"}
	b := x.startFor("shop", secret, in)
	ask := func(scope, resource string) *answer {
		a := x.call("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}, "scope": {scope}, "resource": {resource}}, basicAuth("shop", secret))
		if a.status == 200 {
			b.refresh = a.field("refresh_token")
		}
		return a
	}
	ask("read write pay", "").want(400, "invalid_scope")
	ask("pay", "").want(400, "invalid_scope")
	ask("", "billing").want(400, "invalid_target")
	ask("", "elsewhere").want(400, "invalid_target")
	if c := claimsOf(t, ask("read", x.url).want(200).field("access_token")); c.Scope != "read" || c.Aud != nil && strings.Contains(toJSON(c.Aud), "orders") {
		t.Errorf("a narrowed token carries %+v", c)
	}
	// The family keeps what it has.
	if c := claimsOf(t, ask("", "").want(200).field("access_token")); c.Scope != "read write" || !strings.Contains(toJSON(c.Aud), "orders") {
		t.Errorf("a full token carries %+v", c)
	}
	// A program stays within what it is registered for.
	for member, code := range map[string]string{"scope": "invalid_scope", "resource": "invalid_target"} {
		bad := in
		if member == "scope" {
			bad.Scope = "read admin"
		} else {
			bad.Resource = "billing"
		}
		x.call("POST", "/v1/admin/sessions", bad, basicAuth("shop", secret)).want(400, code)
		x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, member: {map[string]string{"scope": "admin", "resource": "billing"}[member]}}, basicAuth("shop", secret)).want(400, code)
	}
	x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": "x", "resource": "elsewhere"}).want(400, "invalid_target")
	x.call("POST", "/v1/session/token", api.TokenRequest{Resource: "elsewhere"}, x.as(x.signedIn("ada", "cookie"))).want(400, "invalid_target")
}

func toJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// req: REFRESH-18
func TestTheTokenEndpointIsRateLimited(t *testing.T) {
	x := newSite(t)
	until429 := func(limit int, do func(i int) *answer) *answer {
		t.Helper()
		for i := range limit {
			if a := do(i); a.status == 429 {
				return a
			}
		}
		t.Fatalf("no limit within %d calls", limit)
		return nil
	}
	b := x.signedIn("ada", "token")
	token := b.refresh
	// One session, from many places.
	a := until429(100, func(i int) *answer {
		a := x.direct("203.0.113."+strconv.Itoa(i%200)+":1", "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, viaTLS)
		if a.status == 200 {
			token = a.field("refresh_token")
		}
		return a
	}).want(429, "too_many_requests")
	if a.header.Get("Retry-After") == "" {
		t.Error("the answer does not say when to come back")
	}
	// The others are not held up, and the session is once time has passed.
	o := x.signedIn("bob", "token")
	x.refresh(o.refresh).want(200)
	x.clock.advance(time.Minute)
	x.direct("203.0.113.1:1", "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, viaTLS).want(200)
	// One source, with tokens that are none.
	until429(400, func(i int) *answer {
		return x.direct("192.0.2.1:1", "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, viaTLS)
	})
	x.direct("198.51.100.1:1", "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, viaTLS).want(400)
	until429(400, func(i int) *answer {
		return x.direct("192.0.2.2:1", "POST", "/v1/session/redeem", api.RedeemRequest{Code: "x"}, viaTLS)
	})
	// One client, from many places and at any of the endpoints.
	secret := x.program(directory.Client{ID: "orders", Grants: allGrants, MayIntrospect: true})
	from := func(i int) string { return "198.51.100." + strconv.Itoa(i%250) + ":1" }
	until429(2500, func(i int) *answer {
		return x.direct(from(i), "POST", "/oauth2/introspect", url.Values{"token": {"x"}}, viaTLS, basicAuth("orders", secret))
	})
	own := url.Values{"grant_type": {"client_credentials"}}
	x.direct(from(1), "POST", "/oauth2/token", own, viaTLS, basicAuth("orders", secret)).want(429)
	// A program has a pace of its own: a source that is over its limit does not
	// hold it up, nor does one program another. A wrong secret has the pace of its
	// source.
	billing := x.program(directory.Client{ID: "billing", Grants: allGrants})
	for range 400 {
		x.direct("192.0.2.1:1", "POST", "/oauth2/token", own, viaTLS, basicAuth("billing", billing)).want(200)
	}
	if a := x.direct("192.0.2.1:1", "POST", "/oauth2/token", own, viaTLS, basicAuth("billing", "wrong")); a.status != 429 {
		t.Errorf("a wrong secret from a source over its limit: got %d", a.status)
	}
	until429(2500, func(i int) *answer {
		return x.direct(from(i), "POST", "/oauth2/token", own, viaTLS, basicAuth("billing", billing))
	})
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke"} {
		until429(400, func(i int) *answer {
			return x.direct("192.0.2.3:1", "POST", path, url.Values{"token": {"x"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}, viaTLS)
		})
		x.clock.advance(time.Minute)
	}
}

// req: REVOKE-15, REVOKE-17, REVOKE-16
func TestRevocationFollowsRFC7009(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "shop", Grants: allGrants, MayCreateSessions: true})
	revoke := func(f url.Values, options ...option) *answer { return x.call("POST", "/oauth2/revoke", f, options...) }
	// Both kinds of token, with right, wrong and unknown hints.
	for _, hint := range []string{"", "refresh_token", "access_token", "smoke_signal"} {
		for _, kind := range []string{"refresh", "access"} {
			b := x.signedIn("ada", "token")
			token := map[string]string{"refresh": b.refresh, "access": b.access}[kind]
			if a := revoke(url.Values{"token": {token}, "token_type_hint": {hint}}).want(200); a.body != "" {
				t.Errorf("the answer has a body: %s", a.body)
			}
			x.call("GET", "/v1/session", nil, x.as(b)).want(401, "invalid_token")
			x.refresh(b.refresh).want(400, "invalid_grant")
			revoke(url.Values{"token": {token}}).want(200)
		}
	}
	// Tokens that are none, or not any more.
	cookie := x.signedIn("ada", "cookie")
	for _, text := range []string{"x", "a.b.c", strings.Repeat("A", 5000), cookie.cookie, cookie.sid, "\x00", "é"} {
		revoke(url.Values{"token": {text}}).want(200)
	}
	x.call("GET", "/v1/session", nil, x.as(cookie)).want(200)
	// Another client's token stays as it is.
	b := x.startFor("shop", secret, api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd"}, Channel: "token"})
	for _, token := range []string{b.refresh, b.access} {
		if a := revoke(url.Values{"token": {token}}); a.status == 200 {
			t.Errorf("another client's token: got %d", a.status)
		}
	}
	revoke(url.Values{"token": {b.refresh}, "client_id": {"shop"}}).want(401, "invalid_client")
	revoke(url.Values{"token": {b.refresh}}, basicAuth("shop", "wrong")).want(401, "invalid_client")
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	revoke(url.Values{"token": {b.refresh}}, basicAuth("shop", secret)).want(200)
	x.call("GET", "/v1/session", nil, x.as(b)).want(401)
	// While the store is away nothing is promised.
	b = x.signedIn("ada", "token")
	x.s.sessions.Close()
	if a := revoke(url.Values{"token": {b.refresh}}).want(503, "temporarily_unavailable"); a.header.Get("Retry-After") == "" {
		t.Error("503 does not say when to come back")
	}
	x.refresh(b.refresh).want(503, "temporarily_unavailable")
	x.call("GET", "/v1/session", nil, x.as(b)).want(503, "temporarily_unavailable")
}

// Whatever is wrong with a token, introspection says the same bytes.
//
// req: REVOKE-18, REVOKE-19, REVOKE-16
func TestIntrospectionIsNoOracle(t *testing.T) {
	x := newSite(t, func(c *Config) { c.Audience = []string{"orders", "billing"} })
	grants := []string{directory.GrantClientCredentials}
	orders := x.program(directory.Client{ID: "orders", Audiences: []string{"orders"}, Grants: grants, MayIntrospect: true})
	gate := x.program(directory.Client{ID: "gate", MayIntrospect: true})
	shop := x.program(directory.Client{ID: "shop", Audiences: []string{"orders", "billing"}, Scopes: []string{"read"}, Grants: allGrants, MayCreateSessions: true, MayIntrospect: true})
	mute := x.program(directory.Client{ID: "mute", Grants: grants})
	ask := func(token string, options ...option) *answer {
		return x.call("POST", "/oauth2/introspect", url.Values{"token": {token}}, options...)
	}
	start := func(resource string) *badge {
		return x.startFor("shop", shop, api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd", "otp"}, ACR: "aal2", Channel: "token", Resource: resource, Scope: "read"})
	}
	good, billing, ended, rotated := start("orders"), start("billing"), start("orders"), start("orders")
	x.call("POST", "/v1/logout", nil, x.as(ended)).want(204)
	x.call("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {rotated.refresh}}, basicAuth("shop", shop)).want(200)
	web := x.signedIn("ada", "cookie")
	forged := good.access[:len(good.access)-4] + "AAAA"
	inactive := map[string]string{
		"random text": "x", "an empty part": "..", "a forged token": forged, "an ended session's": ended.access,
		"an ended session's refresh token": ended.refresh, "another service's": billing.access, "a refresh token": good.refresh,
		"a cookie": web.cookie, "a sid": good.sid, "very long": strings.Repeat("A", 20000), "not UTF-8": "\xff", "an audience of nobody": x.signedIn("ada", "token").access,
	}
	for why, token := range inactive {
		if a := ask(token, basicAuth("orders", orders)).want(200); a.body != "{\"active\":false}\n" {
			t.Errorf("%s: got %s", why, a.body)
		}
	}
	for why, token := range map[string]string{"a used refresh token": rotated.refresh, "an ended one": ended.refresh} {
		if a := ask(token, basicAuth("shop", shop)).want(200); a.body != "{\"active\":false}\n" {
			t.Errorf("%s, asked by its client: got %s", why, a.body)
		}
	}
	// What is active says all that is known.
	var in api.Introspection
	ask(good.access, basicAuth("orders", orders)).want(200).json(&in)
	if !in.Active || in.Sub != "carol" || in.ClientID != "shop" || in.Scope != "read" || in.TokenType != "Bearer" || in.Iss != x.url || !slices.Contains(in.Aud, "orders") ||
		in.Exp <= x.clock.Now().Unix() || in.Iat == 0 || in.JTI == "" || in.SID != good.sid || in.ACR != "aal2" || !slices.Equal(in.AMR, []string{"pwd", "otp"}) || in.AuthTime != x.clock.Now().Unix() {
		t.Errorf("an active answer is %+v", in)
	}
	ask(good.refresh, basicAuth("shop", shop)).want(200).json(&in)
	if !in.Active || in.TokenType != "refresh_token" || in.SID != good.sid {
		t.Errorf("its own client learns %+v", in)
	}
	own := x.ownToken("orders", orders)
	ask(good.access, x.as(own)).want(200).json(&in)
	ask(x.signedIn("ada", "token").access, basicAuth("gate", gate)).want(200).json(&in)
	if !in.Active || in.Username != "ada" {
		t.Errorf("a client without audiences asks about the issuer's own tokens: %+v", in)
	}
	// Nobody else learns anything.
	for why, o := range map[string]option{
		"nobody":                    func(*http.Request) {},
		"a wrong secret":            basicAuth("orders", "x"),
		"a client without right":    basicAuth("mute", mute),
		"its token":                 x.as(x.ownToken("mute", mute)),
		"a person's token":          x.as(good),
		"an administrator":          x.as(x.signedIn("root", "token")),
		"an administrator's cookie": x.as(x.signedIn("root", "cookie")),
		"a public client":           basicAuth("lanyard", ""),
	} {
		if a := ask(good.access, o); a.status != 401 || a.code() != "invalid_client" || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: got %d %s", why, a.status, a.body)
		}
	}
	x.call("POST", "/oauth2/introspect", url.Values{"token": {good.access}, "client_id": {"orders"}}).want(401, "invalid_client")
	// A program that was removed has no rights left, whatever it holds.
	x.call("DELETE", "/v1/admin/clients/orders", nil, x.as(x.signedIn("root", "token"))).want(204)
	ask(good.access, x.as(own)).want(401, "invalid_client")
	// Time and the store.
	x.clock.advance(6 * time.Minute)
	if a := ask(good.access, basicAuth("shop", shop)).want(200); a.body != "{\"active\":false}\n" {
		t.Errorf("an expired token: got %s", a.body)
	}
	fresh := start("orders")
	x.s.sessions.Close()
	ask(fresh.access, basicAuth("shop", shop)).want(503, "temporarily_unavailable")
}

// req: HTTP-4, HTTP-5, HTTP-6, LIFE-17, REVOKE-9
func TestRefusalsCarryTheirChallenge(t *testing.T) {
	x := newSite(t)
	web, app := x.signedIn("ada", "cookie"), x.signedIn("ada", "token")
	check := func(a *answer, status int, code, challenge string) {
		t.Helper()
		a.want(status, code)
		if got := a.header.Get("WWW-Authenticate"); got != challenge {
			t.Errorf("%s: the challenge is %q, want %q", a.asked, got, challenge)
		}
	}
	// Each challenge names the metadata of the resource (RFC 9728 section 5.1).
	meta := `resource_metadata="` + x.url + `/.well-known/oauth-protected-resource"`
	bad := `Bearer error="invalid_token", ` + meta
	check(x.call("GET", "/v1/session", nil), 401, "unauthorized", "Bearer "+meta)
	check(x.call("GET", "/v1/session", nil, header("Authorization", "Bearer x")), 401, "invalid_token", bad)
	check(x.call("GET", "/v1/session", nil, header("Authorization", "Bearer "+app.refresh)), 401, "invalid_token", bad)
	check(x.call("GET", "/v1/session", nil, also("Authorization", "Bearer "+app.access), also("Authorization", "Bearer "+app.access)), 400, "invalid_request", "")
	// The header alone is judged, although there is a good cookie.
	check(x.call("GET", "/v1/session", nil, x.as(web), header("Authorization", "Bearer x")), 401, "invalid_token", bad)
	x.clock.advance(10 * time.Minute)
	app.access = x.refresh(app.refresh).want(200).field("access_token")
	stale := `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", max_age="600", ` + meta
	for _, b := range []*badge{web, app} {
		check(x.call("DELETE", "/v1/sessions/"+b.sid, nil, x.as(b)), 401, "insufficient_user_authentication", stale)
		check(x.call("POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "all"}, x.as(b)), 401, "insufficient_user_authentication", stale)
		x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	}
	// After the password it goes on.
	lifted := x.badgeOf(x.call("POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(web)))
	x.call("DELETE", "/v1/sessions/"+app.sid, nil, x.as(lifted)).want(204)
}

// Documents for everybody do not depend on who asks, or on the store.
func TestPublicDocumentsNeedNobody(t *testing.T) {
	x := newSite(t)
	x.s.sessions.Close()
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server", "/openapi.yaml"} {
		for _, o := range []option{func(*http.Request) {}, header("Authorization", "Bearer x"), header("Cookie", x.s.m.CookieName()+"=x")} {
			a := x.call("GET", path, nil, o).want(200)
			if a.header.Get("Cache-Control") != "public, max-age=300" || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: got %v", path, a.header)
			}
		}
	}
	if a := x.call("GET", "/readyz", nil).want(503); a.body != "not ready\n" {
		t.Errorf("readiness says %q", a.body)
	}
	x.call("GET", "/livez", nil).want(200)
}
