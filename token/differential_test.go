package token_test

import (
	"slices"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	gojwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-go/lanyard/token"
)

// stricterClaims are the causes for which a token whose header and signature are
// right is refused here and accepted by go-jose or golang-jwt, told to check all
// that they can: an example of its payload, who accepts it, and why we do not.
var stricterClaims = []struct {
	cause   token.Cause
	payload string
	by      string
	reason  string
}{
	{token.CausePayload, `{"sub":"root",` + claims(nil)[1:], "golang-jwt", "a name that occurs twice: two readers may take different ones"},
	{token.CausePayload, `{"x":"` + "\xff" + `",` + claims(nil)[1:], "go-jose, golang-jwt", "not UTF-8 (RFC 8259 section 8.1)"},
	{token.CauseClaimType, claims(map[string]any{"EXP": 1}), "go-jose, golang-jwt", "a known claim in another letter case"},
	{token.CauseClaimType, claims(map[string]any{"gen": "1"}), "go-jose, golang-jwt", "our own claims have types too"},
	{token.CauseClaimType, claims(map[string]any{"cnf": map[string]any{"x5t#S256": "a"}}), "go-jose, golang-jwt", "a binding that is not understood must not be ignored"},
	{token.CauseClaimType, claims(map[string]any{"nbf": -5}), "go-jose, golang-jwt", "no date of ours lies before 1970"},
	{token.CauseClaimMissing, claims(map[string]any{"client_id": nil}), "go-jose, golang-jwt", "RFC 9068 section 2.2 requires it"},
	{token.CauseClaimMissing, claims(map[string]any{"jti": nil}), "go-jose, golang-jwt", "RFC 9068 section 2.2 requires it"},
	{token.CauseClaimMissing, claims(map[string]any{"sub": nil}), "go-jose, golang-jwt", "RFC 9068 section 2.2 requires it"},
	{token.CauseClaimMissing, claims(map[string]any{"iat": nil}), "go-jose, golang-jwt", "RFC 9068 section 2.2 requires it"},
	{token.CauseClaimMissing, claims(map[string]any{"exp": nil}), "go-jose", "a token without an end never dies"},
	{token.CauseExpired, claims(map[string]any{"exp": testNow.Unix()}), "go-jose", "dead at the instant of exp (RFC 7519 section 4.1.4)"},
	{token.CauseNotYetValid, claims(map[string]any{"nbf": float64(testNow.Unix()) + 0.5}), "go-jose, golang-jwt", "a fraction of a second is rounded towards the refusal"},
}

func byGoJose(f *forge, raw string) error {
	parsed, err := gojwt.ParseSigned(raw, []gojose.SignatureAlgorithm{gojose.ES256})
	if err != nil {
		return err
	}
	var c gojwt.Claims
	if err := parsed.Claims(&f.private.PublicKey, &c); err != nil {
		return err
	}
	return c.ValidateWithLeeway(gojwt.Expected{Issuer: testIssuer, AnyAudience: gojwt.Audience{testAudience}, Time: testNow}, 0)
}

func byGolangJWT(f *forge, raw string) error {
	p := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(testIssuer), jwt.WithAudience(testAudience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(clock(testNow)), jwt.WithJSONNumber())
	_, err := p.Parse(raw, func(*jwt.Token) (any, error) { return &f.private.PublicKey, nil })
	return err
}

// The list is exact: each example is accepted by those named and refused here
// for that cause.
func TestClaimsThatOthersAcceptAreRefusedForAReason(t *testing.T) {
	f := newForge(t)
	for _, e := range stricterClaims {
		raw := f.sign(t, f.header(""), e.payload)
		if _, err := f.verifier.Verify(raw); cause(t, err) != e.cause {
			t.Errorf("%s: refused here for %q, want %q", e.reason, cause(t, err), e.cause)
		}
		if err := byGoJose(f, raw); (err == nil) != strings.Contains(e.by, "go-jose") {
			t.Errorf("%s: go-jose says %v, the list says accepted by %s", e.reason, err, e.by)
		}
		if err := byGolangJWT(f, raw); (err == nil) != strings.Contains(e.by, "golang-jwt") {
			t.Errorf("%s: golang-jwt says %v, the list says accepted by %s", e.reason, err, e.by)
		}
	}
}

// FuzzClaimsAgainstOthers signs claims that the fuzzer thinks of, under a good
// header: what is accepted here must be accepted there, and what only they accept
// must be refused for a cause of the list.
func FuzzClaimsAgainstOthers(f *testing.F) {
	g := newForge(f)
	for _, e := range stricterClaims {
		f.Add([]byte(e.payload), 0, byte(0))
	}
	f.Add([]byte(claims(nil)), 0, byte(0))
	f.Add([]byte(claims(map[string]any{"aud": []string{"x", testAudience}, "nbf": 0, "auth_time": 1.5, "extra": map[string]any{"a": []any{nil, true}}})), 3, byte(' '))
	f.Fuzz(func(t *testing.T, payload []byte, at int, b byte) {
		good := []byte(claims(nil))
		if at > 0 && at < len(good) {
			good[at] = b
		}
		for _, text := range [][]byte{payload, good, slices.Insert([]byte(claims(nil)), 1, append(slices.Clone(payload), ',')...)} {
			raw := g.sign(t, g.header(""), string(text))
			_, err := g.verifier.Verify(raw)
			goJose, golang := byGoJose(g, raw), byGolangJWT(g, raw)
			if err == nil && (goJose != nil || golang != nil) {
				t.Fatalf("%q is accepted here; go-jose says %v, golang-jwt %v", text, goJose, golang)
			}
			if why := cause(t, err); err != nil && (goJose == nil || golang == nil) && !listedCause(why) {
				t.Fatalf("%q is refused here (%s); go-jose says %v, golang-jwt %v", text, why, goJose, golang)
			}
		}
	})
}

func listedCause(c token.Cause) bool {
	for _, e := range stricterClaims {
		if e.cause == c {
			return true
		}
	}
	return false
}
