package lanyard_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// setCookies returns the Set-Cookie lines of an answer.
func setCookies(a *httptest.ResponseRecorder) []string { return a.Header()["Set-Cookie"] }

// deletes reports whether one line deletes the cookie.
func deletes(lines []string, name string) bool {
	for _, line := range lines {
		if strings.HasPrefix(line, name+"=;") && strings.Contains(line, "Max-Age=0") {
			return true
		}
	}
	return false
}

// req: COOKIE-11
func TestWhoARequestIsRecognisedAs(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.start(lanyard.Login{Subject: "ann"}), w.start(lanyard.Login{Subject: "bob", Channel: lanyard.ChannelToken})
	cookie, access := ann.Handle.Reveal(), bob.Access.Reveal()
	name := w.CookieName()
	for _, row := range []struct {
		name   string
		change func(http.Header)
		status int
		who    string
	}{
		{"nothing", func(http.Header) {}, 200, ""},
		{"the cookie", func(h http.Header) { h.Set("Cookie", name+"="+cookie) }, 200, "ann"},
		{"the cookie among others", func(h http.Header) { h.Set("Cookie", "a=b; "+name+"="+cookie+"; theme=dark") }, 200, "ann"},
		{"a token", func(h http.Header) { h.Set("Authorization", "Bearer "+access) }, 200, "bob"},
		{"a token, scheme in another case", func(h http.Header) { h.Set("Authorization", "bEARER "+access) }, 200, "bob"},
		{"both: Authorization decides", func(h http.Header) {
			h.Set("Cookie", name+"="+cookie)
			h.Set("Authorization", "Bearer "+access)
		}, 200, "bob"},
		{"both, a bad token: the cookie does not help", func(h http.Header) {
			h.Set("Cookie", name+"="+cookie)
			h.Set("Authorization", "Bearer "+access[:len(access)-2])
		}, 401, ""},
		{"another scheme and the cookie: the cookie does not speak", func(h http.Header) {
			h.Set("Cookie", name+"="+cookie)
			h.Set("Authorization", "Basic YTpi")
		}, 200, ""},
		{"an empty Authorization and the cookie", func(h http.Header) {
			h.Set("Cookie", name+"="+cookie)
			h.Set("Authorization", "")
		}, 200, ""},
		{"two Authorization fields", func(h http.Header) { h["Authorization"] = []string{"Bearer " + access, "Bearer " + access} }, 400, ""},
		{"two Authorization fields and the cookie", func(h http.Header) {
			h["Authorization"] = []string{"Bearer " + access, "Basic YTpi"}
			h.Set("Cookie", name+"="+cookie)
		}, 400, ""},
		{"Bearer with a DPoP proof", func(h http.Header) {
			h.Set("Authorization", "Bearer "+access)
			h.Set("DPoP", "x.y.z")
		}, 400, ""},
		{"an unbound token under DPoP", func(h http.Header) { h.Set("Authorization", "DPoP "+access) }, 401, ""},
		{"the cookie twice", func(h http.Header) { h.Set("Cookie", name+"="+cookie+"; "+name+"="+cookie) }, 200, ""},
		{"the cookie in two fields", func(h http.Header) { h["Cookie"] = []string{name + "=" + cookie, name + "=" + cookie} }, 200, ""},
		{"the cookie and a planted one", func(h http.Header) { h.Set("Cookie", name+"=x; "+name+"="+cookie) }, 200, ""},
		{"a blank before the scheme", func(h http.Header) { h.Set("Authorization", " Bearer "+access) }, 200, ""},
		{"two blanks after the scheme", func(h http.Header) { h.Set("Authorization", "Bearer  "+access) }, 401, ""},
		{"no token after the scheme", func(h http.Header) { h.Set("Authorization", "Bearer") }, 401, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := get("/")
			row.change(r.Header)
			s := w.send(r)
			if s.answer.Code != row.status || s.ran != (row.status == 200) {
				t.Fatalf("answered %d, handler ran: %v", s.answer.Code, s.ran)
			}
			if s.ran && (s.session.Subject() != row.who || s.session.SignedIn() != (row.who != "")) {
				t.Errorf("recognised as %q", s.session.Subject())
			}
		})
	}
}

// req: COOKIE-11
// attack: B5
func TestCookieSentTwiceIsReportedAndNotDeleted(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	w.events.take()
	r := get("/")
	r.Header.Set("Cookie", w.CookieName()+"="+g.Handle.Reveal()+"; "+w.CookieName()+"=planted")
	s := w.sendNeed(r, lanyard.Need{})
	if s.ran || s.answer.Code != http.StatusUnauthorized {
		t.Errorf("ran %v, answered %d", s.ran, s.answer.Code)
	}
	events := w.events.take()
	wantNames(t, events, "cookie_ambiguous:ambiguous")
	if events[0].Source != homeIP {
		t.Errorf("the event tells of source %q", events[0].Source)
	}
	for _, line := range setCookies(s.answer) {
		if strings.Contains(line, "; Path=/; Max-Age") {
			t.Errorf("%s would sign the person out by a planted cookie", line)
		}
	}
	if !w.cookieWorks(g) {
		t.Error("the session ended")
	}
}

