package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// part decodes one part of a token.
func part(t testing.TB, raw string, i int) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// req: JWT-12, KEY-13
func TestIssuedTokenHasTheMembersOfRFC9068AndNoOthers(t *testing.T) {
	f := newFixture(t, token.ES256)
	c := testClaims()
	c.JKT = "thumb"
	raw := f.issue(t, c)

	header := part(t, raw, 0)
	if header["alg"] != "ES256" || header["typ"] != "at+jwt" || len(header["kid"].(string)) != 43 || len(header) != 3 {
		t.Errorf("header %v", header)
	}
	payload := part(t, raw, 1)
	var names []string
	for name := range payload {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"acr", "amr", "aud", "auth_time", "client_id", "cnf", "exp", "gen", "gep", "iat", "iss", "jti", "scope", "sep", "sid", "sub",
	}
	if !slices.Equal(names, want) {
		t.Errorf("claims %v, want %v", names, want)
	}
	if payload["iss"] != testIssuer || payload["aud"] != testAudience || payload["exp"] != float64(testNow.Unix()+300) {
		t.Errorf("payload %v", payload)
	}

	raw = f.issue(t, token.Claims{
		Subject: "u", Audience: []string{"a", "b"}, ClientID: "c", ID: "j",
		IssuedAt: testNow.Add(time.Second - 1), Expiry: testNow.Add(time.Minute),
	})
	payload = part(t, raw, 1)
	if len(payload) != 7 || len(payload["aud"].([]any)) != 2 || payload["iat"] != float64(testNow.Unix()) {
		t.Errorf("the least token has %v", payload)
	}
}

// req: JWT-12
func TestIssueRefuses(t *testing.T) {
	f := newFixture(t, token.ES256)
	long := strings.Repeat("x", 6<<10)
	for _, test := range []struct {
		name   string
		change func(*token.Claims)
	}{
		{"another issuer", func(c *token.Claims) { c.Issuer = "https://other.example" }},
		{"no subject", func(c *token.Claims) { c.Subject = "" }},
		{"no audience", func(c *token.Claims) { c.Audience = nil }},
		{"an empty audience", func(c *token.Claims) { c.Audience = []string{""} }},
		{"an audience twice", func(c *token.Claims) { c.Audience = []string{"a", "a"} }},
		{"no client", func(c *token.Claims) { c.ClientID = "" }},
		{"no id", func(c *token.Claims) { c.ID = "" }},
		{"no time of issue", func(c *token.Claims) { c.IssuedAt = time.Time{} }},
		{"no expiry", func(c *token.Claims) { c.Expiry = time.Time{} }},
		{"expiry at the time of issue", func(c *token.Claims) { c.Expiry = c.IssuedAt }},
		{"expiry in the same second", func(c *token.Claims) { c.Expiry = c.IssuedAt.Add(time.Second - 1) }},
		{"expiry before the time of issue", func(c *token.Claims) { c.Expiry = c.IssuedAt.Add(-time.Hour) }},
		{"a life of more than 15 minutes", func(c *token.Claims) { c.Expiry = c.IssuedAt.Add(15*time.Minute + time.Second) }},
		{"a time before 1970", func(c *token.Claims) { c.AuthTime = time.Unix(-1, 0) }},
		{"a time after the year 9999", func(c *token.Claims) { c.NotBefore = time.Unix(253402300800, 0) }},
		{"a subject that is not UTF-8", func(c *token.Claims) { c.Subject = "\xff" }},
		{"a method twice", func(c *token.Claims) { c.AMR = []string{"pwd", "pwd"} }},
		{"two spaces in scope", func(c *token.Claims) { c.Scope = "a  b" }},
		{"a quote in scope", func(c *token.Claims) { c.Scope = `a"` }},
		{"a space at the end of scope", func(c *token.Claims) { c.Scope = "a " }},
		{"a reserved claim", func(c *token.Claims) { c.Extra = map[string]any{"sub": "root"} }},
		{"a reserved claim in another letter case", func(c *token.Claims) { c.Extra = map[string]any{"SUB": "root"} }},
		{"a reserved claim with a long s", func(c *token.Claims) { c.Extra = map[string]any{"i\u017f\u017f": "x"} }},
		{"the claim of a logout token", func(c *token.Claims) { c.Extra = map[string]any{"events": map[string]any{}} }},
		{"an application claim without name", func(c *token.Claims) { c.Extra = map[string]any{"": 1} }},
		{"an application claim that is no JSON", func(c *token.Claims) { c.Extra = map[string]any{"x": math.NaN()} }},
		{"an application claim with a duplicate", func(c *token.Claims) { c.Extra = map[string]any{"x": json.RawMessage(`{"a":1,"a":2}`)} }},
		{"application claims of more than 4 KiB", func(c *token.Claims) { c.Extra = map[string]any{"x": long} }},
		{"a token of more than 8 KiB", func(c *token.Claims) { c.Subject = long; c.ACR = long }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := testClaims()
			test.change(&c)
			if raw, err := f.issuer.Issue(c); !errors.Is(err, token.ErrClaims) {
				t.Errorf("got %q, %v", raw, err)
			}
		})
	}
}

