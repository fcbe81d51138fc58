package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// spellings are ways to write a path that a router or a proxy might take for the
// same place.
func spellings(path string) []string {
	first := path[1:2]
	return []string{
		path, path + "/", "/" + path, "/." + path, "/x/.." + path, "/account/.." + path, "/account/%2e%2e" + path,
		"/account/..%2f" + path[1:], "/%" + hex(first[0]) + path[2:], strings.ToUpper(path), path + "?x=1", path + ";x=1", path + "%00",
		strings.ReplaceAll(path, "/", "//"), strings.ReplaceAll(path[1:], "/", "\\"), "/." + strings.ReplaceAll(path, "/", "%2f"), path + "/.", path + "/x/..",
	}
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// With an administrative address of its own, nothing of it can be reached on the
// public one: not by its path in any spelling, nor by way of an action that a
// login or a confirmation carries on with.
//
// req: HTTP-24
func TestNothingAdministrativeIsOnThePublicAddress(t *testing.T) {
	x := newSite(t, func(c *Config) { c.AdminListen = "127.0.0.1:0" })
	ops := x.program(directory.Client{ID: "ops", Grants: allGrants, MayAdminister: true})
	root, victim := x.signedIn("root", "cookie"), x.signedIn("bob", "token")
	callers := map[string]option{
		"an administrator":             x.as(root),
		"an administrator, by a token": x.as(x.signedIn("root", "token")),
		"a program":                    basicAuth("ops", ops),
	}
	kid := x.s.keys.List(x.clock.Now())[0].ID
	before := x.state()
	patterns := []string{"GET /metrics", "POST /local/users", "POST /local/users/import", "POST /local/backup", "POST /local/users/ada/password"}
	for _, e := range x.s.adminEndpoints() {
		patterns = append(patterns, e.pattern)
	}
	for _, pattern := range patterns {
		method, path, _ := strings.Cut(strings.NewReplacer("{sid}", victim.sid, "{name}", "bob", "{kid}", kid, "{id}", "ops").Replace(pattern), " ")
		for name, caller := range callers {
			for _, spelling := range spellings(path) {
				for _, override := range []option{func(*http.Request) {}, header("X-Original-Url", path), header("X-Forwarded-Path", path)} {
					if a := x.raw(method, spelling, caller, override); a.status != 404 && a.status != 400 && a.status != 405 {
						t.Errorf("%s %s by %s: got %d %.200s", method, spelling, name, a.status, a.body)
					}
				}
			}
		}
	}
	if after := x.state(); after != before {
		t.Errorf("something was done:\n%s\n%s", before, after)
	}

	// A confirmation on the public address carries out nothing of the console.
	b, _ := x.old("root")
	before = x.state()
	for _, path := range []string{
		"/console/users/bob/disable", "/console/sessions/" + victim.sid + "/end", "/console/users", "/console/keys/rotate",
		"/console/keys/" + kid + "/withdraw", "/console/users/bob/reset", "//console/users/bob/disable", "/./console/users/bob/disable",
		"/account/../console/users/bob/disable", "/Console/users/bob/disable", "/%63onsole/users/bob/disable", "console/users/bob/disable",
		"/v1/admin/users/bob/disable", "/account/sessions/x/../../../console/users/bob/disable", x.url + "/console/users/bob/disable",
	} {
		form := url.Values{
			"csrf_token": {b.send("GET", "/account", nil).want(200).token()}, "password": {goodPassword},
			"pending_path": {path}, "pending_action": {"x"}, "reason": {"r"}, "name": {"dan"},
		}
		if a := b.send("POST", "/account/confirm", form); a.status != 400 {
			t.Errorf("confirming %q: got %d", path, a.status)
		}
	}
	if after := x.state(); after != before {
		t.Errorf("something was done:\n%s\n%s", before, after)
	}
	// A login leads there, but only as to any address that is not there.
	fresh := x.browser()
	if a := fresh.signIn("root", goodPassword, "/console/users"); a.status != 303 {
		t.Fatalf("got %d", a.status)
	}
	fresh.send("GET", "/console/users", nil).want(404)
	if page := fresh.send("GET", "/account", nil).want(200); strings.Contains(page.body, `href="/console`) {
		t.Error("the public pages lead to a console that is not there")
	}

	// On its own address all of it works.
	admin := x.client(x.back.Listener.Addr().String())
	x.callAt(admin, "GET", "/v1/admin/users", nil, basicAuth("ops", ops)).want(200)
	x.callAt(admin, "GET", "/metrics", nil).want(200)
	x.clock.advance(time.Second)
	x.callAt(admin, "POST", "/v1/admin/users/bob/disable", nil, x.as(root)).want(200)
}

// raw sends a path as it is written, which clients clean up.
func (x *site) raw(method, target string, options ...option) *answer {
	x.t.Helper()
	r := httptest.NewRequest(method, x.url+"/", nil)
	if path, query, _ := strings.Cut(target, "?"); true {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			x.t.Fatal(err)
		}
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.RequestURI = decoded, path, query, target
	}
	r.TLS, r.RemoteAddr = nil, "127.0.0.1:1"
	for _, o := range options {
		o(r)
	}
	rec := httptest.NewRecorder()
	x.s.Handler().ServeHTTP(rec, r)
	return &answer{t: x.t, status: rec.Code, header: rec.Header(), body: rec.Body.String(), asked: method + " " + target}
}

