package server

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// A proxy in front asks who makes the request that it holds.
func TestAProxyLearnsWhoItIs(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	for _, b := range []*badge{x.signedIn("ada", "cookie"), x.signedIn("ada", "token")} {
		a := x.call("GET", "/verify", nil, x.as(b), header("X-Forwarded-Uri", "/shop?x=1")).want(200)
		h := a.header
		if h.Get("X-Lanyard-Subject") != "ada" || h.Get("X-Lanyard-Sid") != b.sid || h.Get("X-Lanyard-Amr") != "pwd" ||
			h.Get("X-Lanyard-Auth-Time") != strconv.FormatInt(x.clock.Now().Unix(), 10) || a.body != "" {
			t.Errorf("got %v %s", h, a.body)
		}
		if h.Get("Cache-Control") != "no-store" || !varies(a, "Cookie") || !varies(a, "Authorization") {
			t.Errorf("the answer could be kept: %v", h)
		}
	}
	// A visitor cannot bring the headers along: the answer has its own or none.
	spoof := func(r *http.Request) {
		for _, name := range []string{"Subject", "Sid", "Auth-Time", "Amr"} {
			r.Header.Set("X-Lanyard-"+name, "root")
		}
	}
	if a := x.call("GET", "/verify", nil, spoof).want(401); a.header.Get("X-Lanyard-Subject") != "" {
		t.Errorf("got %v", a.header)
	}
	if a := x.call("GET", "/verify", nil, x.as(x.signedIn("ada", "cookie")), spoof).want(200); a.header.Get("X-Lanyard-Subject") != "ada" {
		t.Errorf("got %v", a.header)
	}
}

// The proxy that asks for it gets a token for the service behind it, from either
// badge, that lives for a minute and opens nothing else.
func TestAProxyGetsAShortTokenForTheServiceBehindIt(t *testing.T) {
	x := newSite(t, func(c *Config) {
		c.TrustedProxies = []string{"127.0.0.1"}
		c.Audience = []string{"orders"}
		c.InternalAudience = []string{"https://stock.internal"}
	})
	keys, err := token.ParseJWKS([]byte(x.call("GET", "/.well-known/jwks.json", nil).body))
	if err != nil {
		t.Fatal(err)
	}
	stock, err := token.NewVerifier(token.VerifierConfig{Issuer: x.url, Audience: "https://stock.internal", Keys: keys, Now: x.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	const ask = "/verify?resource=https://stock.internal"
	for _, b := range []*badge{x.signedIn("ada", "cookie"), x.signedIn("ada", "token")} {
		a := x.call("GET", ask, nil, x.as(b)).want(200)
		text, ok := strings.CutPrefix(a.header.Get("Authorization"), "Bearer ")
		c, err := stock.Verify(text)
		if !ok || err != nil {
			t.Fatalf("got %v: %v", a.header, err)
		}
		life := c.Expiry.Sub(c.IssuedAt)
		if c.Subject != "ada" || c.SID != b.sid || !slices.Equal(c.Audience, []string{"https://stock.internal"}) || c.ACR != classPassword ||
			!slices.Equal(c.AMR, []string{"pwd"}) || !c.AuthTime.Equal(x.clock.Now()) || life > time.Minute || life < 50*time.Second {
			t.Errorf("got %+v, for %v", c, life)
		}
		if a.header.Get("X-Lanyard-Sid") != b.sid || a.header.Get("Cache-Control") != "no-store" || a.body != "" {
			t.Errorf("got %v %s", a.header, a.body)
		}
		// It is no badge here, and cannot be turned into another.
		held := header("Authorization", "Bearer "+text)
		x.call("GET", "/v1/session", nil, held).want(401, "invalid_token")
		x.call("GET", ask, nil, held).want(401, "invalid_token")
		// Not asked for, not given.
		if a := x.call("GET", "/verify", nil, x.as(b)).want(200); a.header.Get("Authorization") != "" {
			t.Error("a token that nobody asked for")
		}
		for _, bad := range []string{"orders", "", x.url, "https://stock.internal/", "*"} {
			if a := x.call("GET", "/verify?resource="+url.QueryEscape(bad), nil, x.as(b)).want(400, "invalid_target"); a.header.Get("Authorization") != "" {
				t.Errorf("%q: a token", bad)
			}
		}
		x.call("GET", ask+"&resource=orders", nil, x.as(b)).want(400, "invalid_target")
		// Nobody but the proxy gets one, and nobody else draws one.
		if a := x.direct("192.0.2.7:1", "GET", ask, nil, viaTLS, x.as(b)); a.status == 200 || a.header.Get("Authorization") != "" {
			t.Errorf("a visitor gets one: %d", a.status)
		}
		if b.cookie != "" {
			x.call("POST", "/v1/session/token", map[string]string{"resource": "https://stock.internal"}, x.as(b)).want(400, "invalid_target")
		}
		x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
		x.call("GET", ask, nil, x.as(b)).want(401)
	}
	x.call("GET", ask, nil).want(401)
	// It ends with the session, which has half a minute left here.
	b := x.signedIn("ada", "cookie")
	x.clock.advance(x.s.m.Policy().IdleTimeout - 30*time.Second)
	a := x.call("GET", ask+"&passive=1", nil, x.as(b)).want(200)
	if c, err := stock.Verify(strings.TrimPrefix(a.header.Get("Authorization"), "Bearer ")); err != nil || c.Expiry.Sub(c.IssuedAt) > 30*time.Second {
		t.Errorf("it outlives its session: %+v, %v", c, err)
	}
}

func TestAPersonWhoNavigatesIsSentToTheLoginPage(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"}; c.Issuer = "https://app.example" })
	ask := func(options ...option) *answer {
		return x.direct("127.0.0.1:1", "GET", "/verify", nil, options...)
	}
	uri := header("X-Forwarded-Uri", "/shop?x=1&y=2")
	for name, c := range map[string]struct {
		options []option
		to      string
	}{
		"a navigation":                      {[]option{header("Sec-Fetch-Mode", "navigate"), uri}, "https://app.example/login?return_to=" + url.QueryEscape("/shop?x=1&y=2")},
		"an old browser":                    {[]option{header("Accept", "text/html,*/*"), uri}, "https://app.example/login?return_to=" + url.QueryEscape("/shop?x=1&y=2")},
		"nginx's header":                    {[]option{header("Sec-Fetch-Mode", "navigate"), header("X-Original-Uri", "/a")}, "https://app.example/login?return_to=%2Fa"},
		"no address":                        {[]option{header("Sec-Fetch-Mode", "navigate")}, "https://app.example/login"},
		"another site's address":            {[]option{header("Sec-Fetch-Mode", "navigate"), header("X-Forwarded-Uri", "//evil.example")}, "https://app.example/login"},
		"a script":                          {[]option{header("Sec-Fetch-Mode", "cors"), header("Accept", "text/html"), uri}, ""},
		"a program":                         {[]option{header("Accept", "application/json"), uri}, ""},
		"an old script":                     {[]option{header("Accept", "text/html"), header("X-Requested-With", "XMLHttpRequest")}, ""},
		"a form that is sent":               {[]option{header("Sec-Fetch-Mode", "navigate"), header("X-Forwarded-Method", "POST")}, ""},
		"a bad token, whatever it looks at": {[]option{header("Sec-Fetch-Mode", "navigate"), header("Authorization", "Bearer x")}, ""},
	} {
		a := ask(c.options...)
		if c.to == "" {
			if a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: got %d %v", name, a.status, a.header)
			}
			continue
		}
		if a.status != 302 || a.header.Get("Location") != c.to || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d, Location %q, want %q", name, a.status, a.header.Get("Location"), c.to)
		}
	}
	// Somebody who is no proxy is not believed about the address.
	a := x.direct("192.0.2.7:1", "GET", "/verify", nil, viaTLS, header("Sec-Fetch-Mode", "navigate"), uri)
	if a.status != 302 || a.header.Get("Location") != "https://app.example/login" {
		t.Errorf("a stranger: got %d %q", a.status, a.header.Get("Location"))
	}
}

