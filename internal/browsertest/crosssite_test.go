package browsertest

import (
	"fmt"
	"html/template"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// attack is a request that a page of another site makes people's browsers send.
type attack struct {
	Path   string
	Fields map[string]string
}

// evilSite serves a page with a form for each attack, and returns its port. The
// browser finds it under any name.
func evilSite(t *testing.T, target string, attacks []attack) string {
	t.Helper()
	page := template.Must(template.New("").Parse(`<!doctype html><title>Win a prize</title>
{{range $i, $a := .Attacks}}<form method="post" action="{{$.Target}}{{$a.Path}}">
{{range $name, $value := $a.Fields}}<input type="hidden" name="{{$name}}" value="{{$value}}">{{end}}
<button id="a{{$i}}">Take it</button></form>{{end}}`))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if r.URL.Path == "/" {
				page.Execute(w, map[string]any{"Target": target, "Attacks": attacks})
			}
		}),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// The names differ in what the browser does: for a foreign site and for a
// sibling of localhost it keeps the cookies back, for another port of this host
// it sends them all, SameSite=Strict too.
//
// req: CSRF-13
// attack: C1, C6, C10
func TestFormsOfOtherSitesChangeNothing(t *testing.T) {
	for _, host := range []string{"evil.test", "other.localhost", "localhost"} {
		t.Run("from "+host, func(t *testing.T) {
			s := newSite(t)
			s.addUser("ada", password, true)
			s.addUser("mallory", password, false)
			phone := s.signInProgram("ada", "phone")
			b := s.newTab()
			b.signIn("ada", password)
			keys := s.signingKeys()
			handle, cookies := b.handle(), len(b.cookies())
			const chosen = "seven loud herons above Porto"
			attacks := []attack{
				{"/login", map[string]string{"username": "mallory", "password": password}},
				{"/logout", nil},
				{"/account/sessions/end-others", nil},
				{"/account/password", map[string]string{"current": password, "new": chosen, "end_others": "1"}},
				{"/console/users/mallory/disable", nil},
			}
			if host == "localhost" { // the only one of them with cookies
				attacks = append(attacks, []attack{
					{"/account/sessions/" + phone.login.Session.SID + "/end", nil},
					{"/account/confirm", map[string]string{"password": password, "pending_path": "/account/sessions/end-others"}},
					{"/console/sessions/" + phone.login.Session.SID + "/end", map[string]string{"reason": "because"}},
					{"/console/users", map[string]string{"name": "mallory2"}},
					{"/console/users/ada/reset", nil},
					{"/console/keys/rotate", nil},
					{"/v1/logout", nil},
					{"/v1/sessions/revoke", nil},
				}...)
			}
			port := evilSite(t, s.url, attacks)
			for i, a := range attacks {
				b.open("http://" + host + ":" + port + "/")
				got := b.follow("posting to "+a.Path, chromedp.Click(chromedp.CSS(fmt.Sprintf("#a%d", i))))
				// Without the cookie the form leads to the login page, and from
				// there, a plain navigation of a person who is signed in, to the
				// account page.
				if at := b.path(); got < 400 && at != "/login" && at != "/account" {
					t.Errorf("posting to %s: %d at %s", a.Path, got, at)
				}
				if b.handle() != handle || len(b.cookies()) != cookies {
					t.Errorf("posting to %s changed the browser's cookies", a.Path)
				}
				s.wantHandle(handle, 200)
				phone.want(200)
			}
			if got := s.signingKeys(); got != keys {
				t.Errorf("the signing keys are %s, were %s", got, keys)
			}
			b.open("/console/users")
			b.says("mallory")
			b.silentAbout("mallory2", "Disabled")
			b.open("/console/audit")
			b.silentAbout("password_changed", "session_ended", "key_rotated", "user_disabled", "password_reset")
			s.wantLive("mallory", 0)
			s.wantLive("ada", 2)
		})
	}
}

