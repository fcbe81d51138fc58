package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

func TestIssuedTokenVerifiesWithAllItsClaims(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519, token.EdDSA, token.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			f := newFixture(t, alg)
			c := testClaims()
			c.NotBefore = testNow
			c.JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
			c.Audience = []string{"https://other.example", testAudience}
			c.Extra = map[string]any{"plan": "gold", "seats": 12, "deep": map[string]any{"a": []int{1}}}
			raw := f.issue(t, c)
			for _, sight := range []string{"first", "second"} {
				got, err := f.verifier.Verify(raw)
				if err != nil {
					t.Fatalf("%s sight: %v", sight, cause(t, err))
				}
				want := c
				want.Issuer = testIssuer
				want.Extra = map[string]any{"plan": "gold", "seats": json.Number("12"), "deep": map[string]any{"a": []any{json.Number("1")}}}
				want.KeyID = f.keys.List(testNow)[0].ID
				if !reflect.DeepEqual(*got, want) {
					t.Errorf("%s sight:\ngot  %+v\nwant %+v", sight, *got, want)
				}
			}
		})
	}
}

// req: JWT-1
func TestFlippedBitsAreRefused(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519} {
		f := newFixture(t, alg)
		raw := f.issue(t, testClaims())
		if _, err := f.verifier.Verify(raw); err != nil { // it is remembered now
			t.Fatal(err)
		}
		for i := range raw {
			for _, bit := range []byte{1, 2, 4, 32} {
				b := []byte(raw)
				b[i] ^= bit
				if c, err := f.verifier.Verify(string(b)); err == nil {
					t.Fatalf("%s, byte %d: accepted as %+v", alg, i, c)
				}
			}
		}
	}
}

// req: JWT-1, JWT-17, JWT-18, JWT-23, JWT-24
func TestVerifyChecksInOrder(t *testing.T) {
	f := newForge(t)
	other := newForge(t)
	good := f.sign(t, f.header(""), claims(nil))
	dot := strings.LastIndexByte(good, '.')
	for _, test := range []struct {
		name, raw string
		want      token.Cause
	}{
		{"a good one", good, ""},
		{"nothing", "", token.CauseForm},
		{"garbage", "garbage", token.CauseForm},
		{"longer than the limit", good + strings.Repeat("a", 8<<10), token.CauseTooLong},
		{"a line feed inside", good[:40] + "\n" + good[40:], token.CauseForm},
		{"white space in front", " " + good, token.CauseForm},
		{"no signature", good[:dot+1], token.CauseForm},
		{"padding", good + "==", token.CauseForm},
		{"a duplicate in the header", f.sign(t, `{"alg":"ES256",`+f.header("")[1:], claims(nil)), token.CauseHeader},
		{"another letter case in the header", f.sign(t, f.header(`,"ALG":"none"`), claims(nil)), token.CauseHeader},
		{"an embedded key", f.sign(t, f.header(`,"jwk":`+string(f.public.JWK())), claims(nil)), token.CauseHeader},
		{"a critical extension", f.sign(t, f.header(`,"crit":["x"],"x":1`), claims(nil)), token.CauseCritical},
		{"another typ", f.sign(t, strings.Replace(f.header(""), "at+jwt", "JWT", 1), claims(nil)), token.CauseType},
		{"another alg", f.sign(t, strings.Replace(f.header(""), "ES256", "HS256", 1), claims(nil)), token.CauseAlgorithm},
		{"the alg of another key type", f.sign(t, strings.Replace(f.header(""), "ES256", "Ed25519", 1), claims(nil)), token.CauseAlgorithm},
		{"no kid", f.sign(t, `{"alg":"ES256","typ":"at+jwt"}`, claims(nil)), token.CauseKeyID},
		{"an unknown kid", other.sign(t, other.header(""), claims(nil)), token.CauseUnknownKey},
		{"another key under our kid", other.sign(t, f.header(""), claims(nil)), token.CauseSignature},
		{"another key and a broken payload", other.sign(t, f.header(""), "{"), token.CauseSignature},
		{"a signature of zeros", good[:dot+1] + b64(make([]byte, 64)), token.CauseSignature},
		{"a signature in ASN.1", good[:dot+1] + b64(make([]byte, 71)), token.CauseSignature},
		{"a payload that is no JSON", f.sign(t, f.header(""), "x"), token.CausePayload},
		{"a payload that is a list", f.sign(t, f.header(""), "[]"), token.CausePayload},
		{"a duplicate claim", f.sign(t, f.header(""), `{"sub":"root",`+claims(nil)[1:]), token.CausePayload},
		{"a duplicate claim, escaped", f.sign(t, f.header(""), `{"\u0073ub":"root",`+claims(nil)[1:]), token.CausePayload},
		{"a duplicate deep inside", f.sign(t, f.header(""), `{"x":{"a":1,"a":2},`+claims(nil)[1:]), token.CausePayload},
		{"data behind the payload", f.sign(t, f.header(""), claims(nil)+"{}"), token.CausePayload},
		{"bad UTF-8 in the payload", f.sign(t, f.header(""), "{\"x\":\"\xff\","+claims(nil)[1:]), token.CausePayload},
		{"a claim in another letter case", f.sign(t, f.header(""), `{"EXP":9999999999,`+claims(nil)[1:]), token.CauseClaimType},
		{"a claim in another letter case alone", f.sign(t, f.header(""), claims(map[string]any{"exp": nil, "Exp": 1})), token.CauseClaimType},
		{"two things wrong", f.sign(t, f.header(""), claims(map[string]any{"iss": "x", "exp": 1})), token.CauseIssuer},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := f.verifier.Verify(test.raw); cause(t, err) != test.want {
				t.Errorf("got %q, want %q", cause(t, err), test.want)
			}
		})
	}
}

