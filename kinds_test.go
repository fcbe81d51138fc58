package lanyard_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/token"
)

// door is a place that takes one kind of credential.
type door struct {
	kind string
	open func(w *world, text string) bool
}

var doors = []door{
	{"handle", func(w *world, text string) bool { return w.accepted(w.withCookie(get("/"), text)) }},
	{"access token", func(w *world, text string) bool { return w.accepted(bearer(get("/"), text)) }},
	{"refresh token", func(w *world, text string) bool { _, err := w.FindRefresh(w.t.Context(), text); return err == nil }},
	{"refresh token", func(w *world, text string) bool { _, err := w.renew(text); return err == nil }},
	{"hand-off code", func(w *world, text string) bool {
		_, err := w.Redeem(w.t.Context(), text, lanyard.Redemption{})
		return err == nil
	}},
	{"pre-session", func(w *world, text string) bool {
		cookies := w.CookieName() + "-pre=" + text
		next, _, err := w.seeBrowser(cookies)
		return err == nil && next == cookies // no new one was needed
	}},
	{"device", func(w *world, text string) bool {
		return w.KnownDevice(withRaw(get("/"), w.CookieName()+"-device="+text), "ann")
	}},
	{"forgery token", func(w *world, text string) bool {
		g := w.startCookie()
		r := w.withCookie(bare("POST"), g.Handle.Reveal())
		return w.accepted(header(r, "X-CSRF-Token", text)) // of a session that it was not made for
	}},
}

