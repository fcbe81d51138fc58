package csrf

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
)

// request builds a request as the server sees it; headers alternate names and
// values, and a name may come twice.
func request(method, path string, headers ...string) *http.Request {
	r := &http.Request{Method: method, Host: "app.example", URL: &url.URL{Path: path}, Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func mustNew(t testing.TB, c Config) *Check {
	t.Helper()
	check, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return check
}

// causeOf returns "" for nil, and fails the test for any error but *Refused.
func causeOf(t testing.TB, err error) Cause {
	t.Helper()
	if err == nil {
		return ""
	}
	refused, ok := errors.AsType[*Refused](err)
	if !ok {
		t.Fatalf("not a *Refused: %v", err)
	}
	return refused.Why
}

const (
	site = "Sec-Fetch-Site"
	from = "Origin"
)

// req: CSRF-2
// attack: C6
func TestSecFetchSiteDecidesWhenPresent(t *testing.T) {
	check := mustNew(t, Config{TrustedOrigins: []string{"https://partner.example"}})
	tests := []struct {
		name    string
		headers []string
		want    Cause
	}{
		{"same-origin passes", []string{site, "same-origin"}, ""},
		{"none passes", []string{site, "none"}, ""},
		{"same-origin passes under a no-referrer policy", []string{site, "same-origin", from, "null"}, ""},
		{"same-site fails", []string{site, "same-site"}, SameSite},
		{"cross-site fails", []string{site, "cross-site"}, CrossSite},
		{"cross-site fails with the own origin", []string{site, "cross-site", from, "https://app.example"}, CrossSite},
		{"an unknown value fails", []string{site, "sideways"}, BadHeader},
		{"an empty value fails", []string{site, ""}, BadHeader},
		{"another case fails", []string{site, "Same-Origin"}, BadHeader},
		{"a list fails", []string{site, "same-origin, cross-site"}, BadHeader},
		{"a blank around the value fails", []string{site, " same-origin"}, BadHeader},
		{"two fields fail", []string{site, "same-origin", site, "same-origin"}, BadHeader},
		{"two origins fail even beside same-origin", []string{site, "same-origin", from, "https://app.example", from, "https://app.example"}, BadHeader},
		{"cross-site passes from a trusted origin", []string{site, "cross-site", from, "https://partner.example"}, ""},
		{"same-site passes from a trusted origin", []string{site, "same-site", from, "https://partner.example"}, ""},
		{"an unknown value passes from a trusted origin", []string{site, "sideways", from, "https://partner.example"}, ""},
		{"a suffix of a trusted origin fails", []string{site, "cross-site", from, "https://partner.example.evil.example"}, CrossSite},
		{"a prefix of a trusted origin fails", []string{site, "cross-site", from, "https://evilpartner.example"}, CrossSite},
		{"a subdomain of a trusted origin fails", []string{site, "cross-site", from, "https://x.partner.example"}, CrossSite},
		{"a trusted origin on another port fails", []string{site, "cross-site", from, "https://partner.example:8443"}, CrossSite},
		{"a trusted origin over http fails", []string{site, "cross-site", from, "http://partner.example"}, CrossSite},
		{"a trusted origin in another case fails", []string{site, "cross-site", from, "https://Partner.example"}, CrossSite},
		{"a trusted origin with a slash fails", []string{site, "cross-site", from, "https://partner.example/"}, CrossSite},
		{"two trusted origins fail", []string{site, "cross-site", from, "https://partner.example", from, "https://partner.example"}, BadHeader},
	}
	for _, tt := range tests {
		for _, cookie := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				r := request("POST", "/", tt.headers...)
				got := causeOf(t, check.Decide(r, Facts{Scheme: "https", CookieAuth: cookie, TokenOK: true}))
				if got != tt.want {
					t.Errorf("cookie %v: got %q, want %q", cookie, got, tt.want)
				}
			})
		}
	}
}

