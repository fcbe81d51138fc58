package lanyard_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// bare is a request that changes something, without any header of a browser.
func bare(method string) *http.Request {
	r := get("/transfer")
	r.Method = method
	return r
}

// forgeries are what pages of other sites, and of siblings, can make a browser
// send.
var forgeries = map[string]func(http.Header){
	"cross-site":                      func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
	"a sibling host":                  func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
	"a word of the future":            func(h http.Header) { h.Set("Sec-Fetch-Site", "same-planet") },
	"another origin":                  func(h http.Header) { h.Set("Origin", "https://evil.example") },
	"an opaque origin":                func(h http.Header) { h.Set("Origin", "null") },
	"the own host in the clear":       func(h http.Header) { h.Set("Origin", "http://app.example") },
	"the own host on another port":    func(h http.Header) { h.Set("Origin", "https://app.example:8443") },
	"a host that ends like ours":      func(h http.Header) { h.Set("Origin", "https://notapp.example") },
	"a host that starts like ours":    func(h http.Header) { h.Set("Origin", "https://app.example.evil.example") },
	"two origins, one of them ours":   func(h http.Header) { h["Origin"] = []string{site, "https://evil.example"} },
	"neither header":                  func(http.Header) {},
	"the own origin but cross-site":   func(h http.Header) { h.Set("Origin", site); h.Set("Sec-Fetch-Site", "cross-site") },
	"a token in the query and a body": func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site"); h.Set("X-Csrf-Token", "x") },
}

// The cookie is SameSite=None in the second row: nothing rests on SameSite.
//
// req: CSRF-1, CSRF-17, CSRF-18
func TestForgedRequestNeverReachesItsHandler(t *testing.T) {
	for name, sameSite := range map[string]http.SameSite{"Lax": http.SameSiteLaxMode, "None": http.SameSiteNoneMode} {
		w := newWorld(t, func(c *lanyard.Config) {
			c.Cookie.SameSite, c.Cookie.InsecureSameSiteNone = sameSite, true
		})
		g := w.startCookie()
		before := w.record(g.Session.SID())
		for trick, forge := range forgeries {
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"} {
				r := w.withCookie(bare(method), g.Handle.Reveal())
				forge(r.Header)
				w.events.take()
				s := w.send(r)
				if s.ran || s.answer.Code != http.StatusForbidden {
					t.Errorf("%s, %s %s: ran %v, answered %d", name, method, trick, s.ran, s.answer.Code)
				}
				if events := w.events.take(); len(events) != 1 || events[0].Name != "csrf_refused" || events[0].SID != g.Session.SID().String() {
					t.Errorf("%s, %s %s: events %q", name, method, trick, names(events))
				}
				if strings.Contains(s.answer.Body.String(), "evil") {
					t.Errorf("the answer repeats the request: %s", s.answer.Body)
				}
			}
		}
		if after := w.record(g.Session.SID()); after.Version != before.Version {
			t.Error("a refused request was written down as activity")
		}
	}
}

// req: CSRF-1
func TestRequestsFromTheOwnPagesPass(t *testing.T) {
	w := newWorld(t, func(c *lanyard.Config) { c.TrustedOrigins = []string{"https://partner.example"} })
	g := w.startCookie()
	token, err := w.CSRFToken(g.Session)
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]func(http.Header){
		"same-origin":             func(h http.Header) { h.Set("Sec-Fetch-Site", "same-origin") },
		"typed into the bar":      func(h http.Header) { h.Set("Sec-Fetch-Site", "none") },
		"the own origin":          func(h http.Header) { h.Set("Origin", site) },
		"a trusted origin":        func(h http.Header) { h.Set("Origin", "https://partner.example"); h.Set("Sec-Fetch-Site", "cross-site") },
		"neither, with its token": func(h http.Header) { h.Set("X-Csrf-Token", token) },
	} {
		r := w.withCookie(bare("POST"), g.Handle.Reveal())
		header(r.Header)
		if s := w.send(r); !s.ran || !s.session.SignedIn() {
			t.Errorf("%s: answered %d", name, s.answer.Code)
		}
	}
}

// A token authenticates by a header that no foreign page can send, and the
// cookie beside it is not looked at.
//
// req: CSRF-21
func TestTokenRequestsNeedNoForgeryCheckBecauseTheyIgnoreCookies(t *testing.T) {
	w := newWorld(t, profile("strict"))
	ann, bob := w.start(lanyard.Login{Subject: "ann"}), w.start(lanyard.Login{Subject: "bob", Channel: lanyard.ChannelToken})
	r := bearer(w.withCookie(bare("POST"), ann.Handle.Reveal()), bob.Access.Reveal())
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if s := w.send(r); !s.ran || s.session.Subject() != "bob" {
		t.Errorf("answered %d", s.answer.Code)
	}
	s := w.sendNeed(w.withCookie(get("/"), ann.Handle.Reveal()), lanyard.Need{Channel: lanyard.ChannelToken})
	if s.ran || s.answer.Code != http.StatusUnauthorized {
		t.Errorf("a cookie on a route for tokens: ran %v, %d", s.ran, s.answer.Code)
	}
}