// req: JWT-9, JWT-11, JWT-12, JWT-23, JWT-24
func TestClaimsTable(t *testing.T) {
	f := newForge(t)
	now := testNow.Unix()
	type m = map[string]any
	for _, test := range []struct {
		name   string
		change m
		want   token.Cause
	}{
		{"iss missing", m{"iss": nil}, token.CauseClaimMissing},
		{"sub missing", m{"sub": nil}, token.CauseClaimMissing},
		{"aud missing", m{"aud": nil}, token.CauseClaimMissing},
		{"client_id missing", m{"client_id": nil}, token.CauseClaimMissing},
		{"jti missing", m{"jti": nil}, token.CauseClaimMissing},
		{"iat missing", m{"iat": nil}, token.CauseClaimMissing},
		{"exp missing", m{"exp": nil}, token.CauseClaimMissing},
		{"sub empty", m{"sub": ""}, token.CauseClaimMissing},
		{"jti empty", m{"jti": ""}, token.CauseClaimMissing},
		{"sub a number", m{"sub": 1}, token.CauseClaimType},
		{"client_id a list", m{"client_id": []string{"a"}}, token.CauseClaimType},
		{"jti a number", m{"jti": 5}, token.CauseClaimType},

		{"iss with a slash at the end", m{"iss": testIssuer + "/"}, token.CauseIssuer},
		{"iss in another letter case", m{"iss": strings.ToUpper(testIssuer)}, token.CauseIssuer},
		{"iss with http", m{"iss": "http://id.example.com"}, token.CauseIssuer},
		{"iss with a port", m{"iss": testIssuer + ":443"}, token.CauseIssuer},
		{"iss a list", m{"iss": []string{testIssuer}}, token.CauseClaimType},

		{"aud a list with ours", m{"aud": []string{"x", testAudience}}, ""},
		{"aud another", m{"aud": "https://other.example"}, token.CauseAudience},
		{"aud with ours in front", m{"aud": testAudience + ".evil.example"}, token.CauseAudience},
		{"aud ours cut short", m{"aud": testAudience[:len(testAudience)-1]}, token.CauseAudience},
		{"aud in another letter case", m{"aud": strings.ToUpper(testAudience)}, token.CauseAudience},
		{"aud ours among others in one string", m{"aud": "x " + testAudience}, token.CauseAudience},
		{"aud empty", m{"aud": ""}, token.CauseAudience},
		{"aud an empty list", m{"aud": []string{}}, token.CauseAudience},
		{"aud a number", m{"aud": 1}, token.CauseClaimType},
		{"aud an object", m{"aud": m{testAudience: true}}, token.CauseClaimType},
		{"aud a list with a number", m{"aud": []any{testAudience, 1}}, token.CauseClaimType},
		{"aud a list in a list", m{"aud": []any{[]string{testAudience}}}, token.CauseClaimType},
		{"aud a list with null", m{"aud": []any{testAudience, nil}}, token.CauseClaimType},

		{"exp a string", m{"exp": "1790000000"}, token.CauseClaimType},
		{"exp negative", m{"exp": -1}, token.CauseClaimType},
		{"exp huge", m{"exp": 1e300}, token.CauseClaimType},
		{"exp beyond the year 9999", m{"exp": int64(253402300800)}, token.CauseClaimType},
		{"exp of the year 9999", m{"exp": int64(253402300799)}, ""},
		{"exp beyond 64 bits", m{"exp": json.Number("99999999999999999999")}, token.CauseClaimType},
		{"exp beyond a float", m{"exp": json.Number("1e999")}, token.CauseClaimType},
		{"exp a list", m{"exp": []int64{now + 1}}, token.CauseClaimType},
		{"exp true", m{"exp": true}, token.CauseClaimType},
		{"exp with a fraction", m{"exp": float64(now) + 0.5}, token.CauseExpired},
		{"exp zero", m{"exp": 0}, token.CauseExpired},
		{"iat a string", m{"iat": "0"}, token.CauseClaimType},
		{"iat negative", m{"iat": -5}, token.CauseClaimType},
		{"nbf a string", m{"nbf": "0"}, token.CauseClaimType},
		{"nbf negative", m{"nbf": -5}, token.CauseClaimType},
		{"nbf with a fraction", m{"nbf": float64(now) + 0.5}, token.CauseNotYetValid},
		{"auth_time a string", m{"auth_time": "0"}, token.CauseClaimType},
		{"auth_time huge", m{"auth_time": 1e20}, token.CauseClaimType},
		{"auth_time good", m{"auth_time": now - 5}, ""},

		{"gen beyond 32 bits", m{"gen": int64(1) << 32}, token.CauseClaimType},
		{"gen negative", m{"gen": -1}, token.CauseClaimType},
		{"gen with a fraction", m{"gen": 1.5}, token.CauseClaimType},
		{"gen a string", m{"gen": "1"}, token.CauseClaimType},
		{"sep beyond 64 bits", m{"sep": json.Number("18446744073709551616")}, token.CauseClaimType},
		{"sep of 64 bits", m{"sep": json.Number("18446744073709551615")}, ""},
		{"gep null", m{"gep": json.RawMessage("null")}, token.CauseClaimType},
		{"sid a number", m{"sid": 1}, token.CauseClaimType},
		{"scope a list", m{"scope": []string{"read"}}, token.CauseClaimType},
		{"amr a string", m{"amr": "pwd"}, token.CauseClaimType},
		{"acr a number", m{"acr": 2}, token.CauseClaimType},

		{"cnf with jkt", m{"cnf": m{"jkt": "x"}}, ""},
		{"cnf empty", m{"cnf": m{}}, token.CauseClaimType},
		{"cnf with a method we cannot check", m{"cnf": m{"x5t#S256": "x"}}, token.CauseClaimType},
		{"cnf with two methods", m{"cnf": m{"jkt": "x", "kid": "y"}}, token.CauseClaimType},
		{"cnf with an empty jkt", m{"cnf": m{"jkt": ""}}, token.CauseClaimType},
		{"cnf a string", m{"cnf": "x"}, token.CauseClaimType},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw := f.sign(t, f.header(""), claims(test.change))
			if _, err := f.verifier.Verify(raw); cause(t, err) != test.want {
				t.Errorf("got %q, want %q", cause(t, err), test.want)
			}
		})
	}
}

