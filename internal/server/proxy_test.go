package server

import (
	"maps"
	"net/http"
	"net/netip"
	"testing"

	"github.com/lanyard-go/lanyard/audit"
)

// req: HTTP-15
func TestForwardingHeadersAreBelievedFromProxiesOnly(t *testing.T) {
	x := newSite(t, func(c *Config) {
		c.TrustedProxies = []string{"10.0.0.0/8"}
		c.Issuer = "https://app.example"
	})
	for _, c := range []struct {
		name, from string
		headers    http.Header
		status     int
		source     string
	}{
		{"a proxy that says https", "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"203.0.113.7"}}, 401, "203.0.113.7"},
		{"a proxy that says http", "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"http"}, "X-Forwarded-For": {"203.0.113.7"}}, 400, ""},
		{"a proxy that says nothing", "10.0.0.1:1", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, 400, ""},
		{"a stranger that says https", "203.0.113.7:1", http.Header{"X-Forwarded-Proto": {"https"}}, 400, ""},
		{"a stranger behind a proxy that claims to be local", "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"http"}, "X-Forwarded-For": {"127.0.0.1, 203.0.113.7"}}, 400, ""},
		{"two proxies", "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"1.2.3.4, 203.0.113.8, 10.9.9.9"}}, 401, "203.0.113.8"},
	} {
		a := x.direct(c.from, "POST", "/v1/login", map[string]string{"username": "ada", "password": "wrong"}, func(r *http.Request) { maps.Copy(r.Header, c.headers) })
		if a.status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, a.status, a.body, c.status)
		}
		if c.status == 400 {
			if a.code() != "insecure_transport" || a.header.Get("Set-Cookie") != "" || a.header.Get("Location") != "" {
				t.Errorf("%s: plain HTTP is refused, without a redirect: %s", c.name, a.body)
			}
			continue
		}
		records, err := x.s.trail.Query(audit.Filter{Limit: 1, Newest: true})
		if err != nil || len(records) != 1 || records[0].Event.Source != c.source {
			t.Errorf("%s: the source in the audit trail is %v, want %s (%v)", c.name, records, c.source, err)
		}
		if _, err := netip.ParseAddr(c.source); err != nil {
			t.Error(err)
		}
	}
}
