package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/token"
)

// req: HTTP-19
func TestMetadataSaysWhatIsServedAndNoMore(t *testing.T) {
	for _, issuer := range []string{"", "https://app.example"} {
		x := newSite(t, func(c *Config) { c.Issuer = issuer; c.TrustedProxies = []string{"127.0.0.1"} })
		local := x.url
		_, path, _ := strings.Cut(strings.TrimPrefix(issuer, "https://"), "/")
		if path != "" {
			path = "/" + path
		}
		x.url = strings.TrimSuffix(x.url, path)
		var m struct {
			Issuer     string   `json:"issuer"`
			Token      string   `json:"token_endpoint"`
			Revoke     string   `json:"revocation_endpoint"`
			Introspect string   `json:"introspection_endpoint"`
			JWKS       string   `json:"jwks_uri"`
			Grants     []string `json:"grant_types_supported"`
			Responses  []string `json:"response_types_supported"`
			Methods    []string `json:"token_endpoint_auth_methods_supported"`
			ForRevoke  []string `json:"revocation_endpoint_auth_methods_supported"`
			ForAsking  []string `json:"introspection_endpoint_auth_methods_supported"`

			TokenAlgs  []string `json:"token_endpoint_auth_signing_alg_values_supported"`
			RevokeAlgs []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
			AskingAlgs []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
		}
		get := func(path string) *answer { return x.direct("127.0.0.1:1", "GET", path, nil) }
		get("/.well-known/oauth-authorization-server" + path).want(200).json(&m)
		if m.Issuer != local || issuer != "" && m.Issuer != issuer {
			t.Errorf("the issuer is %q, configured is %q", m.Issuer, issuer)
		}
		for _, address := range []string{m.Token, m.Revoke, m.Introspect} {
			at, ok := strings.CutPrefix(address, m.Issuer)
			if !ok {
				t.Fatalf("%s is elsewhere", address)
			}
			x.direct("127.0.0.1:1", "POST", at, url.Values{}).want(map[string]int{"/oauth2/introspect": 401}[at] + map[bool]int{true: 400}[at != "/oauth2/introspect"])
		}
		get(strings.TrimPrefix(m.JWKS, m.Issuer)).want(200)
		if len(m.Responses) != 0 || !slices.Equal(m.Grants, []string{"refresh_token", "client_credentials"}) {
			t.Errorf("grants %v, response types %v", m.Grants, m.Responses)
		}
		secret := x.program(directory.Client{ID: "orders", Grants: allGrants, MayIntrospect: true})
		for _, list := range [][]string{m.TokenAlgs, m.RevokeAlgs, m.AskingAlgs} {
			if !slices.Equal(list, []string{"ES256", "Ed25519", "EdDSA"}) {
				t.Errorf("assertions are said to be signed with %v", list)
			}
		}
		keyed := x.keyedClient(directory.Client{ID: "keyed", Grants: allGrants, MayIntrospect: true}, token.ES256)
		for endpoint, methods := range map[string][]string{"/oauth2/token": m.Methods, "/oauth2/revoke": m.ForRevoke, "/oauth2/introspect": m.ForAsking} {
			f := url.Values{"token": {"x"}, "grant_type": {"client_credentials"}}
			for method, send := range map[string]func() *answer{
				"client_secret_basic": func() *answer { return x.direct("127.0.0.1:1", "POST", endpoint, f, basicAuth("orders", secret)) },
				"client_secret_post": func() *answer {
					f := url.Values{"token": {"x"}, "grant_type": {"client_credentials"}, "client_id": {"orders"}, "client_secret": {secret}}
					return x.direct("127.0.0.1:1", "POST", endpoint, f)
				},
				"private_key_jwt": func() *answer {
					f := url.Values{"token": {"x"}, "grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {keyed.assertion(nil)}}
					return x.direct("127.0.0.1:1", "POST", endpoint, f)
				},
				"none": func() *answer {
					f := url.Values{"token": {"x"}, "grant_type": {"refresh_token"}, "refresh_token": {x.signedIn("ada", "token").refresh}}
					return x.direct("127.0.0.1:1", "POST", endpoint, f)
				},
			} {
				if got := send().status == 200; got != slices.Contains(methods, method) {
					t.Errorf("%s with %s: works is %v, the metadata says %v", endpoint, method, got, methods)
				}
			}
		}
	}
}

// The server describes itself as a resource too, and a program that follows the
// challenge gets from a refusal to the issuer.
func TestARefusalLeadsToTheIssuer(t *testing.T) {
	x := newSite(t)
	_, rest, ok := strings.Cut(x.call("GET", "/v1/session", nil).want(401).header.Get("WWW-Authenticate"), `resource_metadata="`+x.url)
	if !ok {
		t.Fatal("the challenge names no metadata")
	}
	var m struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Methods  []string `json:"bearer_methods_supported"`
	}
	x.call("GET", strings.TrimSuffix(rest, `"`), nil).want(200).json(&m)
	if m.Resource != x.url || !slices.Equal(m.Servers, []string{x.url}) || !slices.Equal(m.Methods, []string{"header"}) {
		t.Errorf("got %+v", m)
	}
	var as struct {
		Resources []string `json:"protected_resources"`
	}
	if x.call("GET", "/.well-known/oauth-authorization-server", nil).want(200).json(&as); !slices.Contains(as.Resources, m.Resource) {
		t.Errorf("the issuer knows of %v", as.Resources)
	}
	// What it says of methods is so.
	b := x.signedIn("ada", "token")
	x.call("GET", "/v1/session?access_token="+b.access, nil).want(401)
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
}

// Whoever has the key set asks again for nothing, until it changes.
func TestTheKeySetIsCachedUntilItChanges(t *testing.T) {
	x := newSite(t)
	get := func(tags ...string) *answer {
		return x.call("GET", "/.well-known/jwks.json", nil, func(r *http.Request) { r.Header["If-None-Match"] = tags })
	}
	first := get().want(200)
	tag := first.header.Get("ETag")
	if tag == "" || first.header.Get("Cache-Control") != "public, max-age=300" || first.header.Get("Vary") != "" {
		t.Fatalf("got %v", first.header)
	}
	for _, tags := range [][]string{{tag}, {"W/" + tag}, {`"x", ` + tag}, {`"x"`, tag}, {"*"}} {
		if a := get(tags...).want(304); a.body != "" || a.header.Get("ETag") != tag || a.header.Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%q: got %v %s", tags, a.header, a.body)
		}
	}
	get(`"x"`).want(200)
	if _, err := x.s.keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	second := get(tag).want(200)
	if second.header.Get("ETag") == tag || len(second.body) <= len(first.body) {
		t.Errorf("after a rotation: %v %s", second.header, second.body)
	}
	// Time alone changes it as well: a retired key leaves the set.
	x.clock.advance(11*time.Minute + 31*time.Minute)
	if a := get(second.header.Get("ETag")).want(200); len(a.body) >= len(second.body) {
		t.Errorf("a retired key is still published: %s", a.body)
	}
}
