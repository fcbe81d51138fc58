package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
)

// req: LIFE-14, REVOKE-22
func TestAPersonSeesTheirOwnSessionsAndNoOthers(t *testing.T) {
	x := newSite(t)
	var mine []*badge
	for i := range 25 {
		mine = append(mine, x.signedIn("ada", []string{"cookie", "token"}[i%2]))
		x.signedIn("bob", "token")
		x.clock.advance(time.Second)
	}
	me := mine[7]
	var seen []string
	for cursor, pages := "", 0; ; pages++ {
		a := x.call("GET", "/v1/sessions?limit=10&cursor="+url.QueryEscape(cursor), nil, x.as(me)).want(200)
		var page api.Sessions
		a.json(&page)
		for _, s := range page.Sessions {
			if s.Subject != "ada" || s.Current != (s.SID == me.sid) {
				t.Errorf("the list has %+v", s)
			}
			seen = append(seen, s.SID)
		}
		for _, b := range mine {
			for _, secret := range []string{b.cookie, b.access, b.refresh} {
				if secret != "" && strings.Contains(a.body, secret) {
					t.Error("a credential is in the list")
				}
			}
		}
		if cursor = page.Next; cursor == "" || pages > 10 {
			break
		}
	}
	var want []string
	for _, b := range slices.Backward(mine) {
		want = append(want, b.sid)
	}
	if !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v, newest first", seen, want)
	}
}

// req: REVOKE-9
func TestAForeignSessionIsAnsweredLikeNone(t *testing.T) {
	x := newSite(t)
	ada, bob := x.signedIn("ada", "cookie"), x.signedIn("bob", "token")
	var want string
	for i, sid := range []string{lanyard.SID{1, 2, 3}.String(), bob.sid, "x", strings.Repeat("0", 26)} {
		a := x.call("DELETE", "/v1/sessions/"+sid, nil, x.as(ada)).want(404, "not_found")
		if got := stripped(a); i == 0 {
			want = got
		} else if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", sid, got, want)
		}
	}
	x.call("GET", "/v1/session", nil, x.as(bob)).want(200)
	x.call("POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "all"}, x.as(ada)).want(200)
	x.call("GET", "/v1/session", nil, x.as(bob)).want(200)
}

// req: REVOKE-11, HTTP-2, COOKIE-15
func TestLogoutIsForTheOwnPagesAndAlwaysSucceeds(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "cookie")
	for _, path := range []string{"/v1/logout", "/logout"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
			if a := x.call(method, path, nil, x.as(b)); a.status != 405 || a.header.Get("Allow") != "POST" {
				t.Errorf("%s %s: got %d, Allow %q", method, path, a.status, a.header.Get("Allow"))
			}
		}
		for name, o := range map[string]option{
			"cross-site":     header("Sec-Fetch-Site", "cross-site"),
			"same-site":      header("Sec-Fetch-Site", "same-site"),
			"another origin": header("Origin", "https://evil.example"),
			"no origin":      header("Origin", "null"),
		} {
			a := x.call("POST", path, nil, x.as(b), o)
			if a.status != 403 || a.header.Get("Set-Cookie") != "" || a.header.Get("Clear-Site-Data") != "" {
				t.Errorf("%s, %s: got %d %v", path, name, a.status, a.header)
			}
			// SameSite keeps the cookie back, and yet nothing is cleared.
			if a := x.call("POST", path, nil, o); a.status != 403 || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s, %s, without the cookie: got %d %v", path, name, a.status, a.header)
			}
		}
	}
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	for range 2 {
		a := x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
		if a.header.Get("Clear-Site-Data") != `"storage"` {
			t.Errorf("Clear-Site-Data is %q", a.header.Get("Clear-Site-Data"))
		}
		want := x.s.m.CookieName() + "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
		if got := a.header["Set-Cookie"]; len(got) != 1 || !sameAttributes(got[0], want) {
			t.Errorf("the cookie is deleted by %q, want %q", got, want)
		}
	}
	x.call("POST", "/v1/logout", nil).want(204)
	x.call("POST", "/v1/logout", nil, func() option { o := *b; o.access = "x"; return x.as(&o) }()).want(401)
	if a := x.call("POST", "/logout", url.Values{}, x.as(x.signedIn("ada", "cookie"))); a.status != 303 || a.header.Get("Location") != "/signed-out" {
		t.Errorf("by form: got %d %q", a.status, a.header.Get("Location"))
	}
}

func sameAttributes(got, want string) bool {
	split := func(s string) []string {
		parts := strings.Split(s, ";")
		for i := range parts {
			parts[i] = strings.ToLower(strings.TrimSpace(parts[i]))
		}
		slices.Sort(parts)
		return parts
	}
	return slices.Equal(slices.DeleteFunc(split(got), func(p string) bool { return strings.HasPrefix(p, "expires=") }), split(want))
}

