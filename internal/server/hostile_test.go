package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// onWire sends bytes as they are, which no client would, and returns the answer's
// status and what stands on the wire before the body.
func (x *site) onWire(text string) (status int, head, body string) {
	x.t.Helper()
	conn, err := net.Dial("tcp", x.front.Listener.Addr().String())
	if err != nil {
		x.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	go io.WriteString(conn, text) // a server that has heard enough may close before the end
	in := bufio.NewReader(conn)
	var all strings.Builder
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(in, &all)), nil)
	if err != nil {
		x.t.Fatalf("%s: %v", quoted(text), err)
	}
	defer res.Body.Close()
	rest, _ := io.ReadAll(res.Body) // a connection that was closed early has no end
	head, _, _ = strings.Cut(all.String(), "\r\n\r\n")
	return res.StatusCode, head, string(rest)
}

// untouched fails the test if bad requests changed something, or left a line in
// the audit trail.
func (x *site) untouched(before string, events uint64) {
	x.t.Helper()
	x.unharmed(before)
	if now := x.s.trail.Head().Seq; now != events {
		x.t.Errorf("%d lines were written to the audit trail", now-events)
	}
}

// Whatever reaches a header of an answer from a request, its line ends do not.
// The answers are looked at as they stand on the wire.
//
// req: HTTP-7
// attack: A3
func TestLineEndsOfARequestReachNoHeader(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "cookie")
	host, own := strings.TrimPrefix(x.url, "http://"), x.s.m.CookieName()+"="+b.cookie
	before := x.state()
	for _, split := range []string{"\r\nPlanted: 1", "\nPlanted: 1", "\r\n\r\n<script>planted</script>", "\rPlanted: 1", "\x00Planted: 1", "\u2028Planted: 1", "\u560d\u560aPlanted: 1"} {
		escaped := url.QueryEscape(split)
		asks := map[string]string{
			"the address to return to":      "GET /login?return_to=/account" + escaped + " HTTP/1.1\r\nHost: " + host + "\r\n",
			"the same, of somebody signed":  "GET /login?return_to=/account" + escaped + " HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + own + "\r\n",
			"a path that needs a sign-in":   "GET /account?x=" + escaped + " HTTP/1.1\r\nHost: " + host + "\r\n",
			"a path":                        "GET /account" + escaped + " HTTP/1.1\r\nHost: " + host + "\r\nAccept: text/html\r\n",
			"a path that is not clean":      "GET //account" + escaped + "/../x HTTP/1.1\r\nHost: " + host + "\r\n",
			"a sid":                         "DELETE /v1/sessions/" + escaped + " HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + own + "\r\nOrigin: " + x.url + "\r\n",
			"a request id":                  "GET /account HTTP/1.1\r\nHost: " + host + "\r\nX-Request-Id: a" + split + "\r\n",
			"an origin":                     "GET /v1/session HTTP/1.1\r\nHost: " + host + "\r\nOrigin: " + x.url + split + "\r\n",
			"a host":                        "GET /account HTTP/1.1\r\nHost: " + host + split + "\r\n",
			"a forwarded host":              "GET /account HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Host: " + host + split + "\r\n",
			"a method":                      "GET" + strings.NewReplacer("\r", "", "\n", "").Replace(split) + " /account HTTP/1.1\r\nHost: " + host + "\r\n",
			"a cookie":                      "GET /account HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + own + split + "\r\n",
			"a name beside the cookie":      "GET /account HTTP/1.1\r\nHost: " + host + "\r\nCookie: \u2003" + x.s.m.CookieName() + split + "=1\r\n",
			"a token":                       "GET /v1/session HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer a" + split + "\r\n",
			"a range for the address to go": "GET /verify?rd=/account" + escaped + " HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Uri: /a" + split + "\r\nX-Forwarded-Method: GET\r\nAccept: text/html\r\n",
		}
		for what, text := range asks {
			status, head, body := x.onWire(text + "Connection: close\r\n\r\n")
			for line := range strings.SplitSeq(head, "\r\n") {
				if strings.HasPrefix(strings.ToLower(line), "planted") || strings.ContainsAny(line, "\r\n\x00") {
					t.Errorf("%s, %q: %d with the line %q", what, split, status, line)
				}
			}
			if strings.Contains(body, "<script>planted") || status >= 500 {
				t.Errorf("%s, %q: %d %s", what, split, status, body)
			}
		}
		// What a program says of a device is shown to people, on one line.
		for _, member := range []string{"device", "resource"} {
			body := map[string]string{"username": "nobody-at-all", "password": "x", "channel": "cookie", member: "a" + split}
			if a := x.call("POST", "/v1/login", body); a.status != 400 && a.status != 401 && a.status != 429 || a.header.Get("Planted") != "" {
				t.Errorf("%s %q: %d %v", member, split, a.status, a.header)
			}
		}
	}
	x.unharmed(before)
	if log := x.known.String(); strings.Contains(log, "\nPlanted") {
		t.Error("a line of the log is forged")
	}
}