// req: JWT-6
func TestTimesAtTheirBoundaries(t *testing.T) {
	exp, nbf := testNow.Add(5*time.Minute), testNow.Add(time.Minute)
	tick := time.Nanosecond
	for _, test := range []struct {
		name   string
		leeway time.Duration
		nbf    bool
		now    time.Time
		want   token.Cause
	}{
		{"at iat", 0, false, testNow, ""},
		{"just before iat", 0, false, testNow.Add(-tick), token.CauseIssuedInFuture},
		{"just before exp", 0, false, exp.Add(-tick), ""},
		{"at exp", 0, false, exp, token.CauseExpired},
		{"long after exp", 0, false, exp.AddDate(1, 0, 0), token.CauseExpired},
		{"at nbf", 0, true, nbf, ""},
		{"just before nbf", 0, true, nbf.Add(-tick), token.CauseNotYetValid},
		{"before iat by the leeway", time.Minute, false, testNow.Add(-time.Minute), ""},
		{"before iat by more", time.Minute, false, testNow.Add(-time.Minute - tick), token.CauseIssuedInFuture},
		{"after exp by less than the leeway", time.Minute, false, exp.Add(time.Minute - tick), ""},
		{"after exp by the leeway", time.Minute, false, exp.Add(time.Minute), token.CauseExpired},
		{"before nbf by the leeway", 30 * time.Second, true, nbf.Add(-30 * time.Second), ""},
		{"before nbf by more", 30 * time.Second, true, nbf.Add(-30*time.Second - tick), token.CauseNotYetValid},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newForge(t)
			change := map[string]any{}
			if test.nbf {
				change["nbf"] = nbf.Unix()
			}
			raw := f.sign(t, f.header(""), claims(change))
			// First sight at the time of the test, and second sight of a token that was
			// remembered at a time when it was valid.
			for _, remembered := range []bool{false, true} {
				now := nbf.Add(time.Second)
				v, err := token.NewVerifier(token.VerifierConfig{
					Issuer: testIssuer, Audience: testAudience, Keys: f.keys, Leeway: test.leeway,
					Now: func() time.Time { return now },
				})
				if err != nil {
					t.Fatal(err)
				}
				if remembered {
					if _, err := v.Verify(raw); err != nil {
						t.Fatal(cause(t, err))
					}
				}
				now = test.now
				if _, err := v.Verify(raw); cause(t, err) != test.want {
					t.Errorf("remembered %v: got %q, want %q", remembered, cause(t, err), test.want)
				}
			}
		})
	}
}

