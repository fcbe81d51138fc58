package lanyard_test

import (
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// written returns the one Set-Cookie line of a grant.
func (w *world) written(g *lanyard.Grant) string {
	w.t.Helper()
	a := httptest.NewRecorder()
	if err := w.Write(a, get("/"), g); err != nil {
		w.t.Fatal(err)
	}
	if lines := setCookies(a); len(lines) == 1 {
		return lines[0]
	}
	w.t.Fatalf("Set-Cookie %q", setCookies(a))
	return ""
}

// req: COOKIE-2, COOKIE-6, COOKIE-12, COOKIE-16
// attack: B7, B8
func TestDefaultSessionCookie(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	line := w.written(g)
	if want := "__Host-Http-session=" + g.Handle.Reveal() + "; Path=/; Secure; HttpOnly; SameSite=Lax"; line != want {
		t.Errorf("%s", line)
	}
	if strings.Contains(strings.ToLower(lanyard.DefaultCookieName), "lanyard") || strings.Contains(strings.ToLower(lanyard.DefaultCookieName), "go") {
		t.Error("the name tells of the product")
	}
}

// req: COOKIE-3, COOKIE-6, COOKIE-16
// attack: B7
func TestConfiguredSessionCookie(t *testing.T) {
	for name, row := range map[string]struct {
		c    lanyard.CookieConfig
		want string
	}{
		"strict":      {lanyard.CookieConfig{SameSite: http.SameSiteStrictMode}, "__Host-Http-session=X; Path=/; Secure; HttpOnly; SameSite=Strict"},
		"none, asked": {lanyard.CookieConfig{SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: true}, "__Host-Http-session=X; Path=/; Secure; HttpOnly; SameSite=None"},
		"named":       {lanyard.CookieConfig{Name: "id"}, "id=X; Path=/; Secure; HttpOnly; SameSite=Lax"},
		"shared":      {lanyard.CookieConfig{Name: "__Secure-id", Domain: "app.example"}, "__Secure-id=X; Path=/; Domain=app.example; Secure; HttpOnly; SameSite=Lax"},
	} {
		w := newWorld(t, func(c *lanyard.Config) { c.Cookie = row.c })
		g := w.startCookie()
		got := strings.Replace(w.written(g), g.Handle.Reveal(), "X", 1)
		if sortAttributes(got) != sortAttributes(row.want) {
			t.Errorf("%s: %s", name, got)
		}
		if !w.cookieWorks(g) {
			t.Errorf("%s: it is not read back", name)
		}
	}
}

func sortAttributes(line string) string {
	parts := strings.Split(line, "; ")
	for i := range parts[1:] {
		for j := i + 1; j < len(parts)-1; j++ {
			if parts[j+1] < parts[i+1] {
				parts[i+1], parts[j+1] = parts[j+1], parts[i+1]
			}
		}
	}
	return strings.Join(parts, "; ")
}

// req: COOKIE-12
func TestPersistentCookieEndsWithItsSession(t *testing.T) {
	maxAge := func(w *world, g *lanyard.Grant) string {
		_, after, found := strings.Cut(w.written(g), "; Max-Age=")
		if !found {
			return ""
		}
		age, _, _ := strings.Cut(after, ";")
		return age
	}
	w := newWorld(t)
	if got := maxAge(w, w.startCookie()); got != "" {
		t.Errorf("by default it persists: %s", got)
	}
	asked := w.start(lanyard.Login{Persistent: true})
	if got := maxAge(w, asked); got != "2592000" {
		t.Errorf("asked for at login: %q", got)
	}
	w.clock.advance(90*time.Minute + 300*time.Millisecond)
	if got := maxAge(w, asked); got != "2586599" {
		t.Errorf("written later: %q, want what is left", got)
	}
	long := newWorld(t, func(c *lanyard.Config) {
		c.Cookie.Persistent, c.Policy.AbsoluteTimeout = true, 400*24*time.Hour
	})
	if got := maxAge(long, long.startCookie()); got != "34560000" {
		t.Errorf("400 days: %q", got)
	}
	short := newWorld(t, func(c *lanyard.Config) { c.Cookie.MaxAge = 29*24*time.Hour + time.Millisecond })
	if got := maxAge(short, short.startCookie()); got != "" {
		t.Errorf("a limit makes it persist: %s", got)
	}
	asked = short.start(lanyard.Login{Persistent: true})
	if got := maxAge(short, asked); got != "2505600" {
		t.Errorf("within its own limit: %q, want 29 days", got)
	}
	short.clock.advance(23 * time.Hour)
	if !short.cookieWorks(asked) {
		t.Fatal("the session is over")
	}
	short.clock.advance(23 * time.Hour)
	if got := maxAge(short, asked); got != "2426400" {
		t.Errorf("near the session's limit: %q, want what is left of the session", got)
	}
}

// req: COOKIE-9
func TestOneAnswerHasOneLineForEachCookie(t *testing.T) {
	w := newWorld(t)
	first := w.startCookie()
	a := httptest.NewRecorder()
	// A dead cookie is deleted, a login sets one, a step-up replaces it.
	r := w.withCookie(post("/login"), "garbage")
	w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.Write(rw, r, first); err != nil {
			t.Error(err)
		}
		up, err := w.Elevate(r.Context(), first.Session, lanyard.Elevation{Methods: []string{"otp"}})
		if err != nil {
			t.Error(err)
		}
		first = up
		if err := w.Write(rw, r, up); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(a, r)
	lines := setCookies(a)
	if len(lines) != 1 || !strings.Contains(lines[0], first.Handle.Reveal()) || strings.Contains(lines[0], "Max-Age") {
		t.Errorf("Set-Cookie %q", lines)
	}
}

// req: COOKIE-15
func TestBrowserForgetsTheCookieAtLogout(t *testing.T) {
	w := newWorld(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	home, _ := url.Parse(site)
	g := w.startCookie()
	a := httptest.NewRecorder()
	if err := w.Write(a, get("/"), g); err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(home, a.Result().Cookies())
	if len(jar.Cookies(home)) != 1 {
		t.Fatal("the jar has no cookie")
	}
	a = httptest.NewRecorder()
	if err := w.Logout(a, w.withCookie(post("/logout"), jar.Cookies(home)[0].Value)); err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(home, a.Result().Cookies())
	if left := jar.Cookies(home); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// req: COOKIE-13
func TestCookieIsJudgedByItsRecordAlone(t *testing.T) {
	w := newWorld(t)
	g := w.start(lanyard.Login{Persistent: true})
	// A thief's copy has no Max-Age: it works while the session lives, no longer.
	w.clock.advance(23 * time.Hour)
	if !w.cookieWorks(g) {
		t.Error("refused while the session lives")
	}
	w.clock.set(w.record(g.Session.SID()).IdleExpiresAt.Time())
	if w.cookieWorks(g) {
		t.Error("accepted after the session")
	}
}

// req: COOKIE-14
// attack: B11
func TestHandleHoldsNothingButItsOwnNumbers(t *testing.T) {
	w := newWorld(t)
	g := w.start(lanyard.Login{Subject: "ann-of-green-gables", Device: "typewriter"})
	raw, err := base64.RawURLEncoding.DecodeString(g.Handle.Reveal())
	if err != nil || len(raw) != 75 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	sid := g.Session.SID()
	if raw[0] != 1 || string(raw[3:19]) != string(sid[:]) {
		t.Errorf("% x", raw)
	}
	for _, word := range []string{"ann", "green", "typewriter", "203.0", "pwd", "app.example"} {
		if strings.Contains(string(raw), word) {
			t.Errorf("%q is in it", word)
		}
	}
}

// req: COOKIE-5, LOG-4
func TestHandleIsShownNowhereButInItsCookie(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	handle := g.Handle.Reveal()
	a := httptest.NewRecorder()
	if err := w.Write(a, get("/"), g); err != nil {
		t.Fatal(err)
	}
	s := w.send(w.withCookie(get("/"), handle))
	drawn, err := w.AccessToken(t.Context(), g.Session, "")
	if err != nil {
		t.Fatal(err)
	}
	out := httptest.NewRecorder()
	if err := w.Write(out, get("/"), drawn); err != nil {
		t.Fatal(err)
	}
	a.Header().Del("Set-Cookie")
	var headers strings.Builder
	for _, h := range []http.Header{a.Header(), s.answer.Header(), out.Header()} {
		h.Write(&headers)
	}
	for where, text := range map[string]string{
		"a header": headers.String(), "a body": a.Body.String() + s.answer.Body.String() + out.Body.String(),
		"a claim": w.rawClaims(drawn), "the log": w.logs.String(),
	} {
		if strings.Contains(text, handle) || strings.Contains(text, handle[40:80]) {
			t.Errorf("the handle is in %s", where)
		}
	}
}