// Broken escapes are refused rather than dropped, since what is left would be
// another request.
func TestBrokenEscapesAreRefused(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("root", "cookie")
	host, own := strings.TrimPrefix(x.url, "http://"), x.s.m.CookieName()+"="+b.cookie
	before, events := x.state(), x.s.trail.Head().Seq
	for _, bad := range []string{"%", "%z", "%zz", "%2", "a%", "%%41", "%u0041", "%-1", "%0x41"} {
		for _, ask := range []string{
			"GET /account" + bad, "GET /v1/sessions/" + bad, "DELETE /v1/sessions/" + bad, "GET /assets/" + bad, "POST /v1/logout" + bad,
			"GET /v1/sessions?limit=" + bad, "GET /v1/sessions?" + bad + "=1", "GET /login?return_to=" + bad, "GET /v1/admin/audit?limit=10;after=" + bad,
			"DELETE /v1/sessions/" + b.sid + "?linked=" + bad, "POST /v1/logout?x=" + bad, "GET /account?" + bad,
		} {
			status, _, body := x.onWire(ask + " HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + own + "\r\nOrigin: " + x.url + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			if status != 400 {
				t.Errorf("%s: %d %s", ask, status, body)
			}
		}
		for path, fields := range map[string]string{
			"/login": "username=ada&password=" + bad, "/account/password": "current=" + bad, "/reset": "code=" + bad, "/oauth2/token": "grant_type=" + bad, "/oauth2/revoke": bad + "=x",
		} {
			a := x.call("POST", path, fields, x.as(b), header("Content-Type", "application/x-www-form-urlencoded"), func(r *http.Request) {
				if strings.HasPrefix(path, "/oauth2/") {
					r.Header.Del("Cookie")
				}
			})
			if a.status != 400 {
				t.Errorf("POST %s with %s: %d %s", path, fields, a.status, a.body)
			}
		}
	}
	x.untouched(before, events)
}

// Long values that mean nothing here are not looked at, and what is kept of
// them is cut.
func TestLongHeadersAreCutOrRefused(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "cookie")
	before, events := x.state(), x.s.trail.Head().Seq
	long := "https://evil.example/?" + strings.Repeat("x", 8<<10)
	a := x.call("GET", "/v1/session", nil, x.as(b), header("Referer", long), header("User-Agent", long), header("Accept-Language", long))
	a.want(200)
	for name, values := range a.header {
		if strings.Contains(strings.Join(values, ""), "evil") {
			t.Errorf("%s repeats the referrer", name)
		}
	}
	x.untouched(before, events)

	login := x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword, "channel": "cookie"}, header("User-Agent", long), header("Referer", long))
	login.want(200)
	sid := login.field("session", "sid")
	list := x.call("GET", "/v1/sessions", nil, x.as(b)).want(200)
	if n := strings.Count(list.body, "x"); n > 1024 || !strings.Contains(list.body, sid) {
		t.Errorf("%d bytes of the user agent are kept", n)
	}

	before, events = x.state(), x.s.trail.Head().Seq
	for name, value := range map[string]string{"Referer": strings.Repeat("x", 70<<10), "X-Anything": strings.Repeat("y", 900<<10)} {
		a := x.call("GET", "/v1/jwks", nil, header(name, value))
		a.want(431, "too_large")
	}
	if status, _, _ := x.onWire("GET /" + strings.Repeat("x", 70<<10) + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); status != 431 {
		t.Errorf("an address of 70 KiB: %d", status)
	}
	if status, _, _ := x.onWire("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 2<<20) + "\r\nConnection: close\r\n\r\n"); status != 431 {
		t.Errorf("a header of 2 MiB: %d", status)
	}
	x.untouched(before, events)
}

