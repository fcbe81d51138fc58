package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/revocation/statuslist"
	"github.com/lanyard-go/lanyard/token"
)

// proxied sends requests as a proxy does that ends TLS in front of the site.
type proxied struct{ http.RoundTripper }

func (p proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	r.Header.Set("X-Forwarded-Proto", "https")
	return p.RoundTripper.RoundTrip(r)
}

// newListSite is a site that publishes lists.
func newListSite(t *testing.T) *site {
	t.Helper()
	x := newSite(t, func(c *Config) {
		c.Issuer, c.TrustedProxies = listIssuer, []string{"127.0.0.1"}
		c.StatusList, c.Audience = listTTL, []string{"orders"}
	})
	x.http.Transport = proxied{x.http.Transport}
	return x
}

// reference reads the claim "status" of an access token as a third party does that
// has the published keys.
func (x *site) reference(access string) statuslist.Reference {
	x.t.Helper()
	claims := x.claims(access)
	ref, err := statuslist.ParseReference(claims.Extra["status"])
	if err != nil {
		x.t.Fatal(err)
	}
	return ref
}

func (x *site) publishedKeys() *token.PublicKeys {
	x.t.Helper()
	keys, err := token.ParseJWKS([]byte(x.call("GET", jwksPath, nil).want(200).body))
	if err != nil {
		x.t.Fatal(err)
	}
	return keys
}

func (x *site) claims(access string) *token.Claims {
	x.t.Helper()
	v, err := token.NewVerifier(token.VerifierConfig{Issuer: x.s.Issuer(), SkipAudience: true, Keys: x.publishedKeys(), Now: x.clock.Now})
	if err != nil {
		x.t.Fatal(err)
	}
	claims, err := v.Verify(access)
	if err != nil {
		x.t.Fatal(err)
	}
	return claims
}

// status fetches the list that a token names, by HTTP and with the published keys
// alone, and reads what it says of it.
func (x *site) status(ref statuslist.Reference) byte {
	x.t.Helper()
	a := x.call("GET", strings.TrimPrefix(ref.URI, x.url), nil).want(200)
	list, err := statuslist.Verify(a.body, statuslist.Expected{URI: ref.URI, Issuer: x.url, Keys: x.publishedKeys(), Now: x.clock.Now()})
	if err != nil {
		x.t.Fatal(err)
	}
	status, err := list.List.Get(ref.Index)
	if err != nil {
		x.t.Fatal(err)
	}
	return status
}

