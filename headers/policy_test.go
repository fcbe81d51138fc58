package headers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func mustNew(t testing.TB, c Config) *Policy {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answer is what a page that shows its nonce is answered with.
func answer(p *Policy, change func(http.Header)) *httptest.ResponseRecorder {
	a := httptest.NewRecorder()
	p.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if change != nil {
			change(w.Header())
		}
		io.WriteString(w, Nonce(r.Context()))
	})).ServeHTTP(a, httptest.NewRequest("GET", "/", nil))
	return a
}

// directives splits a policy.
func directives(t *testing.T, policy string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for d := range strings.SplitSeq(policy, "; ") {
		name, value, _ := strings.Cut(d, " ")
		if _, twice := out[name]; twice || name == "" {
			t.Errorf("directive %q: %q", name, policy)
		}
		out[name] = value
	}
	return out
}

func TestAPageHasTheHeadersThatKeepItSafe(t *testing.T) {
	a := answer(mustNew(t, Config{}), nil)
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Reporting-Endpoints": "",
	} {
		if got := a.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	nonce := a.Body.String()
	got := directives(t, a.Header().Get("Content-Security-Policy"))
	for name, want := range map[string]string{
		"default-src": "'none'", "script-src": "'self' 'nonce-" + nonce + "'", "style-src": "'self' 'nonce-" + nonce + "'", "img-src": "'self'",
		"connect-src": "'self'", "form-action": "'self'", "frame-src": "'none'", "frame-ancestors": "'none'", "base-uri": "'none'", "object-src": "'none'",
	} {
		if got[name] != want {
			t.Errorf("%s %s, want %s", name, got[name], want)
		}
	}
}

func TestEachAnswerHasANonceOfItsOwn(t *testing.T) {
	p := mustNew(t, Config{})
	seen := map[string]bool{}
	for range 100 {
		nonce := answer(p, nil).Body.String()
		if len(nonce) != 22 || seen[nonce] {
			t.Fatalf("nonce %q", nonce)
		}
		seen[nonce] = true
	}
	if got := Nonce(t.Context()); got != "" {
		t.Errorf("outside of a handler: %q", got)
	}
}

func TestAHandlerSaysOtherwiseForItsOwnPage(t *testing.T) {
	a := answer(mustNew(t, Config{}), func(h http.Header) {
		h.Set("Cache-Control", "public, max-age=60")
		h.Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
	})
	if a.Header().Get("Cache-Control") != "public, max-age=60" || a.Header().Get("Cross-Origin-Opener-Policy") != "same-origin-allow-popups" {
		t.Errorf("header %v", a.Header())
	}
}

func TestSourcesAreAddedWhereTheyAreNamed(t *testing.T) {
	a := answer(mustNew(t, Config{
		Sources: map[string][]string{
			"img-src": {"https://images.example", "data:"}, "frame-ancestors": {"https://portal.example"}, "connect-src": {"wss://live.example:8443", "https://*.api.example"},
			"frame-src": {"'self'"}, "script-src": {"https://cdn.example/lib/"}, "font-src": {"http://localhost:3000"},
		},
		TrustedTypes: true, ReportURI: "/csp?from=page",
	}), nil)
	got := directives(t, a.Header().Get("Content-Security-Policy"))
	for name, want := range map[string]string{
		"img-src": "'self' https://images.example data:", "frame-ancestors": "https://portal.example", "connect-src": "'self' wss://live.example:8443 https://*.api.example",
		"frame-src": "'self'", "script-src": "'self' 'nonce-" + a.Body.String() + "' https://cdn.example/lib/", "font-src": "'self' http://localhost:3000",
		"require-trusted-types-for": "'script'", "report-uri": "/csp?from=page", "report-to": "csp",
	} {
		if got[name] != want {
			t.Errorf("%s %s, want %s", name, got[name], want)
		}
	}
	if got := a.Header().Get("Reporting-Endpoints"); got != `csp="/csp?from=page"` {
		t.Errorf("Reporting-Endpoints: %s", got)
	}
}

func TestReportingOnlyEnforcesNothing(t *testing.T) {
	a := answer(mustNew(t, Config{ReportURI: "https://reports.example/csp", InsecureReportOnly: true}), nil)
	if a.Header().Get("Content-Security-Policy") != "" || !strings.HasPrefix(a.Header().Get("Content-Security-Policy-Report-Only"), "default-src 'none'") {
		t.Errorf("header %v", a.Header())
	}
}

// req: HTTP-7
func TestNewRefusesWhatWouldOpenThePolicyOrEndTheHeader(t *testing.T) {
	for _, row := range []struct {
		directive string
		sources   []string
	}{
		{"script-src", []string{"'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "'strict-dynamic'", "'nonce-abc'", "'none'", "'self'", "*", "https:", "data:", "blob:", "https://*", "https://*.", "https://*.*.example"}},
		{"img-src", []string{"", "images.example", "http://images.example", "//images.example", "ftp://images.example", "https://", "https:///x", "https://Images.example", "https://a@images.example",
			"https://images.example; script-src *", "https://images.example, default-src *", "https://a https://b", "https://a\r\nSet-Cookie: x=y", "https://images.example?x", "https://images.example#x", "https://a\x00", "https://bücher.example", "https://[::1", "https://images.example:port"}},
		{"frame-ancestors", []string{"https://portal.example/path", "data:", "*"}},
		{"default-src", []string{"https://images.example"}},
		{"object-src", []string{"https://images.example"}},
		{"base-uri", []string{"https://images.example"}},
		{"base-url", []string{"https://images.example"}},
		{"sandbox", []string{"https://images.example"}},
		{"img-src; script-src", []string{"https://images.example"}},
	} {
		for _, s := range row.sources {
			_, err := New(Config{Sources: map[string][]string{row.directive: {s}}})
			if err == nil || !strings.Contains(err.Error(), "Sources[") {
				t.Errorf("%s %q: %v", row.directive, s, err)
			}
		}
	}
	for _, uri := range []string{"csp", "//reports.example/csp", "http://reports.example/csp", "https://reports.example", "/csp; script-src *", "/csp\"", "/csp\r\nX: y", "/a b", "https://a@reports.example/", "/csp#x", "javascript:alert(1)"} {
		if _, err := New(Config{ReportURI: uri}); err == nil || !strings.Contains(err.Error(), "ReportURI") {
			t.Errorf("ReportURI %q: %v", uri, err)
		}
	}
	if _, err := New(Config{InsecureReportOnly: true}); err == nil || !strings.Contains(err.Error(), "InsecureReportOnly") {
		t.Errorf("reporting to nobody: %v", err)
	}
}

func BenchmarkHandler(b *testing.B) {
	h := mustNew(b, Config{}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
