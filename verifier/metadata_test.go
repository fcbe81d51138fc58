package verifier

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

const issuerName = "https://id.example"

func TestMetadata(t *testing.T) {
	const keys = `"jwks_uri":"https://id.example/keys"`
	for _, test := range []struct {
		name, text string
		want       string // in the error, empty if all is right
	}{
		{"the least there is", `{"issuer":"https://id.example",` + keys + `}`, ""},
		{"with all kinds of others", `{"issuer":"https://id.example",` + keys + `,"response_types_supported":[],"x":{"y":[1,null]}}`, ""},
		{"the default port written out", `{"issuer":"https://id.example","jwks_uri":"https://ID.example:443/keys"}`, ""},
		{"a trailing slash", `{"issuer":"https://id.example/",` + keys + `}`, "another issuer"},
		{"another letter case", `{"issuer":"https://ID.example",` + keys + `}`, "another issuer"},
		{"no issuer", `{` + keys + `}`, "name no issuer"},
		{"an issuer that is a number", `{"issuer":7,` + keys + `}`, "another issuer"},
		{"two issuers", `{"issuer":"https://evil.example","issuer":"https://id.example",` + keys + `}`, "occurs twice"},
		{"an issuer in another letter case besides", `{"issuer":"https://id.example","ISSUER":"x",` + keys + `}`, "another letter case"},
		{"no keys", `{"issuer":"https://id.example"}`, "name no jwks_uri"},
		{"keys as a list", `{"issuer":"https://id.example","jwks_uri":["https://id.example/keys"]}`, "jwks_uri is not a string"},
		{"keys on another host", `{"issuer":"https://id.example","jwks_uri":"https://cdn.example/keys"}`, "set Config.JWKSURL"},
		{"keys on another port", `{"issuer":"https://id.example","jwks_uri":"https://id.example:8443/keys"}`, "on another host"},
		{"keys without TLS", `{"issuer":"https://id.example","jwks_uri":"http://id.example/keys"}`, "plain http"},
		{"keys on this machine", `{"issuer":"https://id.example","jwks_uri":"http://127.0.0.1/keys"}`, "on another host"},
		{"keys in a file", `{"issuer":"https://id.example","jwks_uri":"file:///etc/passwd"}`, "not an absolute URL"},
		{"introspection elsewhere", `{"issuer":"https://id.example",` + keys + `,"introspection_endpoint":"https://evil.example/i"}`, "set Config.Introspect.URL"},
		{"nothing", ``, "object"},
		{"a list", `[]`, "object"},
		{"more behind it", `{"issuer":"https://id.example",` + keys + `}x`, "behind"},
		{"not UTF-8", "{\"issuer\":\"https://id.example\",\"x\":\"\xff\"}", "UTF-8"},
		{"too deep", `{"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseMetadata(test.text, issuerName)
			if test.name == "too deep" {
				if err == nil {
					t.Error("accepted")
				}
				return
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// RFC 8414 section 3.1 and RFC 9728 section 3.1.
func TestWellKnownAddresses(t *testing.T) {
	for identifier, want := range map[string]string{
		"https://id.example":            "https://id.example/.well-known/x",
		"https://id.example/":           "https://id.example/.well-known/x",
		"https://id.example/tenant":     "https://id.example/.well-known/x/tenant",
		"https://id.example/tenant/":    "https://id.example/.well-known/x/tenant",
		"https://id.example:8443/a/b":   "https://id.example:8443/.well-known/x/a/b",
		"https://id.example/a%2Fb":      "https://id.example/.well-known/x/a%2Fb",
		"http://127.0.0.1:8080/t":       "http://127.0.0.1:8080/.well-known/x/t",
		"https://[2001:db8::1]/service": "https://[2001:db8::1]/.well-known/x/service",
	} {
		if got, err := insertWellKnown(identifier, "/.well-known/x"); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", identifier, got, err, want)
		}
	}
}

// Whatever metadata say, they are the issuer's and lead to the issuer's host.
func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{
		`{"issuer":"https://id.example","jwks_uri":"https://id.example/keys","introspection_endpoint":"https://id.example/i"}`,
		`{"issuer":"https://id.example","jwks_uri":"https://id.example@evil.example/"}`,
		`{"issuer":"https://id.example","jwks_uri":"https://evil.example\\@id.example/"}`,
		`{"issuer":"https:\u002f/id.example","jwks_uri":"//id.example/keys"}`, `{}`, `[]`, ``,
	} {
		f.Add(seed)
	}
	home, err := url.Parse(issuerName)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseMetadata(text, issuerName)
		if err != nil {
			return
		}
		for _, address := range []string{p.keys, p.introspect} {
			if address == "" && p.keys != "" {
				continue
			}
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "https" || !strings.EqualFold(u.Hostname(), home.Hostname()) || u.Port() != "" && u.Port() != "443" || u.User != nil {
				t.Errorf("%q leads to %q", text, address)
			}
		}
	})
}

// A key set that is accepted is one to every other reader too, and brings no key
// that somebody could sign with.
func FuzzKeySet(f *testing.F) {
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519} {
		key, err := token.GenerateKey(alg, time.Now())
		if err != nil {
			f.Fatal(err)
		}
		jwk := string(key.Public().JWK())
		f.Add(`{"keys":[` + jwk + `]}`)
		f.Add(`{"keys":[` + jwk + `,` + jwk + `]}`)
		f.Add(`{"keys":[` + strings.TrimSuffix(jwk, "}") + `,"d":"AAAA"}]}`)
	}
	f.Add(`{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		set, err := token.ParseJWKS([]byte(text))
		if err != nil {
			return
		}
		var plain struct{ Keys []map[string]any }
		if err := json.Unmarshal([]byte(text), &plain); err != nil || set.Len() > len(plain.Keys) {
			t.Fatalf("%q: %d keys, elsewhere %d and %v", text, set.Len(), len(plain.Keys), err)
		}
		for _, k := range plain.Keys {
			kid, _ := k["kid"].(string)
			if _, used := set.Lookup(kid); used && (k["d"] != nil || k["k"] != nil) {
				t.Errorf("%q: a key with its secret half", text)
			}
		}
	})
}

// An answer lets a token through only if every other reader would see the plain
// yes in it too, about this token and no other.
func FuzzIntrospection(f *testing.F) {
	for _, seed := range []string{
		`{"active":true}`, `{"active":false}`, `{"active":true,"sub":"ann"}`, `{"active":true,"sub":"bob"}`,
		`{"active":true,"cnf":{}}`, `{"\u0061ctive":true}`, `{"active":true,"active":false}`,
	} {
		f.Add(seed)
	}
	claims := &token.Claims{Issuer: issuerName, Subject: "ann", ID: "1"}
	f.Fuzz(func(t *testing.T, text string) {
		if parseIntrospection(text, claims) != nil {
			return
		}
		var plain map[string]any
		err := json.Unmarshal([]byte(text), &plain)
		sub, named := plain["sub"]
		if err != nil || plain["active"] != true || named && sub != "ann" || plain["cnf"] != nil {
			t.Errorf("let through by %q", text)
		}
	})
}
