package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/token"
)

// keyed is a program that signs assertions.
type keyed struct {
	x   *site
	id  string
	key *token.Key
}

// keyedClient registers a program with a key of its own.
func (x *site) keyedClient(c directory.Client, alg token.Algorithm) *keyed {
	x.t.Helper()
	k, err := token.GenerateKey(alg, x.clock.Now())
	if err != nil {
		x.t.Fatal(err)
	}
	c.JWKS = `{"keys":[` + string(k.Public().JWK()) + `]}`
	if secret := x.program(c); secret != "" {
		x.t.Fatal("a client with keys got a secret")
	}
	return &keyed{x, c.ID, k}
}

// claims are those of a good assertion, with a jti of their own.
func (k *keyed) claims() map[string]any {
	now := k.x.clock.Now()
	id := k.x.nextID()
	return map[string]any{"iss": k.id, "sub": k.id, "aud": k.x.s.m.Issuer(), "jti": id, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
}

// assertion signs a good assertion with some claims changed; nil removes one.
func (k *keyed) assertion(change map[string]any) string { return k.typed("JWT", change) }

func (k *keyed) typed(typ string, change map[string]any) string {
	k.x.t.Helper()
	c := k.claims()
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	raw, err := json.Marshal(c)
	if err != nil {
		k.x.t.Fatal(err)
	}
	text, err := k.key.Sign(typ, raw)
	if err != nil {
		k.x.t.Fatal(err)
	}
	return text
}

func (x *site) nextID() string {
	x.ids++
	return "jti-" + time.Unix(int64(x.ids), 0).UTC().Format("150405")
}

// form is a call of client_credentials with an assertion.
func asserting(text string, pairs ...string) url.Values {
	v := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}, "client_assertion_type": {assertionType}, "client_assertion": {text}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// req: REFRESH-8
func TestAProgramAuthenticatesWithItsKey(t *testing.T) {
	x := newSite(t, func(c *Config) { c.Audience = []string{"orders"} })
	shop := directory.Client{Grants: allGrants, MayIntrospect: true, MayCreateSessions: true, Audiences: []string{"orders"}}
	for name, alg := range map[string]token.Algorithm{"es": token.ES256, "ed": token.Ed25519, "old-ed": token.EdDSA} {
		c := shop
		c.ID = name
		k := x.keyedClient(c, alg)
		for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"} {
			x.call("POST", path, asserting(k.assertion(nil))).want(200)
			x.call("POST", path, asserting(k.assertion(map[string]any{"aud": []string{x.url + "/oauth2/token"}}), "client_id", name)).want(200)
		}
		x.call("POST", "/oauth2/token", asserting(k.typed("client-authentication+jwt", nil))).want(200)
		// With its own token it starts a session, and with its key it refreshes.
		own := x.call("POST", "/oauth2/token", asserting(k.assertion(nil))).want(200).field("access_token")
		a := x.call("POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd"}, Channel: "token"}, header("Authorization", "Bearer "+own)).want(200)
		f := asserting(k.assertion(nil), "grant_type", "refresh_token", "refresh_token", a.field("refresh_token"))
		x.call("POST", "/oauth2/token", f).want(200)
		// Its name alone is not enough, nor is any secret.
		x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {name}}).want(401, "invalid_client")
		x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basicAuth(name, "")).want(401, "invalid_client")
	}
	// RS256 is for clients that were given it.
	k, err := token.GenerateKey(token.RS256, x.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := shop
	c.ID, c.JWKS = "rsa", `{"keys":[`+string(k.Public().JWK())+`]}`
	if _, err := x.s.dir.AddClient(t.Context(), c); err == nil || !strings.Contains(err.Error(), "RS256") {
		t.Errorf("an RS256 key was taken without opt-in: %v", err)
	}
	c.AllowRS256 = true
	x.program(c)
	x.call("POST", "/oauth2/token", asserting((&keyed{x, "rsa", k}).assertion(nil))).want(200)
}

