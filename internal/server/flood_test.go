package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/audit"
)

// bombs are Cookie headers that no browser sends of its own accord, with the
// session's good cookie somewhere in them.
func bombs(good string) map[string]string {
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "c%d=%d; ", i, i)
	}
	return map[string]string{
		"ten thousand cookies":          many.String() + good,
		"the session's before the rest": good + "; " + many.String(),
		"ten thousand of its name":      strings.Repeat(good+"; ", 10_000/len(good)) + strings.Repeat("x=y; ", 9000),
		"as large as a jar gets":        strings.Repeat("bomb="+strings.Repeat("x", 4091)+"; ", 180) + good,
		"one cookie of 900 KB":          "bomb=" + strings.Repeat("x", 900<<10) + "; " + good,
		"semicolons":                    strings.Repeat(";", 200_000) + good,
	}
}

// req: COOKIE-21, HTTP-17
// attack: B6
func TestACookieBombChangesNothingAndIsAnsweredAtOnce(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "cookie")
	good := x.s.m.CookieName() + "=" + b.cookie
	before, events := x.state(), x.s.trail.Head().Seq
	for name, cookies := range bombs(good) {
		set := func(r *http.Request) {
			r.Header.Set("Cookie", cookies)
			r.Header.Set("Origin", x.url)
			r.Header.Set("Accept", "text/html")
		}
		start := time.Now()
		for _, ask := range []string{"GET /account", "GET /login", "POST /login", "POST /account/password", "GET /v1/session", "POST /v1/session/token", "DELETE /v1/sessions/" + b.sid, "GET /console"} {
			method, path, _ := strings.Cut(ask, " ")
			a := x.call(method, path, nil, set)
			if strings.HasPrefix(path, "/v1/") {
				a.want(431, "too_many_cookies")
			} else if a.want(431); !strings.Contains(a.body, "Remove these cookies") || a.header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s, %s: %s", name, ask, a.body)
			}
			if len(a.header["Set-Cookie"]) > 0 || a.header.Get("Clear-Site-Data") != "" {
				t.Errorf("%s, %s: cookies are touched unasked: %v", name, ask, a.header)
			}
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: eight answers took %v", name, took)
		}
		// What looks at no cookie goes on.
		for _, path := range []string{"/livez", "/.well-known/jwks.json", x.s.pages.AssetURL("app.css")} {
			x.call("GET", path, nil, set).want(200)
		}
		if status, _, _ := x.onWire("GET /account HTTP/1.1\r\nHost: h\r\nCookie: " + cookies + strings.Repeat("; more="+strings.Repeat("y", 4000), 300) + "\r\nConnection: close\r\n\r\n"); status != 431 {
			t.Errorf("%s and 1.2 MB more: %d", name, status)
		}
	}
	x.unharmed(before)
	// Of whoever could fill the trail in this way it says little.
	if now := x.s.trail.Head().Seq; now > events+1 {
		t.Errorf("%d lines in the audit trail", now-events)
	}
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
}

// The way out is a button that the person presses on our own page.
//
// req: HTTP-3
// attack: B6
func TestOnlyThePersonsOwnClickRemovesAllCookies(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "cookie")
	cookies := bombs(x.s.m.CookieName() + "=" + b.cookie)["as large as a jar gets"]
	press := func(change option) *answer {
		return x.call("POST", "/logout", url.Values{}, header("Cookie", cookies), header("Accept", "text/html"), change)
	}
	for name, change := range map[string]option{
		"another site":   header("Sec-Fetch-Site", "cross-site"),
		"a sibling":      header("Sec-Fetch-Site", "same-site"),
		"another host":   header("Origin", "https://evil.example"),
		"nobody can say": func(*http.Request) {},
	} {
		a := press(change).want(403)
		if a.header.Get("Clear-Site-Data") != "" || len(a.header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %v", name, a.header)
		}
	}
	a := press(header("Sec-Fetch-Site", "same-origin")).want(303)
	if a.header.Get("Clear-Site-Data") != `"cookies", "storage"` || a.header.Get("Location") != "/signed-out" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", a.header)
	}
	// Without a flood the same address clears what is ours alone.
	a = x.call("POST", "/logout", url.Values{"csrf_token": {b.csrf}}, x.as(b)).want(303)
	if got := a.header.Get("Clear-Site-Data"); strings.Contains(got, "cookies") {
		t.Errorf("an ordinary logout: %s", got)
	}
}

