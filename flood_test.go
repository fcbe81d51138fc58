package lanyard_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
)

const shopHost = "app.shop.example"

// browser keeps cookies as RFC 6265bis has it, which tells a cookie of one host
// from one of that host's domain. It knows no prefixes.
type browser struct {
	w    *world
	kept []kept
}

type kept struct {
	name, value, domain, path string // no domain: for this host only
	partitioned               bool
}

// plant stores a cookie for this host, with no value if it is a deletion.
func (b *browser) plant(line string) {
	b.w.t.Helper()
	pair, _, _ := strings.Cut(line, ";")
	nameless := pair == "x" || strings.HasPrefix(pair, "=")
	if nameless {
		line = "x=" + strings.TrimPrefix(line, "=")
	}
	c, err := http.ParseSetCookie(line)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if nameless {
		c.Name = ""
	}
	if c.Domain != "" && c.Domain != shopHost && !strings.HasSuffix(shopHost, "."+c.Domain) {
		return
	}
	if c.Path == "" {
		c.Path = "/"
	}
	b.kept = slices.DeleteFunc(b.kept, func(k kept) bool {
		return k.name == c.Name && k.domain == c.Domain && k.path == c.Path && k.partitioned == c.Partitioned
	})
	if c.MaxAge >= 0 {
		b.kept = append(b.kept, kept{c.Name, c.Value, c.Domain, c.Path, c.Partitioned})
	}
}

// send makes a request with the browser's cookies and keeps those of the answer.
func (b *browser) send(r *http.Request, h http.Handler) *httptest.ResponseRecorder {
	r.Host = shopHost
	var pairs []string
	for _, k := range b.kept {
		if r.URL.Path == k.path || strings.HasPrefix(r.URL.Path, strings.TrimSuffix(k.path, "/")+"/") {
			pairs = append(pairs, strings.TrimPrefix(k.name+"="+k.value, "="))
		}
	}
	if len(pairs) > 0 {
		r.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
	a := httptest.NewRecorder()
	h.ServeHTTP(a, r)
	for _, line := range setCookies(a) {
		b.plant(line)
	}
	return a
}

// who is what a page that says who is signed in says.
func (b *browser) who(path string) string {
	b.w.t.Helper()
	a := b.send(get(path), b.w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Write([]byte(lanyard.From(r.Context()).Subject()))
	})))
	if a.Code != http.StatusOK {
		b.w.t.Fatalf("%s: %d", path, a.Code)
	}
	return a.Body.String()
}

// A sibling host plants a second cookie of the session cookie's name, which its
// prefix would keep off where there is one. The request that shows it is
// nobody's; the answer to it deletes what was planted, so that the next one is
// the person's again, with no new login.
//
// req: COOKIE-11
// attack: B2, B5
func TestAPlantedCookieIsSweptAndThePersonStaysSignedIn(t *testing.T) {
	for _, name := range []string{"id", "__Secure-id", "__Host-id", lanyard.DefaultCookieName} {
		for _, scope := range []string{
			"; Domain=shop.example", "; Domain=shop.example; Path=/", "; Domain=app.shop.example; Path=/", "; Domain=shop.example; Path=/account",
			"; Domain=shop.example; Path=/account/", "; Path=/account", "; Domain=shop.example; Path=/account/orders", "; Domain=shop.example; Path=/; Partitioned",
		} {
			t.Run(name+scope, func(t *testing.T) {
				w := newWorld(t, func(c *lanyard.Config) { c.Cookie.Name = name })
				b := &browser{w: w}
				g := w.startCookie()
				b.plant(w.written(g))
				if got := b.who("/account/orders"); got != "ann" {
					t.Fatalf("before: %q", got)
				}
				b.plant(name + "=planted" + scope)
				if !strings.HasPrefix(name, "__") && !strings.Contains(scope, "Path=/account") {
					b.plant("=" + name + "=planted" + scope)
				}
				if got := b.who("/account/orders"); got != "" {
					t.Errorf("with the planted one: %q", got)
				}
				if got := b.who("/account/orders"); got != "ann" {
					t.Errorf("after it: %q", got)
				}
			})
		}
	}
}

// The login form's own cookie can be planted too, and nobody could sign in.
//
// attack: B2, B5
func TestAPlantedPreSessionDoesNotKeepPeopleFromSigningIn(t *testing.T) {
	w := newWorld(t, func(c *lanyard.Config) { c.Cookie.Name = "id" })
	b := &browser{w: w}
	login := func() (err error) {
		var token string
		b.send(get("/login"), w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if token, err = w.Prepare(rw, r); err != nil {
				t.Fatal(err)
			}
		})))
		b.send(form(post("/login"), "csrf_token="+token), w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			err = w.CheckLogin(r, true)
		})))
		return err
	}
	if err := login(); err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"; Domain=shop.example; Path=/", "; Path=/login"} {
		b.plant("id-pre=planted" + scope)
		login() // which finds out, or has found out when it showed the form
		if err := login(); err != nil {
			t.Errorf("%s: %v", scope, err)
		}
	}
}

