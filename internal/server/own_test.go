package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
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
			// The ways in rest on no cookie and have a check of their own, see
			// TestLoginIsProtectedAgainstForgery.
			if method == "GET" || strings.HasPrefix(path, "/oauth2/") || slices.Contains([]string{"/login", "/v1/login", "/v1/session/redeem"}, path) {
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

func TestDataIsMergedAndVersioned(t *testing.T) {
	x := newSite(t)
	web, app := x.signedIn("ada", "cookie"), x.signedIn("ada", "token")
	a := x.call("GET", "/v1/session/data", nil, x.as(web)).want(200)
	if a.body != "{}\n" {
		t.Errorf("new data is %s", a.body)
	}
	first := a.header.Get("ETag")
	patch := func(text string, o ...option) *answer {
		t.Helper()
		return x.call("PATCH", "/v1/session/data", text, append([]option{x.as(web), header("Content-Type", "application/merge-patch+json")}, o...)...)
	}
	// RFC 7396, appendix A and more.
	for _, c := range []struct{ patch, want string }{
		{`{"a":"b","n":12345678901234567890.10,"deep":{"x":1,"y":[1,{"z":null}]}}`, `{"a":"b","deep":{"x":1,"y":[1,{"z":null}]},"n":12345678901234567890.10}`},
		{`{"a":null,"gone":null}`, `{"deep":{"x":1,"y":[1,{"z":null}]},"n":12345678901234567890.10}`},
		{`{"deep":{"x":null,"w":{"v":null,"u":2}}}`, `{"deep":{"w":{"u":2},"y":[1,{"z":null}]},"n":12345678901234567890.10}`},
		{`{"n":{"m":null}}`, `{"deep":{"w":{"u":2},"y":[1,{"z":null}]},"n":{}}`},
		{`{"deep":"flat","n":null}`, `{"deep":"flat"}`},
		{`{"deep":{"again":true}}`, `{"deep":{"again":true}}`},
		{`{"<script>":"\u2028é"}`, ``},
		{`{"<script>":null,"deep":null}`, `{}`},
	} {
		if a := patch(c.patch).want(200); c.want != "" && a.body != c.want+"\n" {
			t.Errorf("after %s: got %s, want %s", c.patch, a.body, c.want)
		}
	}
	if a := patch(`{}`); a.header.Get("ETag") != first {
		t.Error("equal data has another version")
	}
	one := patch(`{"cart":1}`, header("If-Match", first)).want(200).header.Get("ETag")
	patch(`{"cart":2}`, header("If-Match", first)).want(412, "precondition_failed")
	patch(`{"cart":2}`, header("If-Match", `"other"`)).want(412, "precondition_failed")
	for _, tag := range []string{"W/" + one, strings.Trim(one, `"`), `"`, one + ", " + first, `""`} {
		if a := patch(`{"cart":2}`, header("If-Match", tag)); a.status != 400 && a.status != 412 {
			t.Errorf("If-Match: %s: got %d %s", tag, a.status, a.body)
		}
	}
	patch(`{"cart":3}`, header("If-Match", "*")).want(200)
	// Activity and a step-up keep data and version; other sessions have their own.
	tag := x.call("GET", "/v1/session/data", nil, x.as(web)).want(200).header.Get("ETag")
	x.clock.advance(2 * time.Minute)
	x.call("GET", "/v1/session", nil, x.as(web)).want(200)
	web = x.badgeOf(x.call("POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(web)))
	if a := x.call("GET", "/v1/session/data", nil, x.as(web)).want(200); a.body != "{\"cart\":3}\n" || a.header.Get("ETag") != tag {
		t.Errorf("after a step-up: got %s %s, want %s", a.body, a.header.Get("ETag"), tag)
	}
	if a := x.call("GET", "/v1/session/data", nil, x.as(app)).want(200); a.body != "{}\n" {
		t.Errorf("another session has %s", a.body)
	}
	big := `{"big":"` + strings.Repeat("x", lanyard.MaxData-100) + `"}`
	patch(big).want(200)
	patch(`{"more":"`+strings.Repeat("x", 200)+`"}`).want(413, "too_large")
}

// No change of many at once is lost, and of those with one version one wins.
func TestConcurrentChangesOfDataAreAllKept(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "token")
	tag := x.call("GET", "/v1/session/data", nil, x.as(b)).want(200).header.Get("ETag")
	const n = 12
	var wg sync.WaitGroup
	won := make(chan int, n)
	for i := range n {
		wg.Go(func() {
			a := x.call("PATCH", "/v1/session/data", map[string]int{fmt.Sprint("k", i): i}, x.as(b))
			if a.status != 200 && a.status != 503 {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if a.status == 200 {
				won <- i
			}
		})
	}
	wg.Wait()
	close(won)
	var data map[string]int
	x.call("GET", "/v1/session/data", nil, x.as(b)).want(200).json(&data)
	acknowledged := 0
	for i := range won {
		acknowledged++
		if v, ok := data[fmt.Sprint("k", i)]; !ok || v != i {
			t.Errorf("the change of k%d was acknowledged and is lost", i)
		}
	}
	if acknowledged == 0 || len(data) != acknowledged {
		t.Errorf("%d changes were acknowledged, %d are there", acknowledged, len(data))
	}
	tag = x.call("GET", "/v1/session/data", nil, x.as(b)).want(200).header.Get("ETag")
	winners := make(chan bool, n)
	for i := range n {
		wg.Go(func() {
			a := x.call("PATCH", "/v1/session/data", map[string]int{"one": i}, x.as(b), header("If-Match", tag))
			if a.status == 200 {
				winners <- true
			} else if a.status != 412 && a.status != 503 {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if len(winners) != 1 {
		t.Errorf("%d of %d changes with one version won", len(winners), n)
	}
}

func TestAHandoffTakesPartOrTakesOver(t *testing.T) {
	x := newSite(t)
	for _, from := range []string{"cookie", "token"} {
		for _, to := range []string{"cookie", "token"} {
			for _, keep := range []bool{true, false} {
				name := fmt.Sprintf("%s to %s, keep %v", from, to, keep)
				origin := x.signedIn("ada", from)
				was := x.call("GET", "/v1/session", nil, x.as(origin)).want(200)
				x.clock.advance(time.Minute)
				a := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: to, Keep: &keep}, x.as(origin)).want(200)
				if a.field("expires_in") != "60" {
					t.Errorf("%s: the code is good for %s seconds", name, a.field("expires_in"))
				}
				code := a.field("code")
				x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code[:len(code)-2] + "AA"}).want(400, "invalid_grant")
				r := x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code, Device: "phone"}).want(200)
				b := x.badgeOf(r)
				if (b.cookie != "") != (to == "cookie") || (b.access != "") != (to == "token") {
					t.Errorf("%s: got %+v", name, b)
				}
				x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code}).want(400, "invalid_grant")
				s := x.call("GET", "/v1/session", nil, x.as(b)).want(200)
				for _, same := range []string{"subject", "auth_time", "expires_at", "acr"} {
					if got, want := s.field("session", same), was.field("session", same); got != want {
						t.Errorf("%s: %s is %s, the origin's was %s", name, same, got, want)
					}
				}
				if s.field("session", "device") != "phone" || s.field("session", "sid") == origin.sid {
					t.Errorf("%s: got %s", name, s.body)
				}
				if keep {
					if s.field("session", "origin") != origin.sid {
						t.Errorf("%s: it is not linked: %s", name, s.body)
					}
					x.call("GET", "/v1/session", nil, x.as(origin)).want(200)
					x.call("DELETE", "/v1/sessions/"+origin.sid, nil, x.as(b)).want(204)
					x.call("GET", "/v1/session", nil, x.as(b)).want(401)
				} else {
					if s.field("session", "origin") != "" {
						t.Errorf("%s: it is linked: %s", name, s.body)
					}
					x.call("GET", "/v1/session", nil, x.as(origin)).want(401)
					x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
				}
			}
		}
	}
	// linked=keep spares the ones that were handed off.
	origin := x.signedIn("ada", "cookie")
	code := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(origin)).want(200).field("code")
	b := x.badgeOf(x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code}))
	x.call("DELETE", "/v1/sessions/"+origin.sid+"?linked=keep", nil, x.as(origin)).want(204)
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	// A code is too late after a minute, and after the end of its session.
	late := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(b)).want(200).field("code")
	x.clock.advance(time.Minute)
	x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: late}).want(400, "invalid_grant")
	dead := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(b)).want(200).field("code")
	x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
	x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: dead}).want(400, "invalid_grant")
	for _, b := range []*badge{x.signedIn("ada", "cookie"), x.signedIn("ada", "token")} {
		for _, text := range []string{b.cookie, b.refresh, b.access} {
			if text != "" {
				x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: text}).want(400, "invalid_grant")
			}
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

