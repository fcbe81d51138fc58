package csrf

import "testing"

// req: CSRF-11
// attack: C9
func TestAnUpgradeNeedsAnAllowedOriginOverTLS(t *testing.T) {
	strict := mustNew(t, Config{TrustedOrigins: []string{"https://partner.example"}})
	loose := mustNew(t, Config{InsecureLoopbackUpgrade: true})
	https := Facts{Scheme: "https", CookieAuth: true}
	ws := []string{"Upgrade", "websocket", "Connection", "Upgrade"}
	with := func(headers ...string) []string { return append(headers, ws...) }
	tests := []struct {
		name    string
		check   *Check
		method  string
		headers []string
		facts   Facts
		want    Cause
	}{
		{"own origin", strict, "GET", with(from, "https://app.example"), https, ""},
		{"own origin, said twice over", strict, "GET", with(from, "https://app.example", site, "same-origin"), https, ""},
		{"trusted origin", strict, "GET", with(from, "https://partner.example", site, "cross-site"), https, ""},
		{"cross-site", strict, "GET", with(from, "https://evil.example", site, "cross-site"), https, OriginMismatch},
		{"a sibling", strict, "GET", with(from, "https://x.app.example", site, "same-site"), https, OriginMismatch},
		{"a suffix", strict, "GET", with(from, "https://app.example.evil.example"), https, OriginMismatch},
		{"the own origin reached through another site", strict, "GET", with(from, "https://app.example", site, "cross-site"), https, CrossSite},
		{"null", strict, "GET", with(from, "null"), https, OriginNull},
		{"no origin", strict, "GET", ws, https, NoHeaders},
		{"no origin beside same-origin is not what a browser sends", strict, "GET", with(site, "same-origin"), https, NoHeaders},
		{"no origin with a token is no better", strict, "GET", ws, Facts{Scheme: "https", CookieAuth: true, TokenOK: true}, NoHeaders},
		{"two origins", strict, "GET", with(from, "https://app.example", from, "https://app.example"), https, BadHeader},
		{"two sites", strict, "GET", with(from, "https://app.example", site, "same-origin", site, "none"), https, BadHeader},
		{"an unparsable origin", strict, "GET", with(from, "https://app.example/"), https, BadHeader},
		{"http origin", strict, "GET", with(from, "http://app.example"), https, SchemeMismatch},
		{"outside TLS", strict, "GET", with(from, "http://app.example"), Facts{Scheme: "http"}, NotSecure},
		{"an unknown scheme", strict, "GET", with(from, "https://app.example"), Facts{}, NotSecure},
		{"HTTP/2 CONNECT without origin", strict, "CONNECT", []string{site, "same-origin"}, https, NoHeaders},

		{"an event stream of the own origin", strict, "GET", []string{site, "same-origin"}, https, ""},
		{"an event stream of a trusted origin", strict, "GET", []string{site, "cross-site", from, "https://partner.example"}, https, ""},
		{"an event stream of another origin", strict, "GET", []string{site, "cross-site", from, "https://evil.example"}, https, OriginMismatch},
		{"an event stream without headers", strict, "GET", nil, https, NoHeaders},
		{"an event stream opened as a page", strict, "GET", []string{site, "none"}, https, NoHeaders},
		{"an image of the stream on another site", strict, "GET", []string{site, "cross-site"}, https, NoHeaders},

		{"development on a loopback host", loose, "GET", with(from, "http://localhost:8080"), Facts{Scheme: "http", Host: "localhost:8080"}, ""},
		{"development on a loopback address", loose, "GET", with(from, "http://[::1]:8080"), Facts{Scheme: "http", Host: "[::1]:8080"}, ""},
		{"development still checks the origin", loose, "GET", with(from, "http://evil.example"), Facts{Scheme: "http", Host: "localhost:8080"}, OriginMismatch},
		{"development on another host", loose, "GET", with(from, "http://app.example"), Facts{Scheme: "http"}, NotSecure},
		{"development with an unknown scheme", loose, "GET", with(from, "http://localhost"), Facts{Host: "localhost"}, NotSecure},
		{"loopback without the option", strict, "GET", with(from, "http://localhost"), Facts{Scheme: "http", Host: "localhost"}, NotSecure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := causeOf(t, tt.check.DecideUpgrade(request(tt.method, "/live", tt.headers...), tt.facts)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