// req: JWT-2, KEY-4
func TestRS256NeedsOptIn(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	k, err := token.NewKey(key, token.RS256, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.NewKeySet(token.KeysConfig{Now: clock(testNow)}, k); !errors.Is(err, token.ErrAlgorithm) {
		t.Errorf("a set took an RS256 key without opt-in: %v", err)
	}
	if _, err := token.NewKeySet(token.KeysConfig{Algorithm: token.RS256}); !errors.Is(err, token.ErrAlgorithm) {
		t.Errorf("a set made an RS256 key without opt-in: %v", err)
	}
	keys, err := token.NewKeySet(token.KeysConfig{AllowRS256: true, Now: clock(testNow)}, k)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: keys, Now: clock(testNow)})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := issuer.Issue(testClaims())
	if err != nil {
		t.Fatal(err)
	}
	for _, allow := range []bool{false, true} {
		v, err := token.NewVerifier(token.VerifierConfig{
			Issuer: testIssuer, Audience: testAudience, Keys: keys, AllowRS256: allow, Now: clock(testNow),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(raw)
		if want := map[bool]token.Cause{false: token.CauseAlgorithm, true: ""}[allow]; cause(t, err) != want {
			t.Errorf("allow %v: %v", allow, cause(t, err))
		}
	}
}

// req: JWT-2, JWT-9
func TestNewVerifierRefuses(t *testing.T) {
	f := newForge(t)
	good := token.VerifierConfig{Issuer: testIssuer, Audience: testAudience, Keys: f.keys}
	for _, test := range []struct {
		field  string
		change func(*token.VerifierConfig)
	}{
		{"Issuer", func(c *token.VerifierConfig) { c.Issuer = "" }},
		{"Audience", func(c *token.VerifierConfig) { c.Audience = "" }},
		{"Keys", func(c *token.VerifierConfig) { c.Keys = nil }},
		{"Leeway", func(c *token.VerifierConfig) { c.Leeway = time.Minute + 1 }},
		{"Leeway", func(c *token.VerifierConfig) { c.Leeway = -1 }},
		{"MaxSize", func(c *token.VerifierConfig) { c.MaxSize = -1 }},
		{"MaxSize", func(c *token.VerifierConfig) { c.MaxSize = 1 << 20 }},
		{"CacheSize", func(c *token.VerifierConfig) { c.CacheSize = 1 << 30 }},
	} {
		c := good
		test.change(&c)
		if _, err := token.NewVerifier(c); err == nil || !strings.Contains(err.Error(), "VerifierConfig."+test.field) {
			t.Errorf("%s: %v", test.field, err)
		}
	}
	if _, err := token.NewVerifier(good); err != nil {
		t.Error(err)
	}
	for _, secret := range []any{[]byte("0123456789abcdef0123456789abcdef"), "secret"} {
		for _, alg := range []token.Algorithm{"HS256", token.ES256, token.Ed25519} {
			if _, err := token.NewPublicKey(secret, alg); err == nil {
				t.Errorf("a symmetric key was taken for %s", alg)
			}
		}
	}
}

// req: JWT-31, KEY-17
func TestRefusalsAreAlikeOutside(t *testing.T) {
	f := newForge(t)
	other := newForge(t)
	seen := map[token.Cause]bool{}
	for _, raw := range []string{
		"", strings.Repeat("a", 9<<10), "e30.e30.e30",
		f.sign(t, f.header(`,"crit":[]`), claims(nil)),
		f.sign(t, strings.Replace(f.header(""), "at+jwt", "JWT", 1), claims(nil)),
		f.sign(t, strings.Replace(f.header(""), "ES256", "none", 1), claims(nil)),
		f.sign(t, `{"alg":"ES256","typ":"at+jwt","kid":"../x"}`, claims(nil)),
		other.sign(t, other.header(""), claims(nil)),
		other.sign(t, f.header(""), claims(nil)),
		f.sign(t, f.header(""), "x"),
		f.sign(t, f.header(""), claims(map[string]any{"sub": 1})),
		f.sign(t, f.header(""), claims(map[string]any{"sub": nil})),
		f.sign(t, f.header(""), claims(map[string]any{"iss": "x"})),
		f.sign(t, f.header(""), claims(map[string]any{"aud": "x"})),
		f.sign(t, f.header(""), claims(map[string]any{"exp": 1})),
		f.sign(t, f.header(""), claims(map[string]any{"nbf": testNow.Unix() + 9})),
		f.sign(t, f.header(""), claims(map[string]any{"iat": testNow.Unix() + 9})),
		f.sign(t, f.header(`,"jku":"x"`), claims(nil)),
	} {
		_, err := f.verifier.Verify(raw)
		for _, verb := range []string{"%v", "%s", "%q"} {
			if got, want := fmt.Sprintf(verb, err), fmt.Sprintf(verb, token.ErrInvalid); got != want {
				t.Errorf("%s shows %s", verb, got)
			}
		}
		seen[cause(t, err)] = true
	}
	// The log, on the other hand, can tell every check from the others.
	if len(seen) != 17 || seen[""] {
		t.Errorf("%d causes: %v", len(seen), seen)
	}
}

// req: KEY-15
func TestOpaqueSigners(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for alg, signer := range map[token.Algorithm]crypto.Signer{token.ES256: ec, token.Ed25519: ed} {
		k, err := token.NewKey(device{signer}, alg, testNow)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := token.NewKeySet(token.KeysConfig{Now: clock(testNow)}, k)
		if err != nil {
			t.Fatal(err)
		}
		issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: keys, Now: clock(testNow)})
		if err != nil {
			t.Fatal(err)
		}
		v, err := token.NewVerifier(token.VerifierConfig{Issuer: testIssuer, Audience: testAudience, Keys: keys, Now: clock(testNow)})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := issuer.Issue(testClaims())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(raw); err != nil {
			t.Errorf("%s: %v", alg, cause(t, err))
		}
	}
}

// device is a key out of reach: a crypto.Signer and nothing else.
type device struct{ crypto.Signer }

// FuzzVerify looks for a text that is accepted without having been issued.
func FuzzVerify(f *testing.F) {
	g := newForge(f)
	good := g.sign(f, g.header(""), claims(nil))
	if _, err := g.verifier.Verify(good); err != nil {
		f.Fatal(err)
	}
	f.Add(good, -1, byte(0))
	f.Add(good, 3, byte('A'))
	f.Add("..", 0, byte('.'))
	f.Fuzz(func(t *testing.T, raw string, at int, b byte) {
		// Workers have other keys than the seeds, so most inputs also run as a change
		// of a good token of this worker.
		changed := []byte(good)
		if at >= 0 && at < len(changed) {
			changed[at] = b
		}
		for _, text := range []string{raw, string(changed), raw + good, good + raw} {
			if _, err := g.verifier.Verify(text); err == nil && text != good {
				t.Fatalf("%q was accepted", text)
			} else if err != nil {
				cause(t, err)
			}
		}
	})
}
