package lanyard_test

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// req: HTTP-15, COOKIE-19
func TestForwardingHeadersCountFromConfiguredProxiesOnly(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("2001:db8::/64")}
	for _, row := range []struct {
		name    string
		peer    string
		tls     bool
		header  map[string][]string
		trusted []netip.Prefix

		client, host, scheme string
		secure               bool
	}{
		{"directly over TLS", "203.0.113.7:1", true, nil, nil, "203.0.113.7", "app.example", "https", true},
		{"directly in the clear", "203.0.113.7:1", false, nil, nil, "203.0.113.7", "app.example", "http", false},
		{"from this machine", "127.0.0.1:1", false, nil, nil, "127.0.0.1", "app.example", "http", true},
		{"from this machine, IPv6", "[::1]:1", false, nil, nil, "::1", "app.example", "http", true},
		{"IPv4 in IPv6", "[::ffff:203.0.113.7]:1", true, nil, nil, "203.0.113.7", "app.example", "https", true},
		{"IPv6 with a zone", "[fe80::1%eth0]:1", true, nil, nil, "fe80::1%eth0", "app.example", "https", true},
		{"a stranger claims everything", "203.0.113.7:1", false, map[string][]string{
			"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"}, "Forwarded": {"for=127.0.0.1;proto=https"},
		}, proxies, "203.0.113.7", "app.example", "http", false},
		{"with no proxies configured, loopback claims count for nothing", "127.0.0.1:1", true, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"evil.example"},
		}, nil, "127.0.0.1", "app.example", "https", true},
		{"through the proxy", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"app.example:8443"},
		}, proxies, "203.0.113.7", "app.example:8443", "https", true},
		{"the client forged the left end", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"127.0.0.1, 203.0.113.7"}, "X-Forwarded-Proto": {"https"},
		}, proxies, "203.0.113.7", "app.example", "https", true},
		{"the client forged a proxy of ours", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"10.0.0.9, 203.0.113.7"}, "X-Forwarded-Proto": {"http"},
		}, proxies, "203.0.113.7", "app.example", "http", false},
		{"the client forged loopback in the clear", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"127.0.0.1, 203.0.113.7"}, "X-Forwarded-Proto": {"http"},
		}, proxies, "203.0.113.7", "app.example", "http", false},
		{"through two proxies", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"6.6.6.6, 203.0.113.7, 10.0.0.9"}, "X-Forwarded-Proto": {"https"},
		}, proxies, "203.0.113.7", "app.example", "https", true},
		{"in several fields", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"6.6.6.6", "203.0.113.7", "10.0.0.9"}, "X-Forwarded-Proto": {"https"},
		}, proxies, "203.0.113.7", "app.example", "https", true},
		{"through an IPv6 proxy, with ports", "[2001:db8::5]:1", false, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7:5000"}, "X-Forwarded-Proto": {"https"},
		}, proxies, "203.0.113.7", "app.example", "https", true},
		{"an unreadable hop stops the walk", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7, unknown"}, "X-Forwarded-Proto": {"https"},
		}, proxies, "10.0.0.5", "app.example", "https", true},
		{"an empty list", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {""}, "X-Forwarded-Proto": {"https"},
		}, proxies, "10.0.0.5", "app.example", "https", true},
		{"a scheme that is none", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"javascript"},
		}, proxies, "203.0.113.7", "app.example", "http", false},
		{"two schemes", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https", "http"},
		}, proxies, "203.0.113.7", "app.example", "http", false},
		{"two schemes in one field", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https, http"},
		}, proxies, "203.0.113.7", "app.example", "http", false},
		{"a host that is none", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example/@app.example"},
		}, proxies, "203.0.113.7", "app.example", "https", true},
		{"two hosts", "10.0.0.5:1", false, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example", "app.example"},
		}, proxies, "203.0.113.7", "app.example", "https", true},
		{"the standard header is not read", "10.0.0.5:1", false, map[string][]string{
			"Forwarded": {"for=203.0.113.7;proto=https;host=evil.example"},
		}, proxies, "10.0.0.5", "app.example", "http", false},
		{"TLS inside, a proxy that says the client came in the clear", "10.0.0.5:1", true, map[string][]string{
			"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"http"},
		}, proxies, "203.0.113.7", "app.example", "http", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := get("/")
			r.RemoteAddr, r.TLS = row.peer, nil
			if row.tls {
				r.TLS = &tls.ConnectionState{}
			}
			for name, values := range row.header {
				r.Header[name] = values
			}
			got := lanyard.TransportOf(r, row.trusted)
			want := lanyard.Transport{Client: netip.MustParseAddr(row.client), Host: row.host, Scheme: row.scheme, Secure: row.secure}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestUnreadablePeerIsNobodyAndNotSecure(t *testing.T) {
	for _, peer := range []string{"", "@", "pipe", "host:1", ":1"} {
		r := get("/")
		r.RemoteAddr, r.TLS = peer, nil
		if got := lanyard.TransportOf(r, nil); got.Client.IsValid() || got.Secure {
			t.Errorf("%q: %+v", peer, got)
		}
	}
}

// The forgery check compares with the host and scheme that the browser used,
// as the configured proxy tells them.
//
// req: HTTP-15, CSRF-3
func TestForgeryCheckSeesTheHostTheBrowserUsed(t *testing.T) {
	w := newWorld(t, func(c *lanyard.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")} })
	g := w.startCookie()
	send := func(peer, host string) int {
		r := w.withCookie(bare("POST"), g.Handle.Reveal())
		r.TLS, r.RemoteAddr, r.Host = nil, peer+":1", "internal:8080"
		r.Header = http.Header{"Cookie": r.Header["Cookie"], "Origin": {site},
			"X-Forwarded-Host": {host}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {homeIP}}
		return w.send(r).answer.Code
	}
	if code := send("10.0.0.5", "app.example"); code != http.StatusOK {
		t.Errorf("through the proxy: %d", code)
	}
	if code := send("10.0.0.5", "evil.example"); code != http.StatusForbidden {
		t.Errorf("for another host: %d", code)
	}
	if code := send("10.9.9.9", "app.example"); code != http.StatusForbidden {
		t.Errorf("claimed by a stranger: %d", code)
	}
}