// allKinds makes one credential of each kind, for one subject.
func allKinds(t *testing.T, w *world) map[string]string {
	t.Helper()
	cookie, tokens := w.startCookie(), w.startToken()
	code, _, err := w.Handoff(t.Context(), cookie.Session, lanyard.Handoff{Channel: lanyard.ChannelToken, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	pre, _, err := w.seeBrowser("")
	if err != nil {
		t.Fatal(err)
	}
	a := httptest.NewRecorder()
	if err := w.RememberDevice(a, get("/"), "ann"); err != nil {
		t.Fatal(err)
	}
	csrf, err := w.CSRFTokenFor(cookie)
	if err != nil {
		t.Fatal(err)
	}
	value := func(pair string) string {
		pair, _, _ = strings.Cut(pair, ";")
		_, v, _ := strings.Cut(pair, "=")
		return v
	}
	return map[string]string{
		"handle": cookie.Handle.Reveal(), "access token": tokens.Access.Reveal(), "refresh token": tokens.Refresh.Reveal(),
		"hand-off code": code.Reveal(), "pre-session": value(pre), "device": value(setCookies(a)[0]), "forgery token": csrf,
		"sid": cookie.Session.SID().String(), "sid of the tokens": tokens.Session.SID().String(),
	}
}

// req: SID-9, SID-10, KEY-3, COOKIE-17, COOKIE-14
// attack: B9
func TestEachCredentialOpensTheDoorOfItsKindOnly(t *testing.T) {
	w := newWorld(t)
	for kind, text := range allKinds(t, w) {
		for _, d := range doors {
			want := kind == d.kind && kind != "forgery token"
			if got := d.open(w, text); got != want {
				t.Errorf("%s at the door for a %s: %v", kind, d.kind, got)
			}
		}
	}
}

// req: SID-5, KEY-3
func TestCredentialsOfAnotherServerOpenNothing(t *testing.T) {
	w := newWorld(t)
	key, err := token.GenerateKey(token.ES256, w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	other := newWorld(t, func(c *lanyard.Config) {
		c.Keys = someKeys(t, 5)
		if c.TokenKeys, err = token.NewKeySet(token.KeysConfig{Now: c.Now}, key); err != nil {
			t.Fatal(err)
		}
	})
	for kind, text := range allKinds(t, other) {
		for _, d := range doors {
			if d.open(w, text) {
				t.Errorf("a foreign %s opens the door for a %s", kind, d.kind)
			}
		}
	}
	for _, constant := range []string{"", "0", strings.Repeat("A", 100), "admin", "null", "undefined", "lanyard"} {
		for _, d := range doors {
			if d.open(w, constant) {
				t.Errorf("%q opens the door for a %s", constant, d.kind)
			}
		}
	}
}

// req: SID-4
func TestTamperingWithAnyByteOfACredentialOpensNothing(t *testing.T) {
	w := newWorld(t)
	g, tokens := w.startCookie(), w.startToken()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	flip := func(text string, i int) string {
		at := strings.IndexByte(alphabet, text[i])
		return text[:i] + string(alphabet[at^1]) + text[i+1:]
	}
	handle := g.Handle.Reveal()
	for i := range len(handle) {
		if w.accepted(w.withCookie(get("/"), flip(handle, i))) {
			t.Errorf("handle with byte %d flipped", i)
		}
	}
	refresh := tokens.Refresh.Reveal()
	for i := range len(refresh) {
		if _, err := w.renew(flip(refresh, i)); err == nil {
			t.Errorf("refresh token with byte %d flipped", i)
		}
	}
	if !w.cookieWorks(g) {
		t.Error("tampering ended the session")
	}
	w.mustRenew(refresh)
}

// req: COOKIE-1, COOKIE-4, COOKIE-6, COOKIE-19
// attack: B8, A4
func TestEveryCookieKindIsSecureAndNeverWrittenInTheClear(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	writers := map[string]func(http.ResponseWriter, *http.Request) error{
		"session": func(rw http.ResponseWriter, r *http.Request) error { return w.Write(rw, r, g) },
		"pre": func(rw http.ResponseWriter, r *http.Request) error {
			_, err := w.Prepare(rw, r)
			return err
		},
		"device": func(rw http.ResponseWriter, r *http.Request) error { return w.RememberDevice(rw, r, "ann") },
		"anonymous": func(rw http.ResponseWriter, r *http.Request) (err error) {
			w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				err = cart.Update(rw, r, func(c *[]string) error { *c = []string{"hat"}; return nil })
			})).ServeHTTP(rw, r)
			return err
		},
	}
	for kind, write := range writers {
		a := httptest.NewRecorder()
		if err := write(a, get("/")); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		lines := setCookies(a)
		if len(lines) != 1 {
			t.Fatalf("%s: %q", kind, lines)
		}
		for _, attr := range []string{"; Secure", "; HttpOnly", "; Path=/", "; SameSite="} {
			if strings.Count(lines[0], attr) != 1 {
				t.Errorf("%s: %s in %s", kind, attr, lines[0])
			}
		}
		if strings.Contains(lines[0], "Domain") || !strings.HasPrefix(lines[0], "__Host-Http-") {
			t.Errorf("%s: %s", kind, lines[0])
		}
		if a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", kind, a.Header().Get("Cache-Control"))
		}
		for how, clear := range map[string]func(*http.Request){
			"plain":                      func(r *http.Request) { r.TLS = nil },
			"plain, claiming a proxy":    func(r *http.Request) { r.TLS = nil; r.Header.Set("X-Forwarded-Proto", "https") },
			"plain, claiming loopback":   func(r *http.Request) { r.TLS = nil; r.Header.Set("X-Forwarded-For", "127.0.0.1") },
			"plain, for a loopback name": func(r *http.Request) { r.TLS = nil; r.Host = "localhost" },
		} {
			r := get("/")
			clear(r)
			a := httptest.NewRecorder()
			err := write(a, r)
			wantCause(t, err, lanyard.CauseInsecure)
			if len(setCookies(a)) > 0 {
				t.Errorf("%s, %s: %q", kind, how, setCookies(a))
			}
		}
	}
	// Tokens do not go out in the clear either.
	r := get("/")
	r.TLS = nil
	a := httptest.NewRecorder()
	wantCause(t, w.Write(a, r, w.startToken()), lanyard.CauseInsecure)
	if a.Body.Len() > 0 {
		t.Errorf("body %s", a.Body)
	}
}