// What the proxy holds is judged as if it had come here: its method, host and
// scheme, for the check against forgery.
func TestAForgedRequestDoesNotPassTheProxy(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"}; c.Issuer = "https://app.example" })
	b := x.signedIn("ada", "cookie")
	b.origin = "https://app.example"
	proxied := func(r *http.Request) {
		r.Header.Set("X-Forwarded-Method", "POST")
		r.Header.Set("X-Forwarded-Host", "app.example")
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
	}
	ask := func(options ...option) *answer {
		return x.direct("127.0.0.1:1", "GET", "/verify", nil, append([]option{x.as(b), proxied}, options...)...)
	}
	ask().want(200)
	ask(header("Sec-Fetch-Site", "cross-site")).want(403, "cross_origin")
	ask(header("Origin", "https://evil.example")).want(403, "cross_origin")
	ask(header("Origin", "http://app.example")).want(403, "cross_origin")
	ask(header("X-Forwarded-Host", "evil.example")).want(403, "cross_origin")
	ask(header("X-Forwarded-Method", "GET"), header("Origin", "https://evil.example")).want(200)
	ask(header("X-Forwarded-Method", "")).want(200)
	// A method that is not known is judged like one that changes something.
	for _, method := range []string{"PURGE", "get", "GET ", "GET\tx", "QUERY", "\"GET\"", "GET, POST", "HEAD\u00a0"} {
		ask(header("X-Forwarded-Method", method), header("Origin", "https://evil.example")).want(403, "cross_origin")
		ask(header("X-Forwarded-Method", method)).want(200)
	}
	ask(header("X-Forwarded-Method", "GET"), also("X-Forwarded-Method", "POST"), header("Origin", "https://evil.example")).want(403, "cross_origin")
	ask(header("X-Forwarded-Method", "GET"), header("X-Original-Method", "POST"), header("Origin", "https://evil.example")).want(403, "cross_origin")
	ask(header("X-Forwarded-Proto", "http")).want(400, "insecure_transport")
	// It counts as activity, so that people who only use what is behind the proxy
	// stay signed in.
	idle := func() string {
		return x.direct("127.0.0.1:1", "GET", "/v1/session?passive=1", nil, x.as(b)).want(200).field("session", "idle_expires_at")
	}
	before := idle()
	x.clock.advance(time.Hour)
	ask().want(200)
	if idle() == before {
		t.Error("a request through the proxy is no activity")
	}
	if a := x.direct("127.0.0.1:1", "GET", "/verify", nil, header("Cookie", x.s.m.CookieName()+"=dead")); !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("a dead cookie is not cleared: %v", a.header)
	}
}