// signingKeys are the keys that the server publishes.
func (s *site) signingKeys() string {
	s.t.Helper()
	_, body := s.call("GET", "/.well-known/jwks.json", nil, nil)
	return string(body)
}

// req: CSRF-13
// attack: B10, C5
func TestNobodyIsSignedInByAnotherSite(t *testing.T) {
	for _, host := range []string{"evil.test", "other.localhost", "localhost"} {
		t.Run("from "+host, func(t *testing.T) {
			s := newSite(t)
			s.addUser("mallory", password, false)
			// A pre-session of the attacker's own does not help, planted in this
			// browser from another port, with its token in the form.
			own := s.newTab()
			own.open("/login")
			token := eval[string](own, `document.querySelector("[name=csrf_token]").value`)
			pre := own.cookies()[cookieName+"-pre"]
			attacks := []attack{
				{"/login", map[string]string{"username": "mallory", "password": password}},
				{"/login", map[string]string{"username": "mallory", "password": password, "csrf_token": token}},
			}
			port := evilSite(t, s.url, attacks)
			b := s.newTab()
			b.open("/login")
			_, err := chromedp.Call(b.ctx, network.SetCookie, network.SetCookieParams{
				Name: pre.Name, Value: pre.Value, URL: s.url, Path: "/", Secure: new(true), HTTPOnly: new(true), SameSite: network.CookieSameSiteLax,
			})
			if err != nil || b.cookies()[pre.Name].Value != pre.Value {
				t.Fatal("planting the pre-session:", err)
			}
			for i := range attacks {
				b.open("http://" + host + ":" + port + "/")
				if got := b.follow("posting to /login", chromedp.Click(chromedp.CSS(fmt.Sprintf("#a%d", i)))); got != 403 {
					t.Errorf("a login by a page of %s: %d, want 403", host, got)
				}
			}
			if b.handle() != "" {
				t.Error("the browser is signed in as the attacker")
			}
			s.wantLive("mallory", 0)
		})
	}
}

// Scripts of other sites can neither read an answer nor have an effect.
//
// attack: C11
func TestScriptsOfOtherSitesReachNothing(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	phone := s.signInProgram("ada", "phone")
	port := evilSite(t, s.url, nil)
	b := s.newTab()
	b.signIn("ada", password)
	for _, host := range []string{"evil.test", "other.localhost", "localhost"} {
		b.open("http://" + host + ":" + port + "/")
		got := eval[string](b, `(async () => {
			const out = [];
			for (const [method, path, mode] of [["GET", "/account", "cors"], ["GET", "/v1/session", "cors"], ["DELETE", "/v1/sessions/`+phone.login.Session.SID+`", "cors"],
				["POST", "/v1/sessions/revoke", "no-cors"], ["POST", "/logout", "no-cors"], ["POST", "/account/sessions/end-others", "no-cors"]]) {
				try {
					const r = await fetch("`+s.url+`" + path, {method, mode, credentials: "include",
						body: method === "POST" ? new URLSearchParams({scope: "all"}) : undefined});
					const text = await r.text();
					if (text !== "") out.push(path + ": " + text.slice(0, 40));
				} catch {}
			}
			const frame = document.createElement("iframe");
			frame.src = "`+s.url+`/account";
			const loaded = new Promise(done => frame.onload = done);
			document.body.append(frame);
			await loaded;
			try { if (frame.contentDocument?.body.innerText) out.push("frame: " + frame.contentDocument.body.innerText) } catch {}
			return out.join("; ");
		})()`)
		if got != "" {
			t.Errorf("a script of %s reads %s", host, got)
		}
		s.wantHandle(b.handle(), 200)
		phone.want(200)
	}
	s.wantLive("ada", 2)
	b.complaints() // of the other sites' pages, about all that failed
	if len(b.foreign) == 0 {
		t.Error("the requests to the other sites went unnoticed")
	}
}