// Every access token of a session names its one place, which says that it has
// ended once it has.
//
// req: REVOKE-20, REVOKE-21
func TestAThirdPartyFindsInAListThatASessionHasEnded(t *testing.T) {
	x := newListSite(t)
	root := x.as(x.signedIn("root", "token"))
	for _, channel := range []string{"token", "cookie"} {
		b := x.login("ada", channel)
		draw := func() string {
			if channel == "token" {
				a := x.refresh(b.refresh).want(200)
				b.access, b.refresh = a.field("access_token"), a.field("refresh_token")
				return b.access
			}
			return x.call("POST", "/v1/session/token", api.TokenRequest{Resource: "orders"}, x.as(b)).want(200).field("access_token")
		}
		ref := x.reference(draw())
		for range 3 {
			if again := x.reference(draw()); again != ref {
				t.Errorf("%s: a session is at %v and at %v", channel, ref, again)
			}
		}
		if b.access != "" {
			lifted := x.call("POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(b)).want(200)
			if again := x.reference(lifted.field("access_token")); again != ref {
				t.Errorf("after a step-up the session is at %v, before at %v", again, ref)
			}
		}
		other := x.reference(x.signedIn("ada", "token").access)
		if other == ref || x.status(ref) != statuslist.Valid || x.status(other) != statuslist.Valid {
			t.Fatalf("%s: %v and %v before the end", channel, ref, other)
		}
		x.call("DELETE", "/v1/admin/sessions/"+b.sid, nil, root).want(200)
		x.clock.advance(listRebuild)
		if x.status(ref) != statuslist.Invalid || x.status(other) != statuslist.Valid {
			t.Errorf("%s: after the end of one session the list says %d of it and %d of another", channel, x.status(ref), x.status(other))
		}
	}
}

// req: REVOKE-21
func TestListsAreServedToEverybodyWithTheirDelay(t *testing.T) {
	x := newListSite(t)
	ref := x.reference(x.signedIn("ada", "token").access)
	path := strings.TrimPrefix(ref.URI, x.url)
	for _, o := range []option{func(*http.Request) {}, header("Authorization", "Bearer x"), header("Cookie", x.s.m.CookieName()+"=x")} {
		a := x.call("GET", path, nil, o).want(200)
		if a.header.Get("Content-Type") != "application/statuslist+jwt" || a.header.Get("Cache-Control") != "public, max-age=30" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("got %v", a.header)
		}
	}
	list, err := statuslist.Verify(x.call("GET", path, nil).body, statuslist.Expected{URI: ref.URI, Keys: x.publishedKeys(), Now: x.clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if late := list.Expiry.Sub(list.IssuedAt); list.TTL != listTTL || late != listDelay(listTTL) || list.IssuedAt.After(x.clock.Now()) || list.Delay(listRebuild) > late {
		t.Errorf("ttl %v, issued at %v for %v", list.TTL, list.IssuedAt, late)
	}
	x.call("GET", path+"?time=1", nil).want(501, "invalid_request")
	x.call("POST", path, nil).want(405)
	for _, wrong := range []string{statusListPath + "1", path[:len(path)-1], path + "A", path + "/", statusListPath, strings.ToUpper(path[:20]) + path[20:]} {
		x.call("GET", wrong, nil).want(404, "not_found")
	}
	// A name that fits, with another tag: only this server's nodes write names.
	forged := newNames(t, drawnSecret(t, 1))
	id, _ := x.s.lists.names.parse(strings.TrimPrefix(path, statusListPath))
	x.call("GET", statusListPath+forged.name(id), nil).want(404, "not_found")

	x.s.sessions.Close()
	x.clock.advance(listRebuild)
	if a := x.call("GET", path, nil).want(503, "temporarily_unavailable"); a.header.Get("Retry-After") == "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("without the store the answer has %v", a.header)
	}
}

// A list is signed with the key of access tokens, and neither passes for the
// other.
//
// req: JWT-8
func TestAListAndAnAccessTokenNeverPassForEachOther(t *testing.T) {
	x := newListSite(t)
	b := x.signedIn("ada", "token")
	ref := x.reference(b.access)
	list := x.call("GET", strings.TrimPrefix(ref.URI, x.url), nil).want(200).body
	x.call("GET", "/v1/session", nil, header("Authorization", "Bearer "+b.access)).want(200)
	x.call("GET", "/v1/session", nil, header("Authorization", "Bearer "+list)).want(401)
	secret := x.program(directory.Client{ID: "orders", Audiences: []string{"orders"}, Grants: allGrants, MayIntrospect: true, MayFollow: true})
	orders := basicAuth("orders", secret)
	if a := x.call("POST", "/oauth2/introspect", url.Values{"token": {list}}, orders).want(200); strings.TrimSpace(a.body) != `{"active":false}` {
		t.Errorf("introspection of a list answers %s", a.body)
	}
	x.call("GET", "/v1/revocations/snapshot", nil, header("Authorization", "Bearer "+list)).want(401)
	v, err := token.NewVerifier(token.VerifierConfig{Issuer: x.url, SkipAudience: true, Keys: x.publishedKeys(), Now: x.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	if claims, err := v.Verify(list); err == nil {
		t.Errorf("a list is verified as a token of %s", claims.Subject)
	}
	own := x.ownToken("orders", secret)
	for _, access := range []string{b.access, own.access} {
		if _, err := statuslist.Verify(access, statuslist.Expected{URI: ref.URI, Keys: x.publishedKeys(), Now: x.clock.Now()}); err == nil {
			t.Error("an access token is verified as a list")
		}
	}
	if status, ok := x.claims(own.access).Extra["status"]; ok {
		t.Errorf("a program's own token, which has no session, names the place %v", status)
	}
}

func TestNoListsArePublishedUnlessAskedFor(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "token")
	if status, ok := x.claims(b.access).Extra["status"]; ok {
		t.Errorf("the token names the place %v", status)
	}
	names := newNames(t, drawnSecret(t, 1))
	x.call("GET", statusListPath+names.name(listID{}), nil).want(404, "not_found")
	var metadata map[string]json.RawMessage
	x.call("GET", "/.well-known/oauth-authorization-server", nil).want(200).json(&metadata)
	for name := range metadata {
		if strings.Contains(name, "status_list") {
			t.Errorf("the metadata names %s", name)
		}
	}
}

// A session that began before the lists has no place, and goes on.
func TestSessionsFromBeforeTheListsGoOn(t *testing.T) {
	dir := t.TempDir()
	plain := newSite(t, func(c *Config) {
		c.Data, c.Issuer, c.TrustedProxies = dir, listIssuer, []string{"127.0.0.1"}
	})
	b := plain.signedIn("ada", "token")
	plain.s.Drain()
	plain.front.Close()
	if err := plain.s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), func() Config {
		c := defaults(dir)
		c.Issuer, c.TrustedProxies, c.StatusList = listIssuer, []string{"127.0.0.1"}, listTTL
		return c
	}(), Options{Drivers: testDrivers, Now: plain.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := &site{t: t, s: s, clock: plain.clock, url: listIssuer, known: &lockedLog{}}
	secure := header("X-Forwarded-Proto", "https")
	x.direct("127.0.0.1:1", "GET", "/v1/session", nil, x.as(b), secure).want(200)
	a := x.direct("127.0.0.1:1", "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}}, secure).want(200)
	for _, access := range []string{b.access, a.field("access_token")} {
		_, claims, err := s.m.CheckAccess(t.Context(), access)
		if err != nil {
			t.Fatal(err)
		}
		if status, ok := claims.Extra["status"]; ok {
			t.Errorf("a session from before has the place %v", status)
		}
	}
	if _, claims, err := s.m.CheckAccess(t.Context(), x.signedIn("ada", "token").access); err != nil || claims.Extra["status"] == nil {
		t.Errorf("a new session has no place: %v, %v", claims, err)
	}
}

func TestListsThatSayNothingAreRefusedAsASetting(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*Config)
		ok     bool
	}{
		{"half a minute", func(*Config) {}, true},
		{"no whole seconds", func(c *Config) { c.StatusList = 1500 * time.Millisecond }, false},
		{"less than a second", func(c *Config) { c.StatusList = time.Millisecond }, false},
		{"before the clock", func(c *Config) { c.StatusList = -time.Minute }, false},
		{"as late as the last token", func(c *Config) { c.AccessTokenTTL = 32 * time.Second }, false},
		{"a second before the last token", func(c *Config) { c.AccessTokenTTL = 33 * time.Second }, true},
		{"an issuer without TLS", func(c *Config) { c.Issuer = "http://localhost:8080" }, false},
	} {
		cfg := defaults(t.TempDir())
		cfg.Issuer, cfg.TrustedProxies, cfg.StatusList = listIssuer, []string{"127.0.0.1"}, listTTL
		c.change(&cfg)
		_, err := cfg.resolve(nil)
		if (err == nil) != c.ok || err != nil && !strings.HasPrefix(err.Error(), "setting status-list: ") {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}