func TestWhateverIsIssuedVerifies(t *testing.T) {
	f := newFixture(t, token.ES256)
	for name, change := range map[string]func(*token.Claims){
		"a subject with every kind of character": func(c *token.Claims) { c.Subject = "a\"\\/<>&\x00\x1f\x7fä😀\u2028\ufffd" },
		"application claims near the limits": func(c *token.Claims) {
			c.Extra = map[string]any{"x": strings.Repeat("x", 4000), "deep": json.RawMessage(`[[[[[[1]]]]]]`)}
		},
		"the longest life": func(c *token.Claims) { c.Expiry = c.IssuedAt.Add(15 * time.Minute) },
		"the greatest numbers": func(c *token.Claims) {
			c.Generation, c.SubjectEpoch, c.GlobalEpoch = math.MaxUint32, math.MaxUint64, math.MaxUint64
		},
	} {
		c := testClaims()
		change(&c)
		got, err := f.verifier.Verify(f.issue(t, c))
		if err != nil {
			t.Errorf("%s: %v", name, cause(t, err))
			continue
		}
		if got.Subject != c.Subject || got.Generation != c.Generation || got.SubjectEpoch != c.SubjectEpoch || len(got.Extra) != len(c.Extra) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestNewIssuerRefuses(t *testing.T) {
	f := newFixture(t, token.ES256)
	good := token.IssuerConfig{Issuer: testIssuer, Keys: f.keys}
	for _, test := range []struct {
		field  string
		change func(*token.IssuerConfig)
	}{
		{"Issuer", func(c *token.IssuerConfig) { c.Issuer = "" }},
		{"Keys", func(c *token.IssuerConfig) { c.Keys = nil }},
		{"MaxLifetime", func(c *token.IssuerConfig) { c.MaxLifetime = -1 }},
	} {
		c := good
		test.change(&c)
		if _, err := token.NewIssuer(c); err == nil || !strings.Contains(err.Error(), "IssuerConfig."+test.field) {
			t.Errorf("%s: %v", test.field, err)
		}
	}
}

// req: JWT-7, JWT-8
func TestOtherKindsUnderOurOwnKeyAreNoAccessTokens(t *testing.T) {
	f := newFixture(t, token.ES256)
	key, err := f.keys.Signing(testNow)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"JWT", "dpop+jwt", "dbsc+jwt", "logout+jwt", "secevent+jwt", "statuslist+jwt", "application/logout+jwt"} {
		raw, err := key.Sign(typ, []byte(claims(nil)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.verifier.Verify(raw); cause(t, err) != token.CauseType {
			t.Errorf("%s: %v", typ, err)
		}
	}
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt", ""} {
		if raw, err := key.Sign(typ, []byte(claims(nil))); err == nil {
			t.Errorf("a key signed the type %q outside an Issuer: %s", typ, raw)
		}
	}
	if _, err := key.Sign("logout+jwt", []byte(`{"a":1,"a":2}`)); err == nil {
		t.Error("a key signed claims that no strict reader takes")
	}
}

func TestHasScope(t *testing.T) {
	c := token.Claims{Scope: "read write:all"}
	for scope, want := range map[string]bool{
		"read": true, "write:all": true, "write": false, "rea": false, "READ": false, "": false, "read write:all": false,
	} {
		if c.HasScope(scope) != want {
			t.Errorf("%q: %v", scope, !want)
		}
	}
	if (&token.Claims{}).HasScope("") {
		t.Error("no scope grants the empty scope")
	}
}
