package browsertest

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// A cookie that does not say SameSite goes along with a form of another site for
// two minutes after it was set, also when it was set anew just for that. Ours
// says it, so a form in a window of its own comes without.
//
// attack: C8
func TestMatrixOfFreshCookiesInTheLaxWindow(t *testing.T) {
	browser, conf := openBrowser(t)
	e := newEvil(t, conf)
	s := newStage(t, browser, conf, "standard")
	e.front.Store(s.front)
	// A cookie beside ours, as a careless site would have set it.
	var careless atomic.Int32
	s.front.change(func(rules *rules) {
		rules.after = func(h http.Header) {
			if len(h["Set-Cookie"]) > 0 {
				h.Add("Set-Cookie", "careless=1; Path=/; Secure; HttpOnly")
			}
		}
		rules.before = func(_ http.ResponseWriter, r *http.Request) bool {
			if _, err := r.Cookie("careless"); err == nil && r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
				careless.Add(1)
			}
			return false
		}
	})
	b := s.openTab()
	s.signInHere(b)
	e.visit(b, second)
	form := ways[slicesIndex("form into another window")]
	e.send(b, second, form, s.shots("lax-0-"))
	if careless.Load() == 0 {
		t.Error("the cookie without SameSite did not come along, so this shows nothing")
	}
	for k, list := range s.front.visitsOf("lax-0-") {
		for _, v := range list {
			if v.session {
				t.Errorf("%s came with the session cookie", targets[k].pattern)
			}
		}
	}
	b.open("/account")
	b.at("/account")
}

func slicesIndex(name string) int {
	for i, x := range ways {
		if x.name == name {
			return i
		}
	}
	return -1
}

// A page of the site in a frame of another one could be clicked by somebody who
// sees something else. The browser shows none, not to a sibling either, which is
// of the same site and whose frame has the person's cookies.
//
// attack: C12
func TestMatrixOfFrames(t *testing.T) {
	browser, conf := openBrowser(t)
	e := newEvil(t, conf)
	s := newStage(t, browser, conf, "standard")
	e.front.Store(s.front)
	var framed, styles atomic.Int32
	s.front.change(func(rules *rules) {
		rules.after = func(h http.Header) { h.Set("Cache-Control", "no-store") }
		rules.before = func(_ http.ResponseWriter, r *http.Request) bool {
			if _, err := r.Cookie(cookieName); err == nil && r.Header.Get("Sec-Fetch-Dest") == "iframe" {
				framed.Add(1)
			}
			if r.Header.Get("Sec-Fetch-Dest") == "style" {
				styles.Add(1)
			}
			return false
		}
	})
	b := s.openTab()
	s.signInHere(b)
	pages := []string{"/account", "/login", "/reset", "/signed-out", "/console", "/console/users", "/console/keys", "/console/sessions/" + s.values["sid"], "/no-such-page"}
	// shown reports whether a page of the site is rendered in a frame: then, and
	// only then, its stylesheet is asked for.
	shown := func(from attacker, path string) bool {
		e.visit(b, from)
		before := styles.Load()
		eval[bool](b, `new Promise(done => { const f = document.createElement("iframe"); f.onload = () => done(true); f.src = "`+s.url+path+`"; document.body.append(f) })`)
		return styles.Load() > before
	}
	for _, path := range pages {
		for _, from := range []attacker{second, sibling} {
			if shown(from, path) {
				t.Errorf("%s is shown in a frame of the %s", path, from)
			}
		}
	}
	if framed.Load() == 0 {
		t.Error("no frame came with the person's cookie, so this shows little")
	}
	// Without the headers that forbid it the frame is there.
	s.front.change(func(rules *rules) {
		rules.after = func(h http.Header) {
			h.Set("Cache-Control", "no-store")
			h.Del("Content-Security-Policy")
			h.Del("X-Frame-Options")
			h.Del("Cross-Origin-Resource-Policy")
		}
	})
	for _, from := range []attacker{second, sibling} {
		if !shown(from, "/account") {
			t.Errorf("without its headers the page is not shown in a frame of the %s either; the test cannot tell", from)
		}
	}
}

// A WebSocket handshake is a GET that no CORS rule stops and that brings the
// cookies along. Behind Manager.Handler, which asks csrf.DecideUpgrade, sockets
// open to the application's own pages only; an application that takes the cookie
// without that talks to everybody.
//
// req: CSRF-11
// attack: C9
func TestMatrixOfWebSockets(t *testing.T) {
	browser, conf := openBrowser(t)
	e := newEvil(t, conf)
	var careful, careless struct{ shaken, opened atomic.Int32 } // handshakes asked for, sockets made
	mux := http.NewServeMux()
	port := listenTLS(t, conf, mux)
	own := "https://" + victimHost + ":" + port
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: own, Cookie: lanyard.CookieConfig{SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: true}})
	if err != nil {
		t.Fatal(err)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte("<!doctype html><link rel=icon href=data:,><title>App</title>"))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := m.CheckLogin(r, false); err != nil {
			m.WriteError(w, r, err)
			return
		}
		g, err := m.Start(r.Context(), lanyard.Login{Subject: "ada", Methods: []string{"pwd"}, Request: r})
		if err == nil {
			err = m.Write(w, r, g)
		}
		if err != nil {
			m.WriteError(w, r, err)
		}
	})
	socket := func(w http.ResponseWriter, r *http.Request, opened *atomic.Int32) {
		conn := upgrade(w, r)
		if conn == nil {
			return
		}
		defer conn.Close()
		opened.Add(1)
		if err := echo(conn, "hello "+lanyard.From(r.Context()).Subject()+": "); err != nil {
			t.Error(err)
		}
	}
	mux.Handle("GET /careful", counted(&careful.shaken, m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket(w, r, &careful.opened)
	}))))
	mux.HandleFunc("GET /careless", func(w http.ResponseWriter, r *http.Request) {
		plain := r.Clone(r.Context())
		plain.Header.Del("Upgrade") // so that it looks like a link that was followed
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, who *http.Request) {
			socket(w, r.WithContext(who.Context()), &careless.opened)
		})).ServeHTTP(w, plain)
	})
	b := (&stage{site: &site{t: t, url: own}, browser: browser}).openTab()
	b.open("/")
	if got := eval[int](b, `fetch("/login", {method: "POST"}).then(r => r.status)`); got != 200 {
		t.Fatalf("signing in: %d", got)
	}
	talk := func(path string) string {
		return eval[string](b, `new Promise(done => { const s = new WebSocket("`+strings.Replace(own, "https:", "wss:", 1)+path+`");
			s.onopen = () => s.send("who am I"); s.onmessage = e => done(e.data); s.onerror = () => done("closed") })`)
	}
	const answer = "hello ada: who am I"
	if got := talk("/careful"); got != answer {
		t.Errorf("the own page's socket: %q", got)
	}
	for _, from := range []string{e.at(secondHost), e.at(siblingHost)} {
		b.open(from + "/")
		if got := talk("/careful"); got != "closed" {
			t.Errorf("a socket of %s: %q", from, got)
		}
		if got := talk("/careless"); got != answer {
			t.Errorf("a socket of %s to an application that does not ask: %q, so this shows nothing", from, got)
		}
	}
	if careful.shaken.Load() != 3 || careful.opened.Load() != 1 || careless.opened.Load() != 2 {
		t.Errorf("handshakes %d, sockets %d; without the check %d", careful.shaken.Load(), careful.opened.Load(), careless.opened.Load())
	}
}

func counted(n *atomic.Int32, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		next.ServeHTTP(w, r)
	})
}