// An origin passes as browsers write it and in no other way, through the whole
// server: what net/http makes of a Host is part of the comparison.
//
// req: CSRF-3, CSRF-17
// attack: C7
func TestOriginsPassInOneSpellingOnly(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "cookie")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(x.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	before := x.state()
	for _, row := range []struct {
		host, origin string
		passes       bool
	}{
		{"localhost:" + port, "http://localhost:" + port, true},
		{"LOCALHOST:" + port, "http://localhost:" + port, true},
		{"localhost:80", "http://localhost", true},
		{"localhost", "http://localhost:80", true},
		{"[::1]:" + port, "http://[::1]:" + port, true},
		{"[2001:DB8::1]", "http://[2001:db8::1]", true},
		{"xn--bcher-kva.example", "http://xn--bcher-kva.example", true},
		{"127.0.0.1:" + port, "http://127.0.0.1:" + port, true},

		{"localhost:" + port, "http://localhost:" + port + " http://localhost:" + port, false},
		{"localhost:" + port, "http://localhost:" + port + ", http://localhost:" + port, false},
		{"localhost:" + port, "http://localhost:" + port + "\r\nOrigin: http://localhost:" + port, false},
		{"localhost:" + port, "http://localhost:" + port + "\r\nOrigin: http://evil.example", false},
		{"localhost:" + port, "http://LOCALHOST:" + port, false},
		{"localhost:" + port, "HTTP://localhost:" + port, false},
		{"localhost:" + port, "http://localhost.:" + port, false},
		{"localhost.:" + port, "http://localhost:" + port, false},
		{"localhost:" + port, "http://localhost:" + port + "/", false},
		{"localhost:" + port, "http://localhost:" + port + "#", false},
		{"localhost:" + port, "http://localhost:0" + port, false},
		{"localhost:" + port, "http://localhost", false},
		{"localhost:" + port, "https://localhost:" + port, false},
		{"localhost:" + port, "http://ada@localhost:" + port, false},
		{"localhost:" + port, "http://localhost:" + port + "\\@evil.example", false},
		{"localhost:" + port, "null", false},
		{"localhost:" + port, "http://127.0.0.1:" + port, false},
		{"localhost:" + port, "file://", false},
		{"[::1]:" + port, "http://::1:" + port, false},
		{"[::1]:" + port, "http://[0:0:0:0:0:0:0:1]:" + port, false},
		{"[::1]:" + port, "http://[::1%25lo]:" + port, false},
		{"[fe80::1%25lo]:" + port, "http://[fe80::1%25lo]:" + port, false},
		{"[::1]:" + port, "http://[::1:" + port, false},
		{"[::ffff:127.0.0.1]:" + port, "http://127.0.0.1:" + port, false},
		{"xn--bcher-kva.example", "http://bücher.example", false},
		{"b\u00fccher.example", "http://xn--bcher-kva.example", false},
		{"xn--bcher-kva.example", "http://xn--bcher-kva.example.", false},
		{"xn--pple-43d.example", "http://apple.example", false},
		{"localhost:" + port, "http://loc\u0430lhost:" + port, false},
		{"localhost:" + port, "http://" + strings.Repeat("a.", 4000) + "localhost:" + port, false},
	} {
		ask := "POST /v1/session/token HTTP/1.1\r\nHost: " + row.host + "\r\nCookie: " + x.s.m.CookieName() + "=" + b.cookie +
			"\r\nOrigin: " + row.origin + "\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
		status, head, body := x.onWire(ask)
		switch {
		case row.passes && status != 200:
			t.Errorf("%q to %q: %d %s", row.origin, row.host, status, body)
		case !row.passes && status != 403 && status != 400:
			t.Errorf("%q to %q: %d %s", row.origin, row.host, status, body)
		case !row.passes && status == 403 && !strings.Contains(body, "The header Origin"):
			t.Errorf("%q to %q: the answer does not name the header: %s", row.origin, row.host, body)
		case strings.Contains(head, "Access-Control"):
			t.Errorf("%q to %q: %s", row.origin, row.host, head)
		}
	}
	x.unharmed(before)
	if got := strings.Join(x.events(b.sid), " "); !strings.Contains(got, "csrf_refused:bad_header") || !strings.Contains(got, "csrf_refused:origin_mismatch") {
		t.Errorf("events %s", got)
	}
}