// req: CSRF-5, CSRF-7
// attack: C4
func TestStrictProfileDemandsTheSessionsOwnToken(t *testing.T) {
	w := newWorld(t, profile("strict"))
	g, other := w.startCookie(), w.start(lanyard.Login{Subject: "bob"})
	mint := func(g *lanyard.Grant) string {
		token, err := w.CSRFTokenFor(g)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	own := mint(g)
	if again := mint(g); again == own {
		t.Error("two renderings are the same")
	}
	for _, row := range []struct {
		name   string
		change func(*http.Request) *http.Request
		passes bool
	}{
		{"in the header", func(r *http.Request) *http.Request { return header(r, "X-CSRF-Token", own) }, true},
		{"in a form field", func(r *http.Request) *http.Request { return form(r, "csrf_token="+own+"&to=bob") }, true},
		{"none", func(r *http.Request) *http.Request { return r }, false},
		{"empty", func(r *http.Request) *http.Request { return header(r, "X-CSRF-Token", "") }, false},
		{"of another session", func(r *http.Request) *http.Request { return header(r, "X-CSRF-Token", mint(other)) }, false},
		{"in the query", func(r *http.Request) *http.Request { r.URL.RawQuery = "csrf_token=" + own; return r }, false},
		{"in a cookie", func(r *http.Request) *http.Request {
			r.Header.Set("Cookie", r.Header.Get("Cookie")+"; csrf_token="+own)
			return r
		}, false},
		{"the handle", func(r *http.Request) *http.Request { return header(r, "X-CSRF-Token", g.Handle.Reveal()) }, false},
		{"from another site", func(r *http.Request) *http.Request {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			return header(r, "X-CSRF-Token", own)
		}, false},
	} {
		r := row.change(w.withCookie(post("/transfer"), g.Handle.Reveal()))
		s := w.send(r)
		if s.ran != row.passes {
			t.Errorf("%s: ran %v, answered %d %s", row.name, s.ran, s.answer.Code, s.answer.Body)
		}
		if !row.passes && s.answer.Code != http.StatusForbidden {
			t.Errorf("%s: answered %d", row.name, s.answer.Code)
		}
	}
}

// req: FIX-7
func TestForgeryTokensDieWithEveryNewAuthentication(t *testing.T) {
	w := newWorld(t, profile("strict"))
	pre := w.anonymous(t)
	_, before, err := w.seeBrowser(pre)
	if err != nil {
		t.Fatal(err)
	}
	g := w.start(lanyard.Login{Request: withRaw(post("/login"), pre)})
	use := func(handle, token string) int {
		return w.send(header(w.withCookie(post("/transfer"), handle), "X-CSRF-Token", token)).answer.Code
	}
	if code := use(g.Handle.Reveal(), before); code != http.StatusForbidden {
		t.Errorf("a token of the time before login: %d", code)
	}
	first, err := w.CSRFTokenFor(g)
	if err != nil {
		t.Fatal(err)
	}
	if code := use(g.Handle.Reveal(), first); code != http.StatusOK {
		t.Errorf("the session's own: %d", code)
	}
	up, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}})
	if err != nil {
		t.Fatal(err)
	}
	if code := use(up.Handle.Reveal(), first); code != http.StatusForbidden {
		t.Errorf("a token of the time before the step-up: %d", code)
	}
}

// seeBrowser shows a login page to a browser with a Cookie header and returns
// the header it sends next and the form's token.
func (w *world) seeBrowser(cookies string) (next, token string, err error) {
	a := httptest.NewRecorder()
	r := get("/login")
	if cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token, err = w.Prepare(rw, r)
	})).ServeHTTP(a, r)
	next = cookies
	for _, line := range setCookies(a) {
		pair, _, _ := strings.Cut(line, ";")
		if next != "" {
			next += "; "
		}
		next += pair
	}
	return next, token, err
}

// submit sends a login form and reports what the check of logins says.
func (w *world) submit(r *http.Request, isForm bool) (err error) {
	w.t.Helper()
	ran := false
	a := httptest.NewRecorder()
	w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ran = true
		if err = w.CheckLogin(r, isForm); err == nil {
			err = w.SpendLogin(r)
		}
	})).ServeHTTP(a, r)
	if !ran {
		w.t.Fatalf("the handler did not run: %d %s", a.Code, a.Body)
	}
	return err
}

