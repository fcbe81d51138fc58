package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// overTLS serves a site over TLS as lanyard serve does, and returns a client
// that speaks the versions given.
func (x *site) overTLS() (address string) {
	x.t.Helper()
	conf, err := x.s.TLSConfig()
	if err != nil {
		x.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		x.t.Fatal(err)
	}
	ts := serveOn(secured(l, conf), x.s.httpServer(x.s.Handler()))
	x.t.Cleanup(ts.Close)
	return l.Addr().String()
}

// req: HTTP-26
func TestTLSIsServedFromVersion12On(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TLSSelfSigned = true })
	addr := x.overTLS()
	for _, c := range []struct {
		name     string
		min, max uint16
		suites   []uint16
		want     uint16
	}{
		{"TLS 1.0", tls.VersionTLS10, tls.VersionTLS10, nil, 0},
		{"TLS 1.1", tls.VersionTLS11, tls.VersionTLS11, nil, 0},
		{"TLS 1.2", tls.VersionTLS12, tls.VersionTLS12, nil, tls.VersionTLS12},
		{"TLS 1.3", tls.VersionTLS13, tls.VersionTLS13, nil, tls.VersionTLS13},
		{"the newest of both", tls.VersionTLS10, tls.VersionTLS13, nil, tls.VersionTLS13},
		{"TLS 1.2 with RSA key exchange", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, 0},
		{"TLS 1.2 with 3DES", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA}, 0},
		{"TLS 1.2 with RC4", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}, 0},
	} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites})
		var got uint16
		if err == nil {
			got = conn.ConnectionState().Version
			conn.Close()
		}
		if got != c.want {
			t.Errorf("%s: got %s (%v), want %s", c.name, tls.VersionName(got), err, tls.VersionName(c.want))
		}
	}
}

// req: HTTP-11
// attack: A4
func TestHTTPSAnswersPinHTTPSExceptOnLoopback(t *testing.T) {
	for issuer, want := range map[string]bool{
		"https://app.example":           true,
		"https://192.0.2.1":             true,
		"https://localhost:8443":        false,
		"https://127.0.0.1:8443":        false,
		"https://[::1]:8443":            false,
		"https://shop.localhost:8443":   false,
		"https://localhost.example.com": true,
	} {
		x := newSite(t, func(c *Config) {
			c.TLSSelfSigned, c.Issuer, c.CORSOrigin = true, issuer, []string{"https://other.example"}
		})
		addr := x.overTLS()
		c := x.client(addr)
		c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		for _, target := range append(x.targets("x"), "GET /nothing", "PUT /v1/login", "OPTIONS /v1/login") {
			method, path, _ := strings.Cut(target, " ")
			a := x.callAt(c, method, path, nil, func(r *http.Request) {
				if method == "OPTIONS" {
					r.Header.Set("Origin", "https://other.example")
					r.Header.Set("Access-Control-Request-Method", "POST")
				}
			})
			got := a.header.Get("Strict-Transport-Security")
			if want && got != "max-age=31536000; includeSubDomains" || !want && got != "" {
				t.Errorf("%s at %s: Strict-Transport-Security is %q", target, issuer, got)
			}
		}
		c.CloseIdleConnections()
	}
}

// req: HTTP-16, COOKIE-19
// attack: A4
func TestPlainHTTPFromElsewhereIsRefusedNotRedirected(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TrustedProxies = []string{"10.0.0.1"}; c.Issuer = "https://app.example" })
	before := x.state()
	for _, target := range x.targets("x") {
		method, path, _ := strings.Cut(target, " ")
		for _, from := range []string{"192.0.2.7:1", "10.0.0.1:1", "[2001:db8::1]:1"} {
			a := x.direct(from, method, path, map[string]string{"username": "ada", "password": goodPassword}, header("Accept", "*/*"))
			if path == "/livez" || path == "/readyz" {
				a.want(200)
				continue
			}
			if a.status != 400 || a.code() != "insecure_transport" || a.header.Get("Location") != "" || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s from %s: got %d %s", target, from, a.status, a.body)
			}
		}
	}
	x.unharmed(before)
	x.direct("10.0.0.1:1", "POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword}, header("X-Forwarded-Proto", "https"), header("X-Forwarded-For", "192.0.2.7")).want(200)
}

