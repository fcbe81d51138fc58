package csrf

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzDecide checks what must hold for any headers: without cookie rights from
// elsewhere, a request passes only by one of the few reasons there are.
func FuzzDecide(f *testing.F) {
	f.Add("same-origin", "https://app.example", "app.example", "https", byte(3))
	f.Add("cross-site", "https://partner.example", "app.example", "", byte(3))
	f.Add("", "https://[::1]:8080", "[::1]:8080", "http", byte(2))
	f.Add("", "null", "app.example", "https", byte(2))
	check := mustNew(f, Config{TrustedOrigins: []string{"https://partner.example"}})
	f.Fuzz(func(t *testing.T, site, origin, host, scheme string, present byte) {
		r := &http.Request{Method: "POST", Host: host, URL: &url.URL{Path: "/"}, Header: http.Header{}}
		if present&1 != 0 {
			r.Header["Sec-Fetch-Site"] = []string{site}
		}
		if present&2 != 0 {
			r.Header["Origin"] = []string{origin}
		}
		facts := Facts{Scheme: scheme, CookieAuth: true}
		upgrade := check.DecideUpgrade(r, facts) == nil
		if upgrade && (scheme != "https" || present&2 == 0 && site != "same-origin") {
			t.Fatalf("upgrade passed: %+v %+v", r.Header, facts)
		}
		if check.Decide(r, facts) != nil {
			return
		}
		if present&2 != 0 && origin == "https://partner.example" {
			return
		}
		if present&1 != 0 {
			if site != "same-origin" && site != "none" {
				t.Fatalf("passed with site %q and origin %q", site, origin)
			}
			return
		}
		// What is left is the own origin, which an independent parser must agree
		// about.
		u, err := url.Parse(origin)
		if err != nil || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("passed with origin %q: %v", origin, err)
		}
		if scheme != "" && u.Scheme != scheme {
			t.Fatalf("passed with origin %q on scheme %q", origin, scheme)
		}
		ports := map[string]string{"http": ":80", "https": ":443"}
		own := strings.TrimSuffix(strings.ToLower(host), ports[u.Scheme])
		if strings.TrimSuffix(u.Host, ports[u.Scheme]) != own {
			t.Fatalf("passed with origin %q on host %q", origin, host)
		}
	})
}

func passing() map[string]*http.Request {
	return map[string]*http.Request{
		"site":    request("POST", "/v1/logout", "Sec-Fetch-Site", "same-origin", "Origin", "https://app.example"),
		"origin":  request("POST", "/v1/logout", "Origin", "https://app.example:443"),
		"trusted": request("POST", "/v1/logout", "Sec-Fetch-Site", "cross-site", "Origin", "https://partner.example"),
		"exempt":  request("POST", "/dbsc/refresh", "Sec-Fetch-Site", "cross-site"),
		"safe":    request("GET", "/", "Sec-Fetch-Site", "cross-site"),
		"neither": request("POST", "/v1/logout"),
	}
}

func benched(t testing.TB) (*Check, Facts) {
	check := mustNew(t, Config{
		TrustedOrigins: []string{"https://partner.example"},
		Exempt:         []Route{{"POST", "/dbsc/refresh"}, {"POST", "/dbsc/start"}},
	})
	return check, Facts{Scheme: "https", CookieAuth: true, TokenOK: true}
}

func TestAPassDoesNotAllocate(t *testing.T) {
	check, facts := benched(t)
	for name, r := range passing() {
		if err := check.Decide(r, facts); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = check.Decide(r, facts) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	check, facts := benched(b)
	for name, r := range passing() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := check.Decide(r, facts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	tok, binding := tokens(b, keyA), Binding{Generation: 1}
	text, err := tok.Mint(binding)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !tok.Verify(binding, text) {
			b.Fatal("does not verify")
		}
	}
}