// req: COOKIE-10, COOKIE-17
// attack: B3, B9
func TestCookieUnderALookAlikeNameIsNobodys(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	for _, name := range []string{
		"__HOST-HTTP-session", "__host-http-session", "__Host-Http-Session", "session", "__Host-session", "__Secure-session",
		"__Host-Http-session-pre", "__Host-Http-session-device", "x__Host-Http-session",
	} {
		r := get("/")
		r.Header.Set("Cookie", name+"="+g.Handle.Reveal())
		if s := w.send(r); !s.ran || s.session.SignedIn() {
			t.Errorf("%s: ran %v, signed in %v", name, s.ran, s.ran && s.session.SignedIn())
		}
	}
}

// req: COOKIE-21
// attack: B6
func TestFloodOfCookiesIsNobodysAndCostsBoundedWork(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	r := get("/")
	r.Header.Set("Cookie", strings.Repeat("a=b; ", 10_000)+w.CookieName()+"="+g.Handle.Reveal())
	w.store.arm(nil)
	s := w.send(r)
	if !s.ran || s.session.SignedIn() {
		t.Errorf("ran %v, signed in %v", s.ran, s.ran && s.session.SignedIn())
	}
	if calls := w.store.made(); len(calls) > 0 {
		t.Errorf("the store was asked: %v", calls)
	}
	h := w.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	few := testing.AllocsPerRun(20, func() { h.ServeHTTP(httptest.NewRecorder(), get("/")) })
	many := testing.AllocsPerRun(20, func() { h.ServeHTTP(httptest.NewRecorder(), r) })
	if many > few+20 {
		t.Errorf("%v allocations, %v without cookies", many, few)
	}
}

// req: HTTP-22, COOKIE-15, COOKIE-13
func TestDeadCookieIsDeletedAndTheRequestGoesOnAsNobody(t *testing.T) {
	for _, row := range []struct {
		name string
		kill func(*world, *lanyard.Grant) (value string)
	}{
		{"ended", func(w *world, g *lanyard.Grant) string { w.end(g.Session.SID()); return g.Handle.Reveal() }},
		{"idle", func(w *world, g *lanyard.Grant) string {
			w.clock.set(g.Session.IdleExpiresAt())
			return g.Handle.Reveal()
		}},
		{"of another server", func(w *world, _ *lanyard.Grant) string {
			return newWorld(w.t, func(c *lanyard.Config) { c.Keys = someKeys(w.t, 9) }).startCookie().Handle.Reveal()
		}},
		{"of a record that is gone", func(w *world, _ *lanyard.Grant) string { return newWorld(w.t).startCookie().Handle.Reveal() }},
		{"garbage", func(*world, *lanyard.Grant) string { return "abc" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			value := row.kill(w, w.startCookie())
			s := w.send(w.withCookie(get("/"), value))
			if !s.ran || s.session.SignedIn() {
				t.Errorf("ran %v", s.ran)
			}
			lines := setCookies(s.answer)
			if len(lines) != 1 || !deletes(lines, w.CookieName()) {
				t.Fatalf("Set-Cookie %q", lines)
			}
			for _, attr := range []string{"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} {
				if !strings.Contains(lines[0], attr) {
					t.Errorf("the deletion lacks %s: %s", attr, lines[0])
				}
			}
			if got := s.answer.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q", got)
			}
		})
	}
}

// A request that was on its way while a step-up or a new login gave the browser a
// newer cookie must not delete that one: the two have the same name.
func TestACookieThatWasSupersededIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	old := w.startCookie()
	up, err := w.Elevate(t.Context(), old.Session, lanyard.Elevation{Methods: []string{"otp"}})
	if err != nil {
		t.Fatal(err)
	}
	w.start(lanyard.Login{Request: w.withCookie(post("/login"), up.Handle.Reveal())})
	for name, handle := range map[string]string{"by a step-up": old.Handle.Reveal(), "by a login": up.Handle.Reveal()} {
		s := w.send(w.withCookie(get("/"), handle))
		if s.session.SignedIn() || len(setCookies(s.answer)) != 0 {
			t.Errorf("%s: signed in %v, Set-Cookie %q", name, s.session.SignedIn(), setCookies(s.answer))
		}
	}
}