// The header that was missing or wrong is named to developers, in JSON and on
// the page; a person reads what it means for them.
//
// req: CSRF-17
func TestARefusedFormTellsDevelopersWhichHeaderItWas(t *testing.T) {
	for profile, rows := range map[string][]struct {
		change             option
		developer, forCode string
	}{
		"standard": {
			{header("Sec-Fetch-Site", "cross-site"), "The header Sec-Fetch-Site says that a page of another site sent this request.", "cross_origin"},
			{header("Sec-Fetch-Site", "same-site"), "The header Sec-Fetch-Site says that a page of a neighbouring host", "cross_origin"},
			{header("Origin", "https://evil.example"), "The header Origin names another host", "cross_origin"},
			{header("Origin", "null"), "The header Origin is null", "cross_origin"},
			{header("Origin", "x y"), "The header Origin is repeated or is nothing a browser sends.", "cross_origin"},
			{func(r *http.Request) { r.Header.Del("Origin") }, "lacks a header that names the page it comes from, Sec-Fetch-Site or Origin.", "cross_origin"},
		},
		"strict": {
			{header("Sec-Fetch-Site", "same-origin"), "The request lacks a valid X-CSRF-Token header or csrf_token field.", "csrf_token"},
		},
	} {
		x := newSite(t, func(c *Config) { c.Profile = profile })
		b := x.signedIn("ada", "cookie")
		for _, row := range rows {
			a := x.call("POST", "/v1/sessions/revoke", map[string]string{"scope": "all"}, x.as(b), row.change).want(403, row.forCode)
			if got := a.field("message"); !strings.Contains(got, row.developer) || strings.Contains(got, "evil") {
				t.Errorf("JSON: %s", got)
			}
			page := x.call("POST", "/account/sessions/end-others", url.Values{}, x.as(b), header("Accept", "text/html"), row.change).want(403)
			text := strings.ReplaceAll(page.body, "&#39;", "'")
			main, hint, found := strings.Cut(text, "<details")
			if !found || !strings.Contains(hint, "For developers") || !strings.Contains(hint, row.developer) {
				t.Errorf("the page's words for developers: %s", text)
			}
			for _, scary := range []string{"attack", "forg", "CSRF", "csrf", "header", "Sec-Fetch", "Origin", "denied", "illegal"} {
				if _, words, _ := strings.Cut(main, "<main"); strings.Contains(words, scary) {
					t.Errorf("a person reads %q: %s", scary, words)
				}
			}
			if !strings.Contains(main, "Nothing was changed") {
				t.Errorf("the page does not say what became of it: %s", main)
			}
		}
		if x.live("ada") != 1 {
			t.Error("a session ended")
		}
	}
}

// A proxy that asks here before it opens a WebSocket learns that another site's
// page wants it.
//
// req: CSRF-11
// attack: C9
func TestForwardAuthenticationLooksAtHandshakes(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	b := x.signedIn("ada", "cookie")
	for _, row := range []struct {
		origin string
		status int
	}{{"https://app.example", 200}, {"https://evil.example", 403}, {"null", 403}, {"", 403}} {
		x.direct("127.0.0.1:4711", "GET", "/verify", nil, x.as(b), header("X-Forwarded-For", "203.0.113.7"), header("X-Forwarded-Host", "app.example"),
			header("X-Forwarded-Proto", "https"), header("X-Forwarded-Uri", "/live"), header("Upgrade", "websocket"), func(r *http.Request) {
				r.Header.Del("Origin")
				if row.origin != "" {
					r.Header.Set("Origin", row.origin)
				}
			}).want(row.status)
	}
}