// req: CSRF-10
// attack: C11
func TestCORSNamesAllowedOriginsExactly(t *testing.T) {
	x := newSite(t, func(c *Config) { c.CORSOrigin = []string{"https://spa.example", "https://spa.example:8443"} })
	b := x.signedIn("ada", "token")
	for _, origin := range []string{"https://spa.example", "https://spa.example:8443"} {
		a := x.call("GET", "/v1/session", nil, x.as(b), header("Origin", origin)).want(200)
		if a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Credentials") != "" || !varies(a, "Origin") {
			t.Errorf("%s: got %v", origin, a.header)
		}
		p := x.call("OPTIONS", "/v1/session/data", nil, header("Origin", origin), header("Access-Control-Request-Method", "PATCH"), header("Access-Control-Request-Headers", "authorization,content-type"))
		if p.status != 204 || p.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(p.header.Get("Access-Control-Allow-Methods"), "PATCH") ||
			!strings.Contains(p.header.Get("Access-Control-Allow-Headers"), "Authorization") || p.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("preflight from %s: got %d %v", origin, p.status, p.header)
		}
	}
	for _, origin := range []string{
		"null", "https://evil.example", "http://spa.example", "https://spa.example:443", "https://spa.example.evil.example",
		"https://evilspa.example", "https://x.spa.example", "https://spa.example/", "https://SPA.example", "https://spa.example@evil.example",
		"*", "https://*", "https://spa.example, https://evil.example", "https://spa.example https://evil.example", "", "https://spa.example\t",
	} {
		for _, method := range []string{"GET", "OPTIONS"} {
			a := x.call(method, "/v1/session", nil, x.as(b), header("Origin", origin), header("Access-Control-Request-Method", "POST"))
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") && strings.TrimSpace(origin) != "https://spa.example" {
					t.Errorf("%s from %q: %s is %q", method, origin, name, a.header.Get(name))
				}
			}
			if !varies(a, "Origin") {
				t.Errorf("%s from %q: Vary is %q", method, origin, a.header["Vary"])
			}
		}
	}
	// Two Origin headers are nobody's.
	a := x.call("GET", "/v1/session", nil, x.as(b), func(r *http.Request) { r.Header["Origin"] = []string{"https://spa.example", "https://evil.example"} })
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("two origins: got %v", a.header)
	}
	// Pages and administration are for nobody else.
	for _, path := range []string{"/login", "/account", "/v1/admin/sessions", "/console", "/livez", "/verify"} {
		if a := x.call("GET", path, nil, header("Origin", "https://spa.example")); a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s can be read by another origin", path)
		}
	}
	// An allowed origin gets no session by cookie: its preflight names no
	// credentials, and without one the forgery check refuses.
	c := x.signedIn("ada", "cookie")
	x.call("POST", "/v1/logout", nil, x.as(c), header("Origin", "https://spa.example")).want(403, "cross_origin")
	x.call("GET", "/v1/session", nil, x.as(c)).want(200)
	off := newSite(t)
	if a := off.call("OPTIONS", "/v1/login", nil, header("Origin", "https://spa.example"), header("Access-Control-Request-Method", "POST")); a.status != 405 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without the setting: got %d %v", a.status, a.header)
	}
}

func varies(a *answer, name string) bool {
	return strings.Contains(strings.Join(a.header["Vary"], ","), name)
}

// A handler that panics is answered with 500 and a request id, and logged.
//
// req: HTTP-9
func TestAPanicIsAnsweredAndLogged(t *testing.T) {
	x := newSite(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/boom", func(http.ResponseWriter, *http.Request) { panic(fmt.Sprint("secret ", 42)) })
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", x.url+"/v1/boom", nil)
	r.RemoteAddr = "127.0.0.1:1"
	x.s.edge(mux).ServeHTTP(rec, r)
	a := x.received(r, rec.Result())
	a.want(500, "server_error")
	if strings.Contains(a.body, "secret") || !strings.Contains(x.known.String(), a.field("request_id")) || !strings.Contains(x.known.String(), "a handler panicked") {
		t.Errorf("the answer is %s and the log %s", a.body, x.known)
	}
}

// viaTLS makes a direct request one that came over TLS.
func viaTLS(r *http.Request) { r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13} }