// req: CSRF-13
// attack: B10, C4
func TestLoginFormIsBoundToTheBrowserItWasShownTo(t *testing.T) {
	w := newWorld(t)
	cookies, token, err := w.seeBrowser("")
	if err != nil {
		t.Fatal(err)
	}
	otherCookies, otherToken, err := w.seeBrowser("")
	if err != nil {
		t.Fatal(err)
	}
	send := func(cookies, token, site string) error {
		r := post("/login")
		if cookies != "" {
			r.Header.Set("Cookie", cookies)
		}
		r.Header.Set("Sec-Fetch-Site", site)
		return w.submit(form(r, "username=ann&password=x&csrf_token="+token), true)
	}
	wantCause(t, send(cookies, token, "cross-site"), lanyard.CauseForgery)
	wantCause(t, send(cookies, "", "same-origin"), lanyard.CauseCSRFToken)
	wantCause(t, send("", token, "same-origin"), lanyard.CauseCSRFToken)
	wantCause(t, send(cookies, otherToken, "same-origin"), lanyard.CauseCSRFToken)
	wantCause(t, send(otherCookies, token, "same-origin"), lanyard.CauseCSRFToken)
	if err := send(cookies, token, "same-origin"); err != nil {
		t.Errorf("the honest form: %v", err)
	}
	// A form that succeeded is spent.
	wantCause(t, send(cookies, token, "same-origin"), lanyard.CauseCSRFToken)
	if err := send(otherCookies, otherToken, "same-origin"); err != nil {
		t.Errorf("another browser's form: %v", err)
	}
}

// req: CSRF-13
func TestProgramLoginPassesAndAPageOfAnotherSiteDoesNot(t *testing.T) {
	w := newWorld(t)
	for name, row := range map[string]struct {
		change func(http.Header)
		want   lanyard.Cause
	}{
		"a program":           {func(http.Header) {}, ""},
		"the own page":        {func(h http.Header) { h.Set("Sec-Fetch-Site", "same-origin") }, ""},
		"another site's page": {func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") }, lanyard.CauseForgery},
		"another origin":      {func(h http.Header) { h.Set("Origin", "https://evil.example") }, lanyard.CauseForgery},
	} {
		r := bare("POST")
		row.change(r.Header)
		if err := w.submit(r, false); lanyard.CauseOf(err) != row.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// People open the login page while they are signed in, and use it.
func TestLoginFormWorksForABrowserThatIsSignedIn(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	cookies, token, err := w.seeBrowser(w.CookieName() + "=" + g.Handle.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	again, second, err := w.seeBrowser(cookies)
	if err != nil || again != cookies {
		t.Errorf("the page shown twice changed the cookies: %v", err)
	}
	for _, tok := range []string{token, second} {
		r := withRaw(post("/login"), cookies)
		if err := w.submit(form(r, "csrf_token="+tok), true); err != nil && lanyard.CauseOf(err) != lanyard.CauseCSRFToken {
			t.Fatal(err)
		} else if tok == token && err != nil {
			t.Errorf("the honest form is refused: %v", err)
		}
	}
}

// A cookie is not sent with another site's form, being SameSite, and yet the
// answer's deletion of it would take effect.
func TestLogoutFromAnotherSiteTouchesNoCookie(t *testing.T) {
	for name, carry := range map[string]bool{"with the cookie": true, "without, as SameSite has it": false} {
		w := newWorld(t)
		g := w.startCookie()
		r := bare("POST")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if carry {
			w.withCookie(r, g.Handle.Reveal())
		}
		a := httptest.NewRecorder()
		err := w.Logout(a, r)
		wantCause(t, err, lanyard.CauseForgery)
		if len(setCookies(a)) > 0 || a.Header().Get("Clear-Site-Data") != "" {
			t.Errorf("%s: header %v", name, a.Header())
		}
		if !w.cookieWorks(g) {
			t.Errorf("%s: signed out", name)
		}
	}
}

// req: REVOKE-2, HTTP-2
func TestLogoutEndsTheSessionOfEitherBadgeAndIsIdempotent(t *testing.T) {
	w := newWorld(t)
	cookie, tokens := w.startCookie(), w.startToken()
	for name, request := range map[string]func() *http.Request{
		"cookie": func() *http.Request { return w.withCookie(post("/logout"), cookie.Handle.Reveal()) },
		"token":  func() *http.Request { return bearer(bare("POST"), tokens.Access.Reveal()) },
	} {
		w.events.take()
		for range 2 {
			a := httptest.NewRecorder()
			if err := w.Logout(a, request()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !deletes(setCookies(a), w.CookieName()) || a.Header().Get("Clear-Site-Data") != `"storage"` || a.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: header %v", name, a.Header())
			}
		}
		ended := 0
		for _, e := range w.events.take() {
			if e.Name == "session_ended" {
				ended++
				if e.Reason != "logout" || e.Actor != "ann" {
					t.Errorf("%s: %+v", name, e)
				}
			}
		}
		if ended != 1 {
			t.Errorf("%s: %d events of the end", name, ended)
		}
	}
	if w.cookieWorks(cookie) || w.bearerWorks(tokens) {
		t.Error("a badge works after logout")
	}
	_, err := w.renew(tokens.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseEnded)
}