// An outage signs nobody out, and lets nobody in.
//
// req: HTTP-9, HTTP-22, STORE-7
func TestWhileTheStoreIsAwayEveryBadgeIsAnswered503(t *testing.T) {
	w := newWorld(t)
	cookie, tokens := w.startCookie(), w.startToken()
	pre := w.anonymous(t)
	w.store.arm(failAll)
	for name, r := range map[string]*http.Request{
		"cookie":        w.withCookie(get("/"), cookie.Handle.Reveal()),
		"unsafe cookie": w.withCookie(post("/"), cookie.Handle.Reveal()),
		"token":         bearer(get("/"), tokens.Access.Reveal()),
		"cookie of a browser with data before login": withRaw(get("/"), pre),
	} {
		s := w.send(r)
		if s.ran || s.answer.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: ran %v, answered %d", name, s.ran, s.answer.Code)
			continue
		}
		if s.answer.Header().Get("Retry-After") == "" || len(setCookies(s.answer)) > 0 {
			t.Errorf("%s: header %v", name, s.answer.Header())
		}
		if strings.Contains(s.answer.Body.String(), "10.1.2.3") {
			t.Errorf("%s: the engine's words are shown: %s", name, s.answer.Body)
		}
	}
	if !strings.Contains(w.logs.String(), "10.1.2.3") {
		t.Error("the operator learns nothing")
	}
	if s := w.send(get("/")); !s.ran {
		t.Error("a request without a credential needs no store")
	}
	w.store.arm(nil)
	if !w.cookieWorks(cookie) || !w.bearerWorks(tokens) {
		t.Error("somebody was signed out")
	}
}

func withRaw(r *http.Request, cookie string) *http.Request {
	r.Header.Set("Cookie", cookie)
	return r
}

// anonymous makes a browser that is not signed in and has a cart; it returns its
// Cookie header.
func (w *world) anonymous(t testing.TB) string {
	t.Helper()
	a := httptest.NewRecorder()
	w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := cart.Update(rw, r, func(c *[]string) error { *c = append(*c, "hat"); return nil }); err != nil {
			t.Fatal(err)
		}
	})).ServeHTTP(a, post("/cart"))
	lines := setCookies(a)
	if len(lines) != 1 {
		t.Fatalf("Set-Cookie %q", lines)
	}
	pair, _, _ := strings.Cut(lines[0], ";")
	return pair
}