// What a sibling plants under a name that blanks disguise is as old as it is
// wide: it is deleted by the very bytes it came in, and no others.
//
// attack: B3
func TestADisguisedCookieIsDeletedByItsOwnName(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	name := w.CookieName()
	for disguise, repeated := range map[string]bool{
		"\u2003" + name: true, name + "\u00a0": true, "\u3000\u2003" + name: true,
		strings.Repeat("\u2003", 20) + name: false, "\"" + name: false, "\t" + name: false, "x\u2003" + name: false,
	} {
		r := get("/account")
		r.Header.Set("Cookie", disguise+"=planted; "+name+"="+g.Handle.Reveal())
		s := w.send(r)
		if s.session.SignedIn() && disguise != "x\u2003"+name {
			t.Errorf("%q: signed in beside it", disguise)
		}
		found := false
		for _, line := range setCookies(s.answer) {
			if strings.HasPrefix(line, disguise+"=; Path=/; Domain=app.example; Max-Age=0; Secure") {
				found = true
			}
			if strings.Contains(line, "planted") || strings.ContainsAny(line, "\"\t\r\n") {
				t.Errorf("%q: the answer repeats the request: %q", disguise, line)
			}
		}
		if found != repeated {
			t.Errorf("%q: deleted: %v, %q", disguise, found, setCookies(s.answer))
		}
	}
}

// A flood is no sign-in problem, and saying "sign in" would send people round in
// circles: the new cookie would drown as the old one did.
//
// req: COOKIE-21
// attack: B6
func TestAFloodIsSaidToBeOneAndThereIsAWayOut(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	flood := func(r *http.Request) *http.Request {
		r.Header.Set("Cookie", strings.Repeat("bomb=x; ", 150)+w.CookieName()+"="+g.Handle.Reveal())
		return r
	}
	s := w.sendNeed(flood(get("/account")), lanyard.Need{})
	if s.ran || s.answer.Code != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("guarded: ran %v, %d", s.ran, s.answer.Code)
	}
	wantErrorBody(t, s.answer, "too_many_cookies")
	wantCause(t, w.submit(flood(post("/login")), true), lanyard.CauseFlooded)
	if s := w.send(flood(get("/"))); !s.ran || len(setCookies(s.answer)) != 0 {
		t.Errorf("a page for everybody: ran %v, Set-Cookie %q", s.ran, setCookies(s.answer))
	}

	a := httptest.NewRecorder()
	if err := w.ForgetCookies(a, flood(post("/forget"))); err != nil {
		t.Fatal(err)
	}
	if got := a.Header().Get("Clear-Site-Data"); got != `"cookies", "storage"` || a.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", a.Header())
	}
	for _, site := range []string{"cross-site", "same-site", ""} {
		r := flood(bare("POST"))
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		a := httptest.NewRecorder()
		wantCause(t, w.ForgetCookies(a, r), lanyard.CauseForgery)
		if len(a.Header()) > 0 {
			t.Errorf("Sec-Fetch-Site %q: header %v", site, a.Header())
		}
	}
	if !w.cookieWorks(g) {
		t.Error("the session ended")
	}
}

// Anybody can send two cookies, as often as they like. All are counted, and the
// trail tells of them once a minute.
//
// req: COOKIE-11
func TestAmbiguousCookiesDoNotFillTheAuditTrail(t *testing.T) {
	w := newWorld(t)
	w.startCookie()
	w.events.take()
	w.counts.take("cookie")
	name := w.CookieName()
	for range 50 {
		for _, cookies := range []string{name + "=a; " + name + "=b", "\u2003" + name + "=a", strings.Repeat("a=b; ", 200)} {
			r := get("/")
			r.Header.Set("Cookie", cookies)
			w.send(r)
		}
	}
	wantNames(t, w.events.take(), "cookie_ambiguous:ambiguous", "cookie_ambiguous:malformed", "cookie_ambiguous:too_many")
	wantCounts(t, w.counts.take("cookie"), map[string]int{"ambiguous": 50, "malformed": 50, "too_many": 100})
	w.clock.advance(61e9)
	r := get("/")
	r.Header.Set("Cookie", name+"=a; "+name+"=b")
	w.send(r)
	wantNames(t, w.events.take(), "cookie_ambiguous:ambiguous")
}
