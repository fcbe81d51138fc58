package server

import (
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/internal/directory"
)

func TestQueriesThatCannotBeUnderstoodAreRefusedByName(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("root", "cookie")
	before := x.state()
	for _, c := range []struct{ method, target, name string }{
		{"GET", "/v1/sessions?limit=0", "limit"}, {"GET", "/v1/sessions?limit=1001", "limit"}, {"GET", "/v1/sessions?limit=x", "limit"},
		{"GET", "/v1/sessions?limit=99999999999999999999", "limit"}, {"GET", "/v1/sessions?cursor=%ff", "cursor"}, {"GET", "/v1/sessions?cursor=x", "cursor"},
		{"DELETE", "/v1/sessions/" + b.sid + "?linked=drop", "linked"},
		{"GET", "/v1/admin/sessions?limit=-1", "limit"}, {"GET", "/v1/admin/sessions?channel=smoke", "channel"}, {"GET", "/v1/admin/sessions?cursor=x", "cursor"},
		{"GET", "/v1/admin/sessions?older_than=soon", "older_than"}, {"GET", "/v1/admin/sessions?idle_for=-1h", "idle_for"},
		{"DELETE", "/v1/admin/sessions/" + b.sid + "?mode=slow", "mode"}, {"DELETE", "/v1/admin/sessions/" + b.sid + "?reason=" + strings.Repeat("x", 201), "reason"},
		{"GET", "/v1/admin/users?limit=x", "limit"}, {"GET", "/v1/admin/audit?after=-1", "after"}, {"GET", "/v1/admin/audit?after=x", "after"}, {"GET", "/v1/admin/audit?limit=0", "limit"},
	} {
		a := x.call(c.method, c.target, nil, x.as(b))
		if a.status != 400 || a.code() != "invalid_request" || !strings.Contains(a.field("message"), c.name) {
			t.Errorf("%s: got %d %s", a.asked, a.status, a.body)
		}
	}
	for _, sid := range []string{"x", strings.Repeat("0", 26), strings.ToUpper(b.sid), b.sid + "0", "%00", "..%2f" + b.sid} {
		x.call("DELETE", "/v1/sessions/"+sid, nil, x.as(b)).want(404, "not_found")
		x.call("GET", "/v1/admin/sessions/"+sid, nil, x.as(b)).want(404, "not_found")
		x.call("DELETE", "/v1/admin/sessions/"+sid, nil, x.as(b)).want(404, "not_found")
	}
	x.unharmed(before)
}

// req: HTTP-18
func TestFormsOfTheTokenEndpointsAreReadStrictly(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "orders", Grants: []string{"client_credentials"}, MayIntrospect: true})
	b := x.signedIn("ada", "token")
	before := x.state()
	good := map[string]url.Values{
		"/oauth2/token":      {"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}, "client_id": {"lanyard"}, "resource": {""}, "scope": {""}},
		"/oauth2/revoke":     {"token": {b.refresh}, "token_type_hint": {"refresh_token"}, "client_id": {"lanyard"}},
		"/oauth2/introspect": {"token": {b.access}, "client_id": {"orders"}, "client_secret": {secret}},
	}
	form := header("Content-Type", "application/x-www-form-urlencoded")
	for path, values := range good {
		for name := range values {
			twice := maps.Clone(values)
			twice[name] = []string{values.Get(name), values.Get(name)}
			code := "invalid_request"
			if name == "resource" { // which could be given twice elsewhere (RFC 8707)
				code = "invalid_target"
			}
			a := x.call("POST", path, twice).want(400, code)
			if !strings.Contains(a.field("error_description"), name) {
				t.Errorf("%s with %s twice: the answer does not name it: %s", path, name, a.body)
			}
		}
		for _, name := range []string{"grant_type", "refresh_token", "token"} {
			if !values.Has(name) {
				continue
			}
			less := maps.Clone(values)
			less.Del(name)
			for _, v := range []url.Values{less, func() url.Values { v := maps.Clone(less); v.Set(name, ""); return v }()} {
				if a := x.call("POST", path, v).want(400, "invalid_request"); !strings.Contains(a.field("error_description"), name) {
					t.Errorf("%s without %s: the answer does not name it: %s", path, name, a.body)
				}
			}
			// What stands in the address is not looked at.
			x.call("POST", path+"?"+values.Encode(), less).want(400, "invalid_request")
		}
		if a := x.call("POST", path+"?"+values.Encode(), url.Values{}); a.status/100 != 4 {
			t.Errorf("%s answers what stands in its address: %d %s", path, a.status, a.body)
		}
		for _, text := range []string{"%", "%zz=1", "a=%f", strings.Repeat("a", 65<<10)} {
			if a := x.call("POST", path, text, form); a.status != 400 && a.status != 413 {
				t.Errorf("%s with %s: got %d", path, quoted(text), a.status)
			}
		}
		for _, kind := range []string{"", "application/json", "text/plain", "multipart/form-data; boundary=x"} {
			x.call("POST", path, values.Encode(), header("Content-Type", kind)).want(415, "invalid_request")
		}
		x.call("GET", path+"?"+values.Encode(), nil).want(405, "method_not_allowed")
	}
	x.unharmed(before)
	unknown := maps.Clone(good["/oauth2/token"])
	unknown.Set("surprise", "1")
	x.call("POST", "/oauth2/token", unknown).want(200)
}