// req: REVOKE-10
func TestLogoutIsReachableFromEveryPage(t *testing.T) {
	x := newSite(t)
	g := x.signedIn("root", "cookie")
	b := x.browser().wears(g)
	for _, target := range append(x.targets(g.sid), "GET /nothing", "GET /console/sessions/x") {
		method, path, _ := strings.Cut(target, " ")
		if method != "GET" || apiPath(path) || strings.HasPrefix(path, "/assets/") {
			continue
		}
		a := b.send("GET", path, nil)
		if a.status/100 == 3 {
			continue
		}
		if !strings.Contains(a.body, `action="/logout"`) {
			t.Errorf("%s (%d) has no way out", path, a.status)
		}
	}
}

// Every unsafe request that a cookie authenticates is checked before anything
// is done, on every route there is.
//
// req: CSRF-1, CSRF-4, CSRF-14, CSRF-17
func TestNoRouteTakesAForgedRequest(t *testing.T) {
	for _, profile := range []string{"standard", "strict"} {
		x := newSite(t, func(c *Config) { c.Profile = profile })
		g, victim := x.signedIn("root", "cookie"), x.signedIn("bob", "token")
		before := x.state()
		forged := map[string]option{
			"no headers":       func(r *http.Request) { r.Header.Del("Origin") },
			"cross-site":       header("Sec-Fetch-Site", "cross-site"),
			"same-site":        header("Sec-Fetch-Site", "same-site"),
			"another origin":   header("Origin", "https://evil.example"),
			"a longer origin":  header("Origin", x.url+".evil.example"),
			"no origin":        header("Origin", "null"),
			"two origins":      func(r *http.Request) { r.Header["Origin"] = []string{x.url, x.url} },
			"an unknown value": header("Sec-Fetch-Site", "sideways"),
		}
		for _, target := range x.targets(victim.sid) {
			method, path, _ := strings.Cut(target, " ")
			// The ways in, and the programs' endpoints, rest on no cookie; the ways in have a check of their own, see
			// TestLoginIsProtectedAgainstForgery.
			if method == "GET" || strings.HasPrefix(path, "/oauth2/") || strings.HasPrefix(path, "/v1/revocations/") || slices.Contains([]string{"/login", "/v1/login", "/v1/session/redeem"}, path) {
				continue
			}
			for name, o := range forged {
				for _, body := range []any{struct{}{}, url.Values{"confirm": {"x"}, "name": {"dan"}, "reason": {"r"}}} {
					a := x.call(method, path, body, x.as(g), o)
					if a.status != 403 || a.header.Get("Set-Cookie") != "" || apiPath(path) && a.code() != "cross_origin" {
						t.Errorf("%s, %s, %s: got %d %s", profile, target, name, a.status, a.body)
					}
				}
			}
			if profile == "strict" {
				for name, o := range map[string]option{
					"no token": header("Sec-Fetch-Site", "same-origin"), "an empty one": header("X-CSRF-Token", ""), "another's": header("X-CSRF-Token", x.signedInCSRF("ada")),
					"one in the address": func(r *http.Request) { r.URL.RawQuery = "csrf_token=" + url.QueryEscape(g.csrf) },
					"one in a cookie":    func(r *http.Request) { r.Header.Set("Cookie", r.Header.Get("Cookie")+"; csrf_token="+g.csrf) },
				} {
					if a := x.call(method, path, struct{}{}, x.as(g), o); a.status != 403 || a.code() != "csrf_token" {
						t.Errorf("%s, %s with %s: got %d %s", profile, target, name, a.status, a.body)
					}
				}
			}
		}
		if after := x.state(); profile == "standard" && after != before {
			t.Errorf("a forged request changed something:\n%s\n%s", before, after)
		}
		if !slices.ContainsFunc(x.events(g.sid), func(e string) bool { return strings.HasPrefix(e, "csrf_refused") }) {
			t.Errorf("no refusal is in the audit trail: %v", x.events(g.sid))
		}
		x.call("GET", "/v1/session", nil, x.as(victim)).want(200)
	}
}

func (x *site) signedInCSRF(name string) string { return x.signedIn(name, "cookie").csrf }