// A short token that was drawn from a cookie session is for services: whoever
// holds it cannot make more of it.
func TestADrawnTokenDoesNotBecomeASession(t *testing.T) {
	x := newSite(t, func(c *Config) { c.Audience = []string{"orders"} })
	web := x.signedIn("ada", "cookie")
	a := x.call("POST", "/v1/session/token", api.TokenRequest{Resource: "orders"}, x.as(web)).want(200)
	if a.field("refresh_token") != "" || a.header.Get("Set-Cookie") != "" {
		t.Errorf("got %v %s", a.header, a.body)
	}
	drawn := &badge{access: a.field("access_token")}
	if c := claimsOf(t, drawn.access); c.Sub != "ada" || c.Exp > x.clock.Now().Add(5*time.Minute).Unix() || !strings.Contains(toJSON(c.Aud), "orders") {
		t.Errorf("the token says %+v", c)
	}
	x.call("GET", "/v1/session", nil, x.as(drawn)).want(401, "invalid_token") // it is for orders alone
	drawn.access = x.call("POST", "/v1/session/token", struct{}{}, x.as(web)).want(200).field("access_token")
	x.call("GET", "/v1/session", nil, x.as(drawn)).want(200)
	x.call("POST", "/v1/session/token", struct{}{}, x.as(drawn)).want(400, "invalid_request")
	x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(drawn)).want(400, "invalid_request")
	x.call("POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(drawn)).want(400, "invalid_request")
	x.call("POST", "/v1/session/token", struct{}{}, x.as(x.signedIn("ada", "token"))).want(400, "invalid_request")
	if a := x.call("POST", "/v1/password", api.PasswordRequest{Current: goodPassword, New: "another long passphrase"}, x.as(drawn)).want(204); a.header.Get("Set-Cookie") != "" {
		t.Error("a drawn token gets a cookie")
	}
	// Its use is no sign of a present person.
	before := x.call("GET", "/v1/session?passive=1", nil, x.as(web)).want(200).field("session", "idle_expires_at")
	x.clock.advance(4 * time.Minute)
	x.call("GET", "/v1/session", nil, x.as(drawn)).want(200)
	if after := x.call("GET", "/v1/session?passive=1", nil, x.as(web)).want(200).field("session", "idle_expires_at"); after != before {
		t.Errorf("the deadline moved from %s to %s", before, after)
	}
}