// Each assertion is good but for one thing, and the answer to all of them is the
// same.
//
// req: JWT-8, HTTP-23
func TestAnAssertionThatIsNotExactlyRightIsRefused(t *testing.T) {
	x := newSite(t)
	k := x.keyedClient(directory.Client{ID: "orders", Grants: allGrants}, token.ES256)
	other := x.keyedClient(directory.Client{ID: "billing", Grants: allGrants}, token.ES256)
	x.program(directory.Client{ID: "secretive", Grants: allGrants})
	stranger, err := token.GenerateKey(token.ES256, x.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	now := x.clock.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	used := k.assertion(map[string]any{"jti": "once"})
	x.call("POST", "/oauth2/token", asserting(used)).want(200)
	good := k.assertion(nil)
	part := strings.Split(good, ".")
	var e api.OAuthError
	x.call("POST", "/oauth2/token", asserting("x")).want(401).json(&e)

	for name, f := range map[string]url.Values{
		"no iss":                      asserting(k.assertion(map[string]any{"iss": nil})),
		"another iss":                 asserting(k.assertion(map[string]any{"iss": "billing"}), "client_id", "orders"),
		"no sub":                      asserting(k.assertion(map[string]any{"sub": nil})),
		"another sub":                 asserting(k.assertion(map[string]any{"sub": "billing"})),
		"no aud":                      asserting(k.assertion(map[string]any{"aud": nil})),
		"another aud":                 asserting(k.assertion(map[string]any{"aud": "https://elsewhere.example"})),
		"an aud that only begins so":  asserting(k.assertion(map[string]any{"aud": x.url + "/"})),
		"another endpoint as aud":     asserting(k.assertion(map[string]any{"aud": x.url + "/oauth2/revoke"})),
		"two audiences":               asserting(k.assertion(map[string]any{"aud": []string{x.url, "https://elsewhere.example"}})),
		"an aud of the wrong type":    asserting(k.assertion(map[string]any{"aud": 1})),
		"no exp":                      asserting(k.assertion(map[string]any{"exp": nil})),
		"an exp that is reached":      asserting(k.assertion(map[string]any{"exp": at(0)})),
		"an exp far ahead":            asserting(k.assertion(map[string]any{"exp": at(time.Hour)})),
		"an exp of the wrong type":    asserting(k.assertion(map[string]any{"exp": "1"})),
		"an iat ahead":                asserting(k.assertion(map[string]any{"iat": at(time.Minute)})),
		"an nbf ahead":                asserting(k.assertion(map[string]any{"nbf": at(time.Minute)})),
		"no jti":                      asserting(k.assertion(map[string]any{"jti": nil})),
		"an empty jti":                asserting(k.assertion(map[string]any{"jti": ""})),
		"a long jti":                  asserting(k.assertion(map[string]any{"jti": strings.Repeat("x", 300)})),
		"a jti used before":           asserting(used),
		"the jti of one used before":  asserting(k.assertion(map[string]any{"jti": "once", "exp": at(2 * time.Minute)})),
		"a claim in two letter cases": asserting(k.assertion(map[string]any{"Aud": "x"})),
		"a proof's type":              asserting(k.typed("dpop+jwt", nil)),
		"a logout token's type":       asserting(k.typed("logout+jwt", nil)),
		"another client's key":        asserting((&keyed{x, "orders", other.key}).assertion(nil)),
		"a stranger's key":            asserting((&keyed{x, "orders", stranger}).assertion(nil)),
		"another client's assertion":  asserting(other.assertion(nil), "client_id", "orders"),
		"a client that is not there":  asserting((&keyed{x, "nobody", stranger}).assertion(nil)),
		"a client with a secret":      asserting((&keyed{x, "secretive", stranger}).assertion(nil)),
		"a public client":             asserting((&keyed{x, "lanyard", stranger}).assertion(nil)),
		"a changed signature":         asserting(good[:len(good)-4] + "AAAA"),
		"no signature":                asserting(part[0] + "." + part[1] + "."),
		"alg none":                    asserting(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + part[1] + "."),
		"one of our access tokens":    asserting(x.signedIn("ada", "token").access, "client_id", "orders"),
		"nothing":                     asserting(""),
		"60 KB":                       asserting(strings.Repeat("A", 60<<10)),
	} {
		a := x.call("POST", "/oauth2/token", f)
		var got api.OAuthError
		if a.json(&got); a.status != 401 || got != e {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	// None of them used the good one up, which works once.
	x.call("POST", "/oauth2/token", asserting(good)).want(200)
	x.call("POST", "/oauth2/token", asserting(good)).want(401, "invalid_client")
	// A jti belongs to its client.
	x.call("POST", "/oauth2/token", asserting(other.assertion(map[string]any{"jti": "once"}))).want(200)
	// Clocks that differ by a little do no harm.
	x.call("POST", "/oauth2/token", asserting(k.assertion(map[string]any{"iat": at(20 * time.Second), "exp": at(5*time.Minute + 20*time.Second)}))).want(200)
	if log := x.known.String(); !strings.Contains(log, "jti was used before") || !strings.Contains(log, "aud is neither") {
		t.Error("the log does not say what was wrong")
	}
	// The store remembers what was used; while it is away nothing is let in.
	fresh := k.assertion(nil)
	x.s.sessions.Close()
	x.call("POST", "/oauth2/token", asserting(fresh)).want(503, "temporarily_unavailable")
}

// A header without typ is what libraries send that are older than explicit types.
func TestAnAssertionWithoutATypeIsTaken(t *testing.T) {
	x := newSite(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewKey(private, token.ES256, x.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	k := &keyed{x, "orders", key}
	x.program(directory.Client{ID: "orders", Grants: allGrants, JWKS: `{"keys":[` + string(key.Public().JWK()) + `]}`})
	b64 := base64.RawURLEncoding.EncodeToString
	raw, err := json.Marshal(k.claims())
	if err != nil {
		t.Fatal(err)
	}
	text := b64([]byte(`{"alg":"ES256","kid":"`+key.ID()+`"}`)) + "." + b64(raw)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	x.call("POST", "/oauth2/token", asserting(text+"."+b64(sig))).want(200)
}

// Of any number of callers with one assertion, one gets in.
func TestAnAssertionSentTwiceAtOnceWorksOnce(t *testing.T) {
	x := newSite(t)
	k := x.keyedClient(directory.Client{ID: "orders", Grants: allGrants}, token.ES256)
	for range 5 {
		f := asserting(k.assertion(nil))
		var in, out atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch x.direct("127.0.0.1:1", "POST", "/oauth2/token", f).status {
				case 200:
					in.Add(1)
				case 401:
					out.Add(1)
				}
			})
		}
		wg.Wait()
		if in.Load() != 1 || out.Load() != 7 {
			t.Errorf("%d got in, %d did not", in.Load(), out.Load())
		}
	}
}

func TestAnAssertionGoesWithNoOtherProof(t *testing.T) {
	x := newSite(t)
	k := x.keyedClient(directory.Client{ID: "orders", Grants: allGrants, MayIntrospect: true}, token.ES256)
	secret := x.program(directory.Client{ID: "billing", Grants: allGrants, MayIntrospect: true})
	own := x.call("POST", "/oauth2/token", asserting(k.assertion(nil))).want(200).field("access_token")
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"} {
		for name, send := range map[string]func() *answer{
			"a secret in the form": func() *answer {
				return x.call("POST", path, asserting(k.assertion(nil), "client_secret", "x"))
			},
			"another's secret in a header": func() *answer {
				return x.call("POST", path, asserting(k.assertion(nil)), basicAuth("billing", secret))
			},
			"a token in a header": func() *answer {
				return x.call("POST", path, asserting(k.assertion(nil)), header("Authorization", "Bearer "+own))
			},
			"no type": func() *answer {
				f := asserting(k.assertion(nil))
				f.Del("client_assertion_type")
				return x.call("POST", path, f)
			},
			"the type alone": func() *answer {
				f := asserting("")
				f.Del("client_assertion")
				return x.call("POST", path, f)
			},
			"another type": func() *answer {
				return x.call("POST", path, asserting(k.assertion(nil), "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"))
			},
		} {
			if a := send(); a.status != 400 || a.code() != "invalid_request" {
				t.Errorf("%s at %s: got %d %s", name, path, a.status, a.body)
			}
		}
	}
	// The name in the form has to be the assertion's.
	x.call("POST", "/oauth2/token", asserting(k.assertion(nil), "client_id", "billing")).want(401, "invalid_client")
}

// A server can be set to take no secrets of programs.
//
// req: REFRESH-8
func TestKeysCanBeDemanded(t *testing.T) {
	x := newSite(t, func(c *Config) { c.RequireClientKeys = true })
	secret := x.program(directory.Client{ID: "billing", Grants: allGrants, MayIntrospect: true, MayAdminister: true})
	k := x.keyedClient(directory.Client{ID: "orders", Grants: allGrants, MayIntrospect: true}, token.ES256)
	f := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"} {
		x.call("POST", path, f, basicAuth("billing", secret)).want(401, "invalid_client")
		x.call("POST", path, asserting(k.assertion(nil))).want(200)
	}
	x.call("GET", "/v1/admin/clients", nil, basicAuth("billing", secret)).want(401, "invalid_client")
	root := x.as(x.signedIn("root", "token"))
	x.call("POST", "/v1/admin/clients", map[string]any{"id": "fresh"}, root).want(400, "invalid_request")
	x.call("POST", "/v1/admin/clients", map[string]any{"id": "page", "public": true}, root).want(200)
	x.call("POST", "/v1/admin/clients", map[string]any{"id": "fresh", "jwks": json.RawMessage(`{"keys":[` + string(k.key.Public().JWK()) + `]}`)}, root).want(200)
	x.refresh(x.signedIn("ada", "token").refresh).want(200) // people's own client is public
	if a := x.call("GET", "/.well-known/oauth-authorization-server", nil).want(200); strings.Contains(a.body, "client_secret") {
		t.Errorf("the metadata offers secrets: %s", a.body)
	}
}