// req: CSRF-3
// attack: C7
func TestOriginMustBeTheSiteItself(t *testing.T) {
	check := mustNew(t, Config{TrustedOrigins: []string{"https://partner.example", "https://xn--bcher-kva.example"}})
	tests := []struct {
		name, host, scheme, origin string
		want                       Cause
	}{
		{"the own origin", "app.example", "https", "https://app.example", ""},
		{"the own origin when the scheme is not known", "app.example", "", "https://app.example", ""},
		{"http when the scheme is not known", "app.example", "", "http://app.example", ""},
		{"a host in another case", "App.Example", "https", "https://app.example", ""},
		{"an own port", "app.example:8443", "https", "https://app.example:8443", ""},
		{"the default port said in Host only", "app.example:443", "https", "https://app.example", ""},
		{"the default port said in Origin only", "app.example", "https", "https://app.example:443", ""},
		{"the default port of http", "app.example:80", "http", "http://app.example", ""},
		{"IPv4", "192.0.2.1:8080", "http", "http://192.0.2.1:8080", ""},
		{"IPv6", "[2001:db8::1]", "https", "https://[2001:db8::1]", ""},
		{"IPv6 with a port", "[::1]:8080", "http", "http://[::1]:8080", ""},
		{"IPv6 in upper case in Host", "[2001:DB8::1]", "https", "https://[2001:db8::1]", ""},
		{"an IDN in its ASCII form", "xn--mnchen-3ya.example", "https", "https://xn--mnchen-3ya.example", ""},
		{"a name with an underscore", "my_app.example", "https", "https://my_app.example", ""},
		{"a trusted origin", "app.example", "https", "https://partner.example", ""},
		{"a trusted IDN", "app.example", "https", "https://xn--bcher-kva.example", ""},

		{"http against an https site", "app.example", "https", "http://app.example", SchemeMismatch},
		{"https against an http site", "app.example", "http", "https://app.example", SchemeMismatch},
		{"another host", "app.example", "https", "https://evil.example", OriginMismatch},
		{"a subdomain", "app.example", "https", "https://x.app.example", OriginMismatch},
		{"the parent", "app.example", "https", "https://example", OriginMismatch},
		{"our name as a prefix", "app.example", "https", "https://app.example.evil.example", OriginMismatch},
		{"our name as a suffix", "app.example", "https", "https://evilapp.example", OriginMismatch},
		{"a trailing dot", "app.example", "https", "https://app.example.", OriginMismatch},
		{"another port", "app.example", "https", "https://app.example:8443", OriginMismatch},
		{"a missing port", "app.example:8443", "https", "https://app.example", OriginMismatch},
		{"the default port of the other scheme", "app.example", "https", "https://app.example:80", OriginMismatch},
		{"the port of the other scheme in Host", "app.example:80", "https", "https://app.example", OriginMismatch},
		{"another IPv6 address", "[2001:db8::1]", "https", "https://[2001:db8::2]", OriginMismatch},
		{"a Kelvin sign for a k in Host", "\u212aite.example", "https", "https://kite.example", OriginMismatch},
		{"no host at all", "", "https", "https://app.example", OriginMismatch},
		{"a Host that is a URL", "https://app.example", "https", "https://app.example", OriginMismatch},

		{"null", "app.example", "https", "null", OriginNull},
		{"null against a host of that name", "null", "https", "null", OriginNull},
		{"an empty value", "app.example", "https", "", BadHeader},
		{"another case", "app.example", "https", "https://App.example", BadHeader},
		{"another case of the scheme", "app.example", "https", "HTTPS://app.example", BadHeader},
		{"null in another case", "app.example", "https", "NULL", BadHeader},
		{"no scheme", "app.example", "https", "app.example", BadHeader},
		{"another scheme", "app.example", "https", "ftp://app.example", BadHeader},
		{"an extension", "app.example", "https", "chrome-extension://app.example", BadHeader},
		{"a path", "app.example", "https", "https://app.example/", BadHeader},
		{"a query", "app.example", "https", "https://app.example?x", BadHeader},
		{"a fragment", "app.example", "https", "https://app.example#x", BadHeader},
		{"user information", "app.example", "https", "https://app.example@evil.example", BadHeader},
		{"our host as user information", "app.example", "https", "https://evil@app.example", BadHeader},
		{"a backslash", "app.example", "https", `https://app.example\.evil.example`, BadHeader},
		{"a blank", "app.example", "https", "https://app.example ", BadHeader},
		{"two in one field", "app.example", "https", "https://app.example https://evil.example", BadHeader},
		{"a list", "app.example", "https", "https://app.example, https://evil.example", BadHeader},
		{"a name beyond ASCII", "münchen.example", "https", "https://münchen.example", BadHeader},
		{"an escape", "app.example", "https", "https://app%2eexample", BadHeader},
		{"an empty port", "app.example", "https", "https://app.example:", BadHeader},
		{"port zero", "app.example:0", "https", "https://app.example:0", BadHeader},
		{"a port with a leading zero", "app.example", "https", "https://app.example:0443", BadHeader},
		{"a port too large", "app.example:65536", "https", "https://app.example:65536", BadHeader},
		{"a port with a sign", "app.example", "https", "https://app.example:+443", BadHeader},
		{"two ports", "app.example", "https", "https://app.example:443:443", BadHeader},
		{"IPv6 without brackets", "[::1]", "https", "https://::1", BadHeader},
		{"IPv6 with a zone", "[fe80::1%25eth0]", "https", "https://[fe80::1%25eth0]", BadHeader},
		{"a bracket that does not close", "[::1", "https", "https://[::1", BadHeader},
		{"a bracket around nothing", "[abcd", "https", "https://[abcd", BadHeader},
		{"text behind the bracket", "[::1]x", "https", "https://[::1]x", BadHeader},
		{"no host", "", "https", "https://", BadHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request("POST", "/", from, tt.origin)
			r.Host = tt.host
			// A valid token does not outweigh a header that speaks against it.
			facts := Facts{Scheme: tt.scheme, CookieAuth: true, TokenOK: true}
			if got := causeOf(t, check.Decide(r, facts)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("the host from a trusted proxy replaces that of the connection", func(t *testing.T) {
		r := request("POST", "/", from, "https://public.example")
		if got := causeOf(t, check.Decide(r, Facts{Scheme: "https", Host: "public.example"})); got != "" {
			t.Errorf("own origin: %q", got)
		}
		r = request("POST", "/", from, "https://app.example")
		if got := causeOf(t, check.Decide(r, Facts{Scheme: "https", Host: "public.example"})); got != OriginMismatch {
			t.Errorf("internal origin: %q", got)
		}
	})
	t.Run("two fields fail", func(t *testing.T) {
		r := request("POST", "/", from, "https://app.example", from, "https://app.example")
		if got := causeOf(t, check.Decide(r, Facts{Scheme: "https"})); got != BadHeader {
			t.Errorf("got %q", got)
		}
	})
}

// req: CSRF-4
// attack: C7
func TestWithoutHeadersACookieNeedsAToken(t *testing.T) {
	check := mustNew(t, Config{})
	tests := []struct {
		name  string
		facts Facts
		want  Cause
	}{
		{"no cookie, no token: nothing ambient to abuse", Facts{}, ""},
		{"a cookie", Facts{CookieAuth: true}, NoHeaders},
		{"a cookie over https", Facts{CookieAuth: true, Scheme: "https"}, NoHeaders},
		{"a cookie and its token", Facts{CookieAuth: true, TokenOK: true}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := causeOf(t, check.Decide(request("POST", "/"), tt.facts)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestARequiredTokenIsDemandedBesideTheHeaders(t *testing.T) {
	check := mustNew(t, Config{RequireToken: true, TrustedOrigins: []string{"https://partner.example"}})
	cookie := Facts{Scheme: "https", CookieAuth: true}
	withToken := Facts{Scheme: "https", CookieAuth: true, TokenOK: true}
	tests := []struct {
		name    string
		headers []string
		facts   Facts
		want    Cause
	}{
		{"good headers without a token", []string{site, "same-origin"}, cookie, TokenRequired},
		{"a good Origin without a token", []string{from, "https://app.example"}, cookie, TokenRequired},
		{"a trusted origin without a token", []string{from, "https://partner.example"}, cookie, TokenRequired},
		{"good headers and a token", []string{site, "same-origin"}, withToken, ""},
		{"a token does not replace the headers", []string{site, "cross-site"}, withToken, CrossSite},
		{"no cookie, no demand", []string{site, "same-origin"}, Facts{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := causeOf(t, check.Decide(request("POST", "/", tt.headers...), tt.facts)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOnlySafeMethodsPassUnchecked(t *testing.T) {
	check := mustNew(t, Config{})
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		if err := check.Decide(request(method, "/", site, "cross-site"), Facts{CookieAuth: true}); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get", "", "GET "} {
		if check.Decide(request(method, "/", site, "cross-site"), Facts{CookieAuth: true}) == nil {
			t.Errorf("%q passed", method)
		}
	}
}

// req: CSRF-16
func TestOnlyTheExactExemptRoutePasses(t *testing.T) {
	check := mustNew(t, Config{Exempt: []Route{{"POST", "/exempt"}, {"POST", "/dir/"}}})
	tests := []struct {
		method, target string
		exempt         bool
	}{
		{"POST", "/exempt", true},
		{"POST", "/exempt?x=1", true},
		{"POST", "/dir/", true},
		{"PUT", "/exempt", false},
		{"post", "/exempt", false},
		{"POST", "//exempt", false},
		{"POST", "/exempt/", false},
		{"POST", "/exempt/x", false},
		{"POST", "/./exempt", false},
		{"POST", "/x/../exempt", false},
		{"POST", "/x/%2e%2e/exempt", false},
		{"POST", "/x%2f..%2fexempt", false},
		{"POST", "/%65xempt", false},
		{"POST", "/Exempt", false},
		{"POST", "/exempt%00", false},
		{"POST", "/exempt;x", false},
		{"POST", "/dir", false},
		{"POST", "/dir/x", false},
		{"POST", "/", false},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			u, err := url.ParseRequestURI(tt.target)
			if err != nil {
				t.Fatal(err)
			}
			r := request(tt.method, "", site, "cross-site")
			r.URL = u
			if got := check.Decide(r, Facts{CookieAuth: true}) == nil; got != tt.exempt {
				t.Errorf("exempt = %v", got)
			}
		})
	}
}

func TestNewNamesTheFieldItCannotAccept(t *testing.T) {
	origins := []string{
		"", "null", "*", "https://*.example", "partner.example", "https://partner.example/", "https://Partner.example",
		"https://partner.example:443", "http://partner.example", "https://münchen.example", "https://a@b.example",
		"ftp://partner.example", "https://", "https://partner.example?x", "https://[::1", "https://[2001:db8:0:0::1]", "https://[::g]",
	}
	for _, o := range origins {
		if _, err := New(Config{TrustedOrigins: []string{"https://good.example", o}}); err == nil {
			t.Errorf("origin %q accepted", o)
		}
	}
	for _, o := range []string{"https://partner.example", "https://partner.example:8443", "http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000", "http://app.localhost", "https://[2001:db8::1]"} {
		if _, err := New(Config{TrustedOrigins: []string{o}}); err != nil {
			t.Errorf("origin %q: %v", o, err)
		}
	}
	for _, r := range []Route{
		{"", "/x"}, {"GET", "/x"}, {"post", "/x"}, {"POST", ""}, {"POST", "x"}, {"POST", "//x"}, {"POST", "/x//"}, {"POST", "/a/../x"},
		{"POST", "/a/."}, {"POST", "/x?y"}, {"POST", "/%78"}, {"POST", "/{id}"}, {"POST", "/*"},
	} {
		if _, err := New(Config{Exempt: []Route{r}}); err == nil {
			t.Errorf("route %v accepted", r)
		}
	}
	if _, err := New(Config{Exempt: []Route{{"POST", "/"}, {"POST", "/a/b"}, {"DELETE", "/a/b/"}}}); err != nil {
		t.Error(err)
	}
}

func TestARefusalRepeatsNothingFromTheRequest(t *testing.T) {
	err := mustNew(t, Config{}).Decide(request("POST", "/", from, "https://evil\n.example"), Facts{})
	if got, want := err.Error(), "csrf: refused: bad_header (Origin)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	err = mustNew(t, Config{}).Decide(request("POST", "/"), Facts{CookieAuth: true})
	if got, want := err.Error(), "csrf: refused: no_headers"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
