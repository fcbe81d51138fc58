package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/internal/directory"
)

// A client that authenticates in two ways at once is refused, even if each of them
// would do.
//
// req: JWT-26
func TestAClientAuthenticatesInOneWayOnly(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "orders", Grants: allGrants, MayIntrospect: true})
	other := x.program(directory.Client{ID: "billing", Grants: allGrants, MayIntrospect: true})
	own := "Bearer " + x.ownToken("orders", secret).access
	b := x.signedIn("ada", "token")
	form := func(pairs ...string) url.Values {
		v := url.Values{"token": {b.access}, "grant_type": {"client_credentials"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	for name, c := range map[string]struct {
		form    url.Values
		options []option
	}{
		"a header and a secret in the form": {form("client_id", "orders", "client_secret", secret), []option{basicAuth("orders", secret)}},
		"a header and another's secret":     {form("client_id", "billing", "client_secret", other), []option{basicAuth("orders", secret)}},
		"a header and another's name":       {form("client_id", "billing"), []option{basicAuth("orders", secret)}},
		"two headers":                       {form(), []option{basicAuth("orders", secret), also("Authorization", "Basic x")}},
		"a header and a token":              {form(), []option{basicAuth("orders", secret), also("Authorization", own)}},
		"the same header twice": {form(), []option{basicAuth("orders", secret), func(r *http.Request) {
			r.Header["Authorization"] = append(r.Header["Authorization"], r.Header["Authorization"]...)
		}}},
	} {
		for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"} {
			if a := x.call("POST", path, c.form, c.options...); a.status != 400 || a.code() != "invalid_request" {
				t.Errorf("%s at %s: got %d %s", name, path, a.status, a.body)
			}
		}
	}
	x.call("POST", "/oauth2/introspect", form("client_id", "orders", "client_secret", secret), header("Authorization", own)).want(400, "invalid_request")
	x.call("GET", "/v1/session", nil, x.as(b)).want(200) // nothing was revoked
	x.call("POST", "/oauth2/introspect", form(), header("Authorization", own)).want(200)
	x.call("POST", "/oauth2/introspect", form("client_id", "orders"), basicAuth("orders", secret)).want(200)
}

// Authorization codes are not issued: there is no endpoint for them, no grant, and
// no word of either in what the server says of itself.
//
// req: FED-12
func TestThereAreNoAuthorizationCodes(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "orders", Grants: allGrants})
	for _, path := range []string{"/authorize", "/oauth2/authorize", "/oauth2/auth", "/v1/authorize", "/oauth/authorize", "/oauth2/device_authorization", "/oauth2/par"} {
		for _, method := range []string{"GET", "POST"} {
			x.call(method, path+"?response_type=code&client_id=orders&redirect_uri=https%3A%2F%2Fapp.example%2F", nil, x.as(x.signedIn("ada", "cookie"))).want(404)
		}
	}
	for _, grant := range []string{"authorization_code", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"} {
		x.call("POST", "/oauth2/token", url.Values{"grant_type": {grant}, "code": {"x"}, "redirect_uri": {"https://app.example/"}}, basicAuth("orders", secret)).want(400, "unsupported_grant_type")
	}
	meta := x.call("GET", "/.well-known/oauth-authorization-server", nil).want(200)
	if strings.Contains(meta.body, "authorization_endpoint") || strings.Contains(meta.body, "authorization_code") || !strings.Contains(meta.body, `"response_types_supported":[]`) {
		t.Errorf("the metadata speaks of codes: %s", meta.body)
	}
	for _, e := range append(x.s.publicEndpoints(), x.s.adminEndpoints()...) {
		if strings.Contains(e.pattern, "authorize") || strings.Contains(e.pattern, "callback") {
			t.Errorf("there is a route %s", e.pattern)
		}
	}
}