// In a profile that wants it, the token of GET /v1/session opens every unsafe
// call, by header or by form.
//
// req: CSRF-5
func TestStrictProfilesWantTheForgeryToken(t *testing.T) {
	for _, profile := range []string{"standard", "strict", "aal1", "aal2"} {
		x := newSite(t, func(c *Config) { c.Profile = profile })
		g := x.signedIn("ada", "cookie")
		wants := profile == "strict" || profile == "aal2"
		a := x.call("POST", "/v1/session/token", struct{}{}, x.as(g))
		if wants {
			a.want(403, "csrf_token")
		} else {
			a.want(200)
		}
		token := x.call("GET", "/v1/session", nil, x.as(g)).want(200).field("csrf_token")
		x.call("POST", "/v1/session/token", struct{}{}, x.as(g), header("X-CSRF-Token", token)).want(200)
		x.call("POST", "/v1/session/token", struct{}{}, x.as(g), header("X-CSRF-Token", g.csrf)).want(200)
		// The token also stands in for the headers of a browser that sends none.
		bare := func(r *http.Request) { r.Header.Del("Origin") }
		x.call("POST", "/v1/session/token", struct{}{}, x.as(g), bare).want(403, "cross_origin")
		x.call("POST", "/v1/session/token", struct{}{}, x.as(g), bare, header("X-CSRF-Token", token)).want(200)
		if a := x.call("POST", "/account/sessions/end-others", url.Values{"csrf_token": {token}}, x.as(g)); a.status != 303 {
			t.Errorf("%s: a form of the own page is refused: %d %s", profile, a.status, a.body)
		}
		// A token session needs none.
		app := x.signedIn("ada", "token")
		x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(app)).want(200)
		window := x.s.m.Policy().RefreshRetryWindow > 0
		x.refresh(app.refresh).want(200)
		if got := x.refresh(app.refresh).status == 200; got != window {
			t.Errorf("%s: a repeated refresh works is %v, want %v", profile, got, window)
		}
	}
}

// req: LOGIN-11, REVOKE-7
func TestChangingThePasswordNeedsTheCurrentOne(t *testing.T) {
	x := newSite(t)
	web, other := x.signedIn("ada", "cookie"), x.signedIn("ada", "token")
	no := false
	change := func(b *badge, current, chosen string, others *bool) *answer {
		return x.call("POST", "/v1/password", api.PasswordRequest{Current: current, New: chosen, EndOthers: others}, x.as(b))
	}
	change(web, "wrong", "another long passphrase", nil).want(401, "invalid_credentials")
	for _, weak := range []string{"short", "passwordpassword", strings.Repeat("a", 20), strings.Repeat("x", 5000)} {
		if a := change(web, goodPassword, weak, nil).want(400, "password_refused"); a.field("message") == "" {
			t.Error("the refusal does not say why")
		}
	}
	x.call("GET", "/v1/session", nil, x.as(other)).want(200)
	a := change(web, goodPassword, "another long passphrase", &no).want(204)
	x.call("GET", "/v1/session", nil, x.as(other)).want(200)
	// The own cookie is a new one, the old one is dead.
	x.call("GET", "/v1/session", nil, x.as(web)).want(401)
	web.cookie, _ = a.setCookie(x.s.m.CookieName())
	x.call("GET", "/v1/session", nil, x.as(web)).want(200)
	a = change(web, "another long passphrase", "yet another passphrase", nil).want(204)
	web.cookie, _ = a.setCookie(x.s.m.CookieName())
	x.call("GET", "/v1/session", nil, x.as(other)).want(401)
	x.call("GET", "/v1/session", nil, x.as(web)).want(200)
}

// Asking whether one is still signed in keeps nobody signed in.
//
// req: LIFE-12, LIFE-6
func TestPassiveAndRefusedRequestsAreNoActivity(t *testing.T) {
	x := newSite(t, func(c *Config) { c.IdleTimeout = 30 * time.Minute })
	b, root := x.signedIn("ada", "cookie"), x.signedIn("root", "cookie")
	idle := func(b *badge) string {
		return x.call("GET", "/v1/session?passive=1", nil, x.as(b)).want(200).field("session", "idle_expires_at")
	}
	want, wantRoot := idle(b), idle(root)
	x.clock.advance(20 * time.Minute)
	x.call("POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "all"}, x.as(b)).want(401)
	x.call("POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "all"}, x.as(b), header("Origin", "https://evil.example")).want(403)
	x.call("GET", "/v1/admin/users", nil, x.as(root)).want(401, "insufficient_user_authentication")
	x.call("POST", "/v1/session/token?passive=1", api.TokenRequest{}, x.as(b)).want(200) // a page that works by itself
	if got := idle(b); got != want {
		t.Errorf("the deadline moved from %s to %s", want, got)
	}
	if got := idle(root); got != wantRoot {
		t.Errorf("the administrator's deadline moved from %s to %s", wantRoot, got)
	}
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	if got := idle(b); got == want {
		t.Error("a request of a person does not move the deadline")
	}
	x.clock.advance(30 * time.Minute)
	x.call("GET", "/v1/session?passive=1", nil, x.as(b)).want(401)
}

// The oldest session gives way at the limit.
func TestTheLimitOfSessionsHoldsAtLogin(t *testing.T) {
	x := newSite(t, func(c *Config) { c.MaxSessions = 3 })
	var all []*badge
	for range 5 {
		all = append(all, x.signedIn("ada", "token"))
		x.clock.advance(time.Second)
	}
	for i, b := range all {
		want := 200
		if i < 2 {
			want = 401
		}
		x.call("GET", "/v1/session", nil, x.as(b)).want(want)
	}
	if !slices.Contains(x.events(all[0].sid), "session_ended:session_limit") && !slices.Contains(x.events(all[0].sid), "session_ended:limit") {
		t.Errorf("the trail says %v", x.events(all[0].sid))
	}
}
