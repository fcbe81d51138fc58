package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/internal/web"
)

// targets are all routes with values in their paths, as METHOD /path.
func (x *site) targets(sid string) (out []string) {
	fill := strings.NewReplacer("{sid}", sid, "{name}", "nobody", "{kid}", "nokey", "{id}", "noclient", "{$}", "")
	for _, e := range append(x.s.publicEndpoints(), x.s.adminEndpoints()...) {
		target := fill.Replace(e.pattern)
		if strings.HasSuffix(target, web.AssetPath) {
			target = "GET " + x.s.pages.AssetURL("app.css")
		}
		out = append(out, target)
	}
	return out
}

// Every route, called by everybody, with good and with bad requests, answers
// with the headers that keep the answer from being stored, guessed at or framed.
//
// req: HTTP-1, HTTP-10, HTTP-13, HTTP-20, HTTP-21, HTTP-25
func TestEveryAnswerHasItsHeaders(t *testing.T) {
	x := newSite(t)
	victim := x.signedIn("bob", "token")
	badges := map[string]*badge{"nobody": nil, "a user": x.signedIn("ada", "cookie"), "an administrator": x.signedIn("root", "cookie"), "an administrator's program": x.signedIn("root", "token")}
	secrets := []string{victim.access, victim.refresh}
	for _, b := range badges {
		if b != nil {
			secrets = append(secrets, b.access, b.refresh, b.cookie)
		}
	}
	for who, b := range badges {
		for _, target := range x.targets(victim.sid) {
			method, path, _ := strings.Cut(target, " ")
			if path == "/logout" || path == "/v1/logout" {
				continue // below, since the badges are needed on
			}
			for _, accept := range []string{"text/html", "*/*"} {
				a := x.call(method, path+"?callback=steal", nil, header("Accept", accept), func(r *http.Request) {
					if b != nil {
						x.as(b)(r)
					}
				})
				for _, p := range x.headerProblems(method, path, a, secrets) {
					t.Errorf("%s by %s (Accept: %s), %d: %s", target, who, accept, a.status, p)
				}
			}
		}
	}
	for _, c := range []struct {
		name, method, path string
		body               any
		badge              *badge
	}{
		{"logout", "POST", "/v1/logout", nil, x.signedIn("ada", "cookie")},
		{"logout of a dead session", "POST", "/v1/logout", nil, badges["a user"]},
		{"logout by form", "POST", "/logout", url.Values{}, x.signedIn("ada", "cookie")},
		{"an address that is not there", "GET", "/v1/nothing", nil, nil},
		{"a page that is not there", "GET", "/nothing", nil, nil},
		{"a path that is not clean", "POST", "/v1//login", map[string]string{"username": "ada", "password": goodPassword}, nil},
		{"a path with dots", "POST", "/x/../v1/login", map[string]string{"username": "ada", "password": goodPassword}, nil},
	} {
		a := x.call(c.method, c.path, c.body, func(r *http.Request) {
			if c.badge != nil {
				x.as(c.badge)(r)
			}
		})
		for _, p := range x.headerProblems(c.method, c.path, a, secrets) {
			t.Errorf("%s, %d: %s", c.name, a.status, p)
		}
	}
}

func (x *site) headerProblems(method, path string, a *answer, secrets []string) (problems []string) {
	h := a.header
	need := func(name string, values ...string) {
		if !slices.Contains(values, h.Get(name)) {
			problems = append(problems, name+" is "+quoted(h.Get(name)))
		}
	}
	need("X-Content-Type-Options", "nosniff")
	if len(h.Get("X-Request-Id")) < 20 || len(h["X-Request-Id"]) != 1 {
		problems = append(problems, "there is no request id")
	}
	kind := h.Get("Content-Type")
	if a.body != "" && !strings.Contains(kind, "charset=utf-8") {
		problems = append(problems, "the content type is "+kind)
	}
	page := strings.HasPrefix(kind, "text/html")
	if apiPath(path) && page {
		problems = append(problems, "an answer for programs is a page")
	}
	if strings.HasPrefix(strings.TrimSpace(a.body), "steal") {
		problems = append(problems, "the body is a script")
	}
	if len(h["Set-Cookie"]) > 0 || a.status == 401 || a.status == 403 || page || strings.Contains(a.body, `"sid"`) || strings.Contains(a.body, `"access_token"`) || a.status/100 == 3 {
		need("Cache-Control", "no-store")
	}
	if page || a.status/100 == 3 {
		need("Referrer-Policy", "no-referrer")
	}
	if page && a.status/100 != 3 {
		need("Cross-Origin-Opener-Policy", "same-origin")
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			problems = append(problems, "the content security policy is "+quoted(csp))
		}
	}
	if a.status/100 == 3 {
		if to := h.Get("Location"); !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, x.url+"/") {
			problems = append(problems, "it leads to "+quoted(to))
		}
		if method != "GET" && a.status != 303 {
			problems = append(problems, "a redirect after a POST is not 303")
		}
	}
	for _, secret := range secrets {
		if secret != "" && (strings.Contains(h.Get("Location"), secret) || strings.Contains(a.body, secret)) {
			problems = append(problems, "a credential is in it")
		}
	}
	for _, name := range []string{"Server", "X-Powered-By", "Via"} {
		if h.Get(name) != "" {
			problems = append(problems, name+" tells what runs here")
		}
	}
	return problems
}

