package server

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxAge is how long a browser is told to keep the session cookie: 0 for until it
// is closed.
func (x *site) maxAge(a *answer) int {
	x.t.Helper()
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == x.s.m.CookieName() {
			return c.MaxAge
		}
	}
	x.t.Fatalf("%s sets no session cookie: %v", a.asked, a.header)
	return 0
}

func (b *browser) signInRemembered(box string) *answer {
	b.x.t.Helper()
	token := b.send("GET", "/login", nil).want(200).token()
	form := url.Values{"csrf_token": {token}, "username": {"ada"}, "password": {goodPassword}}
	if box != "" {
		form.Set("remember", box)
	}
	return b.send("POST", "/login", form).want(303)
}

// req: COOKIE-12
func TestADeviceIsRememberedIfItsPersonAsks(t *testing.T) {
	const week = 7 * 24 * 60 * 60
	x := newSite(t)
	if page := x.browser().send("GET", "/login", nil).want(200); strings.Contains(page.body, `name="remember"`) {
		t.Error("by default the login page offers to remember the device")
	}
	if got := x.maxAge(x.browser().signInRemembered("1")); got != 0 {
		t.Errorf("what was not offered is kept for %d seconds", got)
	}

	x = newSite(t, func(c *Config) { c.Remember = week * time.Second })
	page := x.browser().send("GET", "/login", nil).want(200)
	if !strings.Contains(page.body, `type="checkbox" name="remember"`) || strings.Contains(page.body, "checked") || !strings.Contains(page.body, "for 7 days at most") {
		t.Errorf("the offer is %s", page.body)
	}
	if got := x.maxAge(x.browser().signInRemembered("")); got != 0 {
		t.Errorf("without the tick it is kept for %d seconds", got)
	}
	b := x.browser()
	if got := x.maxAge(b.signInRemembered("1")); got != week {
		t.Errorf("with the tick it is kept for %d seconds, want %d", got, week)
	}
	// A new cookie of the same session is kept as long, within the session's limit.
	x.clock.advance(11 * time.Minute)
	x.signedIn("ada", "token")
	form := b.post("/account", "/account/sessions/end-others", url.Values{}).want(403).fields()
	form.Set("password", goodPassword)
	if got := x.maxAge(b.send("POST", "/account/confirm", form).want(303)); got != week {
		t.Errorf("after a confirmation it is kept for %d seconds, want %d", got, week)
	}
	// Programs are offered nothing.
	x.call("POST", "/v1/login", map[string]any{"username": "ada", "password": goodPassword, "remember": true}).want(400)
	if got := x.maxAge(x.call("POST", "/v1/login", map[string]any{"username": "ada", "password": goodPassword}).want(200)); got != 0 {
		t.Errorf("a login without a page is kept for %d seconds", got)
	}
	// A wrong password does not lose the tick.
	again := x.browser()
	token := again.send("GET", "/login", nil).token()
	wrong := again.send("POST", "/login", url.Values{"csrf_token": {token}, "username": {"ada"}, "password": {"wrong"}, "remember": {"1"}}).want(401)
	if !strings.Contains(wrong.body, `value="1" checked`) {
		t.Errorf("the tick is lost: %s", wrong.body)
	}
}

// Two presses send the same form twice. Nobody sees an error, one session begins,
// and the second request leads where the first one does.
func TestALoginFormThatIsSentTwiceSignsInOnce(t *testing.T) {
	x := newSite(t)
	b := x.browser()
	token := b.send("GET", "/login?return_to=/console", nil).want(200).token()
	form := url.Values{"csrf_token": {token}, "username": {"root"}, "password": {goodPassword}, "return_to": {"/console"}}
	twins := []*browser{x.browser(), x.browser()}
	answers := make([]*answer, len(twins))
	var all sync.WaitGroup
	for i, twin := range twins {
		for name, value := range b.cookies {
			twin.cookies[name] = value
		}
		all.Go(func() { answers[i] = twin.send("POST", "/login", form) })
	}
	all.Wait()
	cookies := 0
	for _, a := range answers {
		if a.status != 303 || a.header.Get("Location") != "/console" {
			t.Errorf("got %d %q", a.status, a.header.Get("Location"))
		}
		if _, ok := a.setCookie(x.s.m.CookieName()); ok {
			cookies++
		}
	}
	if cookies != 1 || x.live("root") != 1 {
		t.Errorf("%d cookies and %d sessions, want one of each", cookies, x.live("root"))
	}
	// The second one never signs anybody in, right password or not.
	form.Set("username", "ada")
	late := x.browser()
	late.cookies = b.cookies
	if _, ok := late.send("POST", "/login", form).want(303).setCookie(x.s.m.CookieName()); ok || x.live("ada") != 0 {
		t.Error("a form that was used signs somebody in")
	}
}

func TestPasswordManagersFindWhereAPasswordIsChanged(t *testing.T) {
	x := newSite(t)
	for name, b := range map[string]*browser{"signed in": x.browser().wears(x.signedIn("ada", "cookie")), "nobody": x.browser()} {
		a := b.send("GET", "/.well-known/change-password", nil).want(303)
		if got := a.header.Get("Location"); got != "/account#change" {
			t.Errorf("%s: it leads to %q", name, got)
		}
	}
	if page := x.browser().wears(x.signedIn("ada", "cookie")).send("GET", "/account", nil); strings.Count(page.body, `id="change"`) != 1 {
		t.Error("the account page has no such place")
	}
	// By this address browsers tell whether a server answers 200 to everything.
	x.browser().send("GET", "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200", nil).want(404)
}
