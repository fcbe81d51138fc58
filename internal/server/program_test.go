package server

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/token"
)

// Ending everything ends the tokens of programs too, which have no session, and a
// program that is still known gets a new one.
func TestEndingEverythingEndsTheTokensOfPrograms(t *testing.T) {
	for _, store := range []string{"sqlite", "memory:"} {
		t.Run(store, func(t *testing.T) {
			x := newSite(t, func(c *Config) { c.Store = store })
			secret := x.program(directory.Client{ID: "orders", Grants: allGrants, MayIntrospect: true, MayAdminister: true})
			old := x.ownToken("orders", secret)
			users := func(b *badge) *answer { return x.call("GET", "/v1/admin/users", nil, x.as(b)) }
			users(old).want(200)
			x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{All: true, Reason: "leak"}, basicAuth("orders", secret)).want(200)
			users(old).want(401, "invalid_token")
			x.call("POST", "/oauth2/introspect", url.Values{"token": {"x"}}, x.as(old)).want(401, "invalid_client")
			if a := x.call("POST", "/oauth2/introspect", url.Values{"token": {old.access}}, basicAuth("orders", secret)).want(200); a.field("active") != "false" {
				t.Errorf("introspection says %s", a.body)
			}
			users(x.ownToken("orders", secret)).want(200)
		})
	}
}

// req: REVOKE-18
func TestATokenOfARemovedProgramIsInactive(t *testing.T) {
	x := newSite(t)
	gone := x.ownToken("gone", x.program(directory.Client{ID: "gone", Grants: allGrants}))
	gate := x.program(directory.Client{ID: "gate", MayIntrospect: true})
	ask := func() string {
		return x.call("POST", "/oauth2/introspect", url.Values{"token": {gone.access}}, basicAuth("gate", gate)).want(200).body
	}
	if !strings.Contains(ask(), `"active":true`) {
		t.Fatal("a good token is not active")
	}
	x.call("DELETE", "/v1/admin/clients/gone", nil, x.as(x.signedIn("root", "token"))).want(204)
	if got := ask(); got != "{\"active\":false}\n" {
		t.Errorf("got %s", got)
	}
}

// A client can be given less time than others have.
//
// req: REFRESH-6
func TestAClientHasLimitsOfItsOwn(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "token"))
	added := x.call("POST", "/v1/admin/clients", map[string]any{
		"id": "shop", "grants": allGrants, "may_create_sessions": true, "access_token_ttl": 60, "refresh_idle": 3600,
	}, root).want(200)
	shop := basicAuth("shop", added.field("secret"))
	listed := x.call("GET", "/v1/admin/clients", nil, root).want(200).body
	if !strings.Contains(listed, `"access_token_ttl":60`) || !strings.Contains(listed, `"refresh_idle":3600`) {
		t.Errorf("the list says %s", listed)
	}
	short := func(a *answer) {
		t.Helper()
		if n := a.want(200).field("expires_in"); n > "60" || n < "55" || len(n) != 2 {
			t.Errorf("%s: it lives %s s, want 60 at most", a.asked, n)
		}
	}
	renew := func(b *badge) *answer {
		a := x.call("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}}, shop)
		if a.status == 200 {
			b.refresh = a.field("refresh_token")
		}
		return a
	}
	short(x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, shop))
	start := func() (*badge, *answer) {
		a := x.call("POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd"}, Channel: "token"}, shop)
		return &badge{sid: a.field("session", "sid"), refresh: a.field("refresh_token")}, a
	}
	b, a := start()
	short(a)
	for range 3 {
		x.clock.advance(59 * time.Minute)
		short(renew(b))
	}
	x.clock.advance(time.Hour)
	renew(b).want(400, "invalid_grant")
	if !slices.Contains(x.events(b.sid), "session_ended:idle_timeout") {
		t.Errorf("the session did not end: %v", x.events(b.sid))
	}
	root = x.as(x.signedIn("root", "token"))
	// Others keep the server's limits, and none gets a wider one.
	wide := x.program(directory.Client{ID: "wide", Grants: allGrants, AccessTokenTTL: 24 * time.Hour})
	n := x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basicAuth("wide", wide)).want(200).field("expires_in")
	if n < "285" || n > "300" {
		t.Errorf("a client with a wider limit got %s s", n)
	}
	for member, v := range map[string]any{"access_token_ttl": -1, "refresh_idle": 1 << 40, "jwks": map[string]any{"keys": []int{}}} {
		a := x.call("POST", "/v1/admin/clients", map[string]any{"id": "bad", member: v}, root).want(400, "invalid_request")
		if !strings.Contains(a.body, `\"`+member+`\"`) {
			t.Errorf("%s: the answer does not name it: %s", member, a.body)
		}
	}
}

// The server has its signing key make way when it is old enough, with an event,
// and no token is refused for it.
func TestASigningKeyMakesWayByItself(t *testing.T) {
	x := newSite(t, func(c *Config) { c.KeyRotation = 24 * time.Hour })
	phases := func() (out []token.Phase) {
		for _, k := range x.s.keys.List(x.clock.Now()) {
			out = append(out, k.Phase)
		}
		return out
	}
	step := func(d time.Duration, want ...token.Phase) {
		t.Helper()
		x.clock.advance(d)
		before := x.signedIn("ada", "token")
		x.s.rotateDue()
		if got := phases(); !slices.Equal(got, want) {
			t.Errorf("after %v the keys are %v, want %v", d, got, want)
		}
		x.call("GET", "/v1/session", nil, x.as(before)).want(200)
		x.call("GET", "/v1/session", nil, x.as(x.signedIn("ada", "token"))).want(200)
	}
	step(0, token.PhaseSigning)
	step(23*time.Hour, token.PhaseSigning)
	step(time.Hour, token.PhaseSigning, token.PhaseAnnounced)
	step(9*time.Minute, token.PhaseSigning, token.PhaseAnnounced)
	step(time.Minute, token.PhaseRetired, token.PhaseSigning)
	step(12*time.Hour, token.PhaseRemoved, token.PhaseSigning)
	step(12*time.Hour, token.PhaseSigning, token.PhaseAnnounced) // by the age of the newer one
	records, err := x.s.trail.Query(audit.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range records {
		if r.Event.Name == audit.KeyRotated && r.Event.Reason == "scheduled" && r.Event.Actor == "system" && r.Event.Attrs["kid"] != "" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d events for 2 rotations", n)
	}
}

func TestSettingsOfTokensAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*Config)
		setting string
	}{
		"a rotation that never rests":   {func(c *Config) { c.KeyRotation = time.Minute }, "key-rotation"},
		"a rotation back in time":       {func(c *Config) { c.KeyRotation = -time.Hour }, "key-rotation"},
		"an internal audience, unnamed": {func(c *Config) { c.InternalAudience = []string{""} }, "internal-audience"},
		"the issuer as internal audience": {func(c *Config) {
			c.Issuer, c.TrustedProxies, c.InternalAudience = "https://app.example", []string{"127.0.0.1"}, []string{"https://app.example"}
		}, "internal-audience"},
		"an internal audience and no proxy": {func(c *Config) { c.InternalAudience = []string{"stock"} }, "internal-audience"},
	} {
		cfg := defaults(t.TempDir())
		c.change(&cfg)
		if _, err := cfg.resolve(nil); err == nil || !strings.HasPrefix(err.Error(), "setting "+c.setting+": ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