// A hung store is given up within its time limit.
//
// req: STORE-7
func TestHungStoreIsGivenUpInTime(t *testing.T) {
	hung := &hungStore{Store: memory.New()}
	w := newWorldOn(t, hung, newClock(), func(c *lanyard.Config) { c.StoreTimeout = 20 * time.Millisecond })
	g := w.startCookie()
	hung.hang = true
	began := time.Now()
	s := w.send(w.withCookie(get("/"), g.Handle.Reveal()))
	if s.ran || s.answer.Code != http.StatusServiceUnavailable {
		t.Errorf("ran %v, answered %d", s.ran, s.answer.Code)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// A record that keeps changing is given up, too.
//
// req: STORE-7
func TestRetriesOfAConflictAreBounded(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	w.store.arm(func(call string, _ int) error {
		if call == "Update" {
			return lanyard.ErrConflict
		}
		return nil
	})
	_, err := w.renew(g.Refresh.Reveal())
	wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
	if n := len(w.store.made()); n > 200 {
		t.Errorf("%d store calls", n)
	}
	w.store.arm(nil)
	w.mustRenew(g.Refresh.Reveal())
}

// req: COOKIE-18, SID-9, JWT-25, CSRF-21
// attack: A3
func TestCredentialIsReadFromItsOwnPlaceOnly(t *testing.T) {
	w := newWorld(t)
	cookie, tokens := w.startCookie(), w.startToken()
	for what, text := range map[string]string{
		"handle": cookie.Handle.Reveal(), "access token": tokens.Access.Reveal(),
		"refresh token": tokens.Refresh.Reveal(), "sid": cookie.Session.SID().String(),
	} {
		for where, r := range map[string]*http.Request{
			"query":            get("/?access_token=" + text + "&session=" + text + "&" + w.CookieName() + "=" + text),
			"path":             get("/" + text),
			"form":             form(post("/"), "access_token="+text+"&"+w.CookieName()+"="+text),
			"X-Session":        header(get("/"), "X-Session", text),
			"X-Access-Token":   header(get("/"), "X-Access-Token", text),
			"Cookie2":          header(get("/"), "Cookie2", w.CookieName()+"="+text),
			"Set-Cookie":       header(get("/"), "Set-Cookie", w.CookieName()+"="+text),
			"X-Csrf-Token":     header(get("/"), "X-Csrf-Token", text),
			"Proxy-Authorizat": header(get("/"), "Proxy-Authorization", "Bearer "+text),
			"Basic":            header(get("/"), "Authorization", "Basic "+text),
		} {
			s := w.send(r)
			if !s.ran || s.session.SignedIn() {
				t.Errorf("%s in %s: ran %v, signed in %v", what, where, s.ran, s.ran && s.session.SignedIn())
			}
			if s := w.sendNeed(r, lanyard.Need{}); s.ran || s.answer.Code != http.StatusUnauthorized {
				t.Errorf("%s in %s: a guarded route answered %d", what, where, s.answer.Code)
			}
		}
	}
}

func header(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

func form(r *http.Request, body string) *http.Request {
	f := httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
	f.RemoteAddr = r.RemoteAddr
	f.Header = r.Header
	f.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return f
}

// req: SID-6
func TestUnknownHandleIsNeverAdopted(t *testing.T) {
	w := newWorld(t)
	planted := newWorld(t).startCookie().Handle.Reveal() // ours in form and key, and no record
	r := w.withCookie(post("/login"), planted)
	g := w.start(lanyard.Login{Request: r})
	if g.Handle.Reveal() == planted || w.accepted(w.withCookie(get("/"), planted)) {
		t.Error("the planted handle was adopted")
	}
	if !w.cookieWorks(g) {
		t.Error("the new one does not work")
	}
}

// req: SID-11
func TestGuessingIsThrottledAndReportedOnce(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	w.events.take()
	throttled := 0
	for range 1000 {
		s := w.send(w.withCookie(get("/"), "AQEB"+strings.Repeat("A", 96)))
		if s.ran && s.session.SignedIn() {
			t.Fatal("a guess signed in")
		}
		if s.answer.Code == http.StatusTooManyRequests {
			throttled++
			if s.ran || s.answer.Header().Get("Retry-After") == "" {
				t.Fatalf("ran %v, header %v", s.ran, s.answer.Header())
			}
		}
		if !deletes(setCookies(s.answer), w.CookieName()) {
			t.Fatal("the cookie stays, so an honest browser would go on being refused")
		}
	}
	if throttled != 900 {
		t.Errorf("%d of 1000 were throttled", throttled)
	}
	wantNames(t, w.events.take(), "credential_guessed")
	if !w.cookieWorks(g) {
		t.Error("a good credential from the same address is refused")
	}
	other := w.withCookie(get("/"), "AQEB"+strings.Repeat("A", 96))
	other.RemoteAddr = trainIP + ":1"
	if s := w.send(other); s.answer.Code != http.StatusOK {
		t.Errorf("another address is answered %d", s.answer.Code)
	}
	w.clock.advance(time.Minute)
	if s := w.send(w.withCookie(get("/"), "AQEB"+strings.Repeat("A", 96))); s.answer.Code != http.StatusOK {
		t.Errorf("a minute later: %d", s.answer.Code)
	}
}

// req: SID-7
func TestMalformedCredentialReachesNeitherStoreNorLog(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{"", "short", strings.Repeat("A", 100), strings.Repeat("B", 4000), "\"quoted\"", "a b", "a%0ab", "\x01\x02"} {
		w.store.arm(failAll)
		w.send(w.withCookie(get("/"), text))
		w.send(bearer(get("/"), text))
		w.renew(text)
		w.Redeem(t.Context(), text, lanyard.Redemption{})
		w.RevokeToken(t.Context(), text, "")
		w.FindRefresh(t.Context(), text)
		if calls := w.store.made(); len(calls) > 0 {
			t.Errorf("%.10q: the store was asked: %v", text, calls)
		}
		if len(text) > 3 && strings.Contains(w.logs.String(), text) {
			t.Errorf("%.10q is in the log", text)
		}
	}
}

// Outside of a Handler nobody is recognised, and guards refuse.
func TestWithoutAHandlerEverybodyIsNobody(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	r := w.withCookie(get("/"), g.Handle.Reveal())
	if s := lanyard.From(r.Context()); s == nil || s.SignedIn() || s.Subject() != "" || s.Generation() != 0 || !s.ExpiresAt().IsZero() {
		t.Errorf("somebody: %q", s.Subject())
	}
	a := httptest.NewRecorder()
	w.Require(lanyard.Need{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })).ServeHTTP(a, r)
	if a.Code != http.StatusUnauthorized {
		t.Errorf("answered %d", a.Code)
	}
}

// req: REVOKE-1
func TestEndOnOneNodeIsSeenByTheOther(t *testing.T) {
	store, c := memory.New(), newClock()
	one, other := newWorldOn(t, store, c), newWorldOn(t, store, c)
	cookie, tokens := one.startCookie(), one.startToken()
	if !other.cookieWorks(cookie) || !other.bearerWorks(tokens) {
		t.Fatal("the other node knows neither")
	}
	one.end(cookie.Session.SID())
	one.end(tokens.Session.SID())
	if other.cookieWorks(cookie) || other.bearerWorks(tokens) {
		t.Error("the other node accepts an ended session")
	}
	_, err := other.renew(tokens.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseEnded)
}
