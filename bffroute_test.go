package lanyard_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// req: HTTP-27
func TestBFFLeavesNoRouteByTricks(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	for _, row := range []struct {
		name, path string
		status     int
	}{
		{"another path", "/admin", 404},
		{"a path that begins alike", "/apiary", 404},
		{"an exact path with more behind it", "/me/x", 404},
		{"an exact path with a slash", "/me/", 404},
		{"dots", "/api/../admin", 400},
		{"dots at the end", "/api/..", 400},
		{"one dot", "/api/./x", 400},
		{"an empty segment", "/api//x", 400},
		{"encoded dots", "/api/%2e%2e/admin", 400},
		{"half encoded dots", "/api/.%2E/admin", 400},
		{"an encoded slash", "/api/..%2fadmin", 400},
		{"an encoded slash without dots", "/api/a%2Fb", 400},
		{"encoded twice", "/api/%252e%252e/admin", 400},
		{"an encoded slash, twice", "/api/..%252fadmin", 400},
		{"a backslash", `/api/..\admin`, 400},
		{"an encoded backslash", "/api/..%5cadmin", 400},
		{"parameters of a segment", "/api/..;/admin", 400},
		{"encoded parameters", "/api/..%3b/admin", 400},
		{"dots in overlong UTF-8", "/api/%c0%ae%c0%ae/admin", 400},
		{"a zero byte", "/api/x%00", 400},
		{"a line break", "/api/x%0d%0aHost:%20evil", 400},
		{"the address of another host", "http://evil.example/api/x", 200}, // the path counts, the host does not
	} {
		t.Run(row.name, func(t *testing.T) {
			a := f.get(row.path, g)
			a.want(t, row.status, "")
			seen := f.arrived()
			if (row.status == 200) != (len(seen) == 1) {
				t.Errorf("the service has seen %d requests", len(seen))
			}
			for _, r := range seen {
				if !strings.HasPrefix(r.RequestURI, "/v1/") || r.Host != strings.TrimPrefix(f.service.URL, "http://") {
					t.Errorf("the service has seen %s at %s", r.RequestURI, r.Host)
				}
			}
		})
	}
}

// req: HTTP-27
func TestBFFTakesListedMethodsAlone(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	for _, row := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/api/read/x", 200}, {"HEAD", "/api/read/x", 200}, {"POST", "/api/read/x", 405}, {"OPTIONS", "/api/read/x", 405},
		{"get", "/api/read/x", 405}, {"TRACE", "/api/x", 405}, {"PATCH", "/api/x", 405}, {"DELETE", "/api/x", 200}, {"OPTIONS", "/api/x", 405},
	} {
		a := f.do(f.ask(row.method, row.path, g, nil))
		if a.StatusCode != row.status {
			t.Errorf("%s %s: %d, want %d", row.method, row.path, a.StatusCode, row.status)
		}
		if allow := a.Header.Get("Allow"); row.status == 405 && !strings.HasPrefix(allow, "GET, HEAD") {
			t.Errorf("%s %s: Allow %q", row.method, row.path, allow)
		}
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("another origin is let in")
		}
		if seen := f.arrived(); (len(seen) == 1) != (row.status == 200) {
			t.Errorf("%s %s reached the service %d times", row.method, row.path, len(seen))
		}
	}
}

// req: HTTP-27
func TestBFFPassesOnRedirectsWithinItsRouteAlone(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	for _, row := range []struct {
		name, location string
		status         int
		want           string // Location; none if empty
	}{
		{"relative", "new?a=b#c", 302, "/api/new?a=b#c"},
		{"absolute path", "/v1/x/y", 307, "/api/x/y"},
		{"the service's own address", "SERVICE/v1/x", 301, "/api/x"},
		{"another path of the service", "/admin", 302, ""},
		{"up and out", "../admin", 302, ""},
		{"another host", "https://evil.example/v1/x", 302, ""},
		{"another host without a scheme", "//evil.example/v1/x", 302, ""},
		{"another port", "http://127.0.0.1:1/v1/x", 302, ""},
		{"with a user", "http://u:p@HOST/v1/x", 302, ""},
		{"a script", "javascript:alert(1)", 302, ""},
		{"a new thing", "/v1/orders/7", 201, "/api/orders/7"},
		{"a new thing elsewhere", "https://evil.example/7", 201, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			host := strings.TrimPrefix(f.service.URL, "http://")
			location := strings.NewReplacer("SERVICE", f.service.URL, "HOST", host).Replace(row.location)
			f.serve(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(row.status)
			})
			a := f.get("/api/x", g)
			status := row.status
			if row.want == "" && status != 201 {
				status = 502
			}
			if a.StatusCode != status || a.Header.Get("Location") != row.want || strings.Contains(a.body, "evil") {
				t.Errorf("answered %d Location %q %s, want %d %q", a.StatusCode, a.Header.Get("Location"), a.body, status, row.want)
			}
			if seen := f.arrived(); len(seen) != 1 {
				t.Errorf("the service was asked %d times: the redirect was followed", len(seen))
			}
		})
	}
}