// req: HTTP-14
func TestOnlyListedMethodsAreServed(t *testing.T) {
	x := newSite(t)
	before := x.state()
	served := map[string][]string{}
	for _, target := range x.targets("06eaih8a03ut4ip61s764ug8a0") {
		_, path, _ := strings.Cut(target, " ")
		served[path] = nil
		for _, e := range append(x.s.publicEndpoints(), x.s.adminEndpoints()...) {
			method, pattern, _ := strings.Cut(strings.TrimSuffix(e.pattern, "{$}"), " ")
			if fits(pattern, path) || pattern == web.AssetPath && strings.HasPrefix(path, pattern) {
				served[path] = append(served[path], method)
				if method == "GET" {
					served[path] = append(served[path], "HEAD")
				}
			}
		}
	}
	for path, methods := range served {
		slices.Sort(methods)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			if slices.Contains(methods, method) {
				continue
			}
			a := x.call(method, path, nil, header("Accept", "*/*"))
			if method == "get" && a.status == 404 {
				continue
			}
			allow := strings.Split(a.header.Get("Allow"), ", ")
			slices.Sort(allow)
			if a.status != 405 || !slices.Equal(allow, methods) || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
				t.Errorf("%s %s: got %d, Allow %v, %s; want 405 with %v in JSON", method, path, a.status, allow, a.header.Get("Content-Type"), methods)
			}
			if method != "HEAD" && a.code() != "method_not_allowed" {
				t.Errorf("%s %s: got %s", method, path, a.body)
			}
		}
	}
	x.unharmed(before)
}

// req: CSRF-8, LIFE-18
func TestSafeMethodsChangeNothing(t *testing.T) {
	x := newSite(t)
	victim := x.signedIn("bob", "token")
	badges := []*badge{x.signedIn("ada", "cookie"), x.signedIn("root", "cookie"), x.signedIn("root", "token")}
	before, events := x.state(), x.s.trail.Head().Seq
	for _, target := range x.targets(victim.sid) {
		_, path, _ := strings.Cut(target, " ")
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			x.call(method, path, nil)
			for _, b := range badges {
				x.call(method, path+"?username=ada&password="+url.QueryEscape(goodPassword)+"&done=ended", nil, x.as(b), header("Accept", "text/html"))
			}
		}
	}
	x.unharmed(before)
	if now := x.s.trail.Head().Seq; now != events {
		t.Errorf("%d events were written", now-events)
	}
}

// req: HTTP-24
func TestThePublicAddressShowsNothingOfTheInside(t *testing.T) {
	x := newSite(t, func(c *Config) { c.AdminListen = "127.0.0.1:0" })
	x.signedIn("someone-unusual", "cookie")
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/local/users", "/local/backup", "/.git/config", "/lanyard-data/", "/status", "/version"} {
		for _, method := range []string{"GET", "POST"} {
			if a := x.call(method, path, nil); a.status != 404 {
				t.Errorf("%s %s: got %d", method, path, a.status)
			}
		}
	}
	for _, target := range x.targets("06eaih8a03ut4ip61s764ug8a0") {
		method, path, _ := strings.Cut(target, " ")
		if !strings.HasPrefix(path, "/v1/admin") && !strings.HasPrefix(path, "/console") {
			continue
		}
		if a := x.call(method, path, nil, x.as(x.signedIn("root", "cookie"))); a.status != 404 {
			t.Errorf("%s is on the public address: %d", target, a.status)
		}
	}
	admin := x.client(x.back.Listener.Addr().String())
	for _, path := range []string{"/livez", "/readyz"} {
		for _, c := range []*http.Client{x.http, admin} {
			if a := x.callAt(c, "GET", path, nil); a.status != 200 || a.body != "ok\n" {
				t.Errorf("%s says %q", path, a.body)
			}
		}
	}
	x.callAt(admin, "GET", "/v1/admin/sessions", nil, x.as(x.signedIn("root", "cookie"))).want(200)
	figures := x.callAt(admin, "GET", "/metrics", nil).want(200)
	if want := fmt.Sprintf("\nlanyard_sessions_live %d\n", x.live("")); !strings.Contains(figures.body, want) {
		t.Errorf("the figures do not say%s", want)
	}
	for _, secret := range []string{"someone-unusual", x.s.cfg.Data} {
		if strings.Contains(figures.body, secret) {
			t.Errorf("the figures hold %q", secret)
		}
	}
	open := x.call("GET", "/openapi.yaml", nil).want(200)
	if !strings.HasPrefix(open.header.Get("Content-Type"), "application/yaml") || open.body != string(openapiText) {
		t.Error("the description is not the one in the program")
	}
}