// A program that may only start sessions works with its own and with nobody
// else's, which it cannot tell from ones that are not there.
//
// req: HTTP-23
func TestABackendSeesAndEndsItsOwnSessionsOnly(t *testing.T) {
	x := newSite(t)
	one := x.program(directory.Client{ID: "one", Grants: allGrants, MayCreateSessions: true})
	two := x.program(directory.Client{ID: "two", Grants: allGrants, MayCreateSessions: true})
	in := api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd"}, Channel: "token"}
	own, foreign := x.startFor("one", one, in), x.startFor("two", two, in)
	direct := x.signedIn("carol", "cookie")
	as := basicAuth("one", one)
	list := func(query string) (sids []string) {
		var page api.Sessions
		x.call("GET", "/v1/admin/sessions?"+query, nil, as).want(200).json(&page)
		for _, s := range page.Sessions {
			sids = append(sids, s.SID)
		}
		return sids
	}
	for _, query := range []string{"", "subject=carol", "channel=token", "client=two", "subject=carol&client=two", "ended=1"} {
		if got := list(query); len(got) != 1 || got[0] != own.sid {
			t.Errorf("%q lists %v", query, got)
		}
	}
	if got := list("channel=cookie"); len(got) != 0 {
		t.Errorf("it sees %v", got)
	}
	none := x.call("GET", "/v1/admin/sessions/"+strings.Repeat("A", 20), nil, as)
	for _, b := range []*badge{foreign, direct} {
		for _, method := range []string{"GET", "DELETE"} {
			if a := x.call(method, "/v1/admin/sessions/"+b.sid, nil, as).want(404); stripped(a) != stripped(none) && a.field("message") != "There is no such session." {
				t.Errorf("%s tells that there is one: %s", method, a.body)
			}
		}
		x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	}
	var ended api.AdminRevoked
	x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "carol"}, as).want(200).json(&ended)
	if ended.Ended != 1 {
		t.Errorf("it ended %d sessions", ended.Ended)
	}
	x.call("GET", "/v1/session", nil, x.as(own)).want(401)
	x.call("GET", "/v1/session", nil, x.as(foreign)).want(200)
	x.call("GET", "/v1/session", nil, x.as(direct)).want(200)
	again := x.startFor("one", one, in)
	x.call("DELETE", "/v1/admin/sessions/"+again.sid, nil, as).want(200)
	x.call("GET", "/v1/session", nil, x.as(again)).want(401)
}