func TestBFFConfigurationIsChecked(t *testing.T) {
	w := newWorld(t)
	good := lanyard.BFFRoute{Path: "/api/", Upstream: "https://orders.example/v1/", Audience: "orders"}
	with := func(change func(*lanyard.BFFRoute)) lanyard.BFFConfig {
		r := good
		change(&r)
		return lanyard.BFFConfig{Routes: []lanyard.BFFRoute{good, r}}
	}
	other := func(change func(*lanyard.BFFRoute)) lanyard.BFFConfig {
		return with(func(r *lanyard.BFFRoute) { r.Path = "/other/"; change(r) })
	}
	headers := func(request, response string) lanyard.BFFConfig {
		c := lanyard.BFFConfig{Routes: []lanyard.BFFRoute{good}}
		if request != "" {
			c.RequestHeaders = []string{request}
		}
		if response != "" {
			c.ResponseHeaders = []string{response}
		}
		return c
	}
	for _, row := range []struct {
		name  string
		cfg   lanyard.BFFConfig
		field string // named by the error; none if empty
	}{
		{"good", other(func(*lanyard.BFFRoute) {}), ""},
		{"no routes", lanyard.BFFConfig{}, "Routes"},
		{"a path twice", with(func(*lanyard.BFFRoute) {}), "Routes[1].Path"},
		{"a relative path", other(func(r *lanyard.BFFRoute) { r.Path = "api/" }), "Routes[1].Path"},
		{"a path with dots", other(func(r *lanyard.BFFRoute) { r.Path = "/a/../" }), "Routes[1].Path"},
		{"a path with escapes", other(func(r *lanyard.BFFRoute) { r.Path = "/a%20b/" }), "Routes[1].Path"},
		{"a path to encode", other(func(r *lanyard.BFFRoute) { r.Path = "/a b/" }), "Routes[1].Path"},
		{"no upstream", other(func(r *lanyard.BFFRoute) { r.Upstream = "" }), "Routes[1].Upstream"},
		{"an upstream in clear", other(func(r *lanyard.BFFRoute) { r.Upstream = "http://orders.example/" }), "Routes[1].Upstream"},
		{"an upstream in clear here", other(func(r *lanyard.BFFRoute) { r.Upstream = "http://127.0.0.1:1/" }), ""},
		{"an upstream of another kind", other(func(r *lanyard.BFFRoute) { r.Upstream = "ftp://orders.example/" }), "Routes[1].Upstream"},
		{"an upstream with a user", other(func(r *lanyard.BFFRoute) { r.Upstream = "https://a:b@orders.example/" }), "Routes[1].Upstream"},
		{"an upstream with a query", other(func(r *lanyard.BFFRoute) { r.Upstream = "https://orders.example/?a" }), "Routes[1].Upstream"},
		{"an upstream with a fragment", other(func(r *lanyard.BFFRoute) { r.Upstream = "https://orders.example/#" }), "Routes[1].Upstream"},
		{"an upstream with dots", other(func(r *lanyard.BFFRoute) { r.Upstream = "https://orders.example/a/../" }), "Routes[1].Upstream"},
		{"slashes that differ", other(func(r *lanyard.BFFRoute) { r.Upstream = "https://orders.example/v1" }), "Routes[1].Upstream"},
		{"no audience", other(func(r *lanyard.BFFRoute) { r.Audience = "" }), "Routes[1].Audience"},
		{"the issuer as audience", other(func(r *lanyard.BFFRoute) { r.Audience = site }), "Routes[1].Audience"},
		{"an unknown audience", other(func(r *lanyard.BFFRoute) { r.Audience = "weather" }), "Routes[1].Audience"},
		{"CONNECT", other(func(r *lanyard.BFFRoute) { r.Methods = []string{"CONNECT"} }), "Routes[1].Methods"},
		{"a method in small letters", other(func(r *lanyard.BFFRoute) { r.Methods = []string{"get"} }), "Routes[1].Methods"},
		{"the token channel", other(func(r *lanyard.BFFRoute) { r.Need.Channel = lanyard.ChannelToken }), "Routes[1].Need.Channel"},
		{"programs", other(func(r *lanyard.BFFRoute) { r.Need.Programs = true }), "Routes[1].Need"},
		{"a cookie upstream", headers("cookie", ""), "RequestHeaders"},
		{"an address upstream", headers("X-Forwarded-For", ""), "RequestHeaders"},
		{"a look-alike of a name", headers("X_Forwarded_For", ""), "RequestHeaders"},
		{"a cookie back", headers("", "Set-Cookie"), "ResponseHeaders"},
		{"other origins", headers("", "access-control-allow-origin"), "ResponseHeaders"},
		{"no name", headers("", "a b"), "ResponseHeaders"},
		{"harmless ones", headers("X-Tenant", "Link"), ""},
		{"a negative limit", lanyard.BFFConfig{Routes: []lanyard.BFFRoute{good}, MaxBody: -1}, "MaxBody"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := lanyard.NewBFF(w.Manager, row.cfg)
			if (err != nil) != (row.field != "") || err != nil && !strings.Contains(err.Error(), row.field) {
				t.Errorf("error %v, want one that names %q", err, row.field)
			}
		})
	}
	if _, err := lanyard.NewBFF(nil, lanyard.BFFConfig{}); err == nil {
		t.Error("without a manager")
	}
	clear := other(func(r *lanyard.BFFRoute) { r.Upstream = "http://orders.example/" })
	clear.InsecureUpstream = true
	if _, err := lanyard.NewBFF(w.Manager, clear); err != nil || !strings.Contains(w.logs.String(), "plain HTTP") {
		t.Errorf("%v, log %s", err, w.logs)
	}
}