// A cookie of another spelling is another cookie, and one larger than browsers
// keep is none of ours.
//
// req: COOKIE-10
// attack: B3, B4, B8
func TestLookAlikesOverTheWireAreNobody(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "cookie")
	name := x.s.m.CookieName()
	before := x.state()
	for why, cookies := range map[string]string{
		"upper case":                "__HOST-HTTP-SESSION=" + b.cookie,
		"mixed case":                "__Host-HTTP-session=" + b.cookie,
		"a shorter prefix":          "__Host-session=" + b.cookie,
		"no prefix":                 "session=" + b.cookie,
		"an em space before":        "\u2003" + name + "=" + b.cookie,
		"a no-break space behind":   name + "\u00a0=" + b.cookie,
		"a Latin-1 blank before":    "\x85" + name + "=" + b.cookie,
		"quotes":                    name + `="` + b.cookie + `"`,
		"RFC 2965 beside":           "$Version=1; " + name + "=" + b.cookie,
		"a sandwich":                `a="x; ` + name + "=" + b.cookie + `; $Path="/"; b=y"`,
		"an escape in the name":     strings.Replace(name, "-", "%2d", 1) + "=" + b.cookie,
		"4097 bytes":                name + "=" + b.cookie + strings.Repeat("A", 4097-len(name)-len(b.cookie)),
		"a comma instead":           "a=b," + name + "=" + b.cookie,
		"a name in a value":         "a=" + name + "=" + b.cookie,
		"a nul":                     name + "=" + b.cookie[:20] + "\x01" + b.cookie[20:],
		"the end of another's":      name + "=" + b.cookie + "; " + name + "=",
		"padding":                   name + "=" + b.cookie + "=",
		"the other base64 alphabet": name + "=" + strings.NewReplacer("-", "+", "_", "/").Replace(b.cookie) + "+",
	} {
		text := "GET /v1/session HTTP/1.1\r\nHost: localhost\r\nCookie: " + cookies + "\r\nConnection: close\r\n\r\n"
		status, head, _ := x.onWire(text)
		if status != 401 && status != 400 {
			t.Errorf("%s: %d", why, status)
		}
		if strings.Contains(head, b.cookie) {
			t.Errorf("%s: the answer repeats the cookie: %s", why, head)
		}
	}
	x.unharmed(before)
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	records, err := x.s.trail.Query(audit.Filter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	ambiguous := 0
	for _, r := range records {
		if r.Event.Name == audit.CookieAmbiguous {
			ambiguous++
		}
	}
	if ambiguous == 0 || ambiguous > 2 {
		t.Errorf("%d events tell of them, want one of each kind", ambiguous)
	}
}

// Whoever is signed in, and as what, is in the record alone.
//
// attack: B11, B9
func TestCookiesThatSayWhoSomebodyIsAreNotRead(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "cookie")
	other := x.signedIn("root", "cookie")
	own := x.s.m.CookieName() + "=" + b.cookie
	for _, more := range []string{"role=admin; admin=true; user=root; subject=root; sub=root; uid=1", "sid=" + other.sid, "session=" + other.cookie, x.s.m.CookieName() + "-pre=" + other.cookie, x.s.m.CookieName() + "-device=" + other.cookie} {
		for _, cookies := range []string{own + "; " + more, more + "; " + own} {
			a := x.call("GET", "/v1/session", nil, header("Cookie", cookies)).want(200)
			if got := a.field("session", "subject"); got != "" && got != "ada" || strings.Contains(a.body, "root") {
				t.Errorf("%s: %s", more, a.body)
			}
			x.call("GET", "/v1/admin/users", nil, header("Cookie", cookies)).want(403)
		}
		x.call("GET", "/v1/session", nil, header("Cookie", more)).want(401)
	}
	// A cookie of one kind under the name of another is nothing.
	login := x.call("GET", "/login", nil, header("Accept", "text/html"))
	pre, _ := login.setCookie(x.s.m.CookieName() + "-pre")
	if pre == "" {
		t.Fatal("the login page sets no cookie")
	}
	x.call("GET", "/v1/session", nil, header("Cookie", x.s.m.CookieName()+"="+pre)).want(401)
	x.call("GET", "/v1/session", nil, header("Cookie", x.s.m.CookieName()+"-pre="+b.cookie)).want(401)
}
