package token_test

import (
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

const (
	testIssuer   = "https://id.example.com"
	testAudience = "https://api.example.com"
)

// testNow is when the tests take place.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func clock(t time.Time) func() time.Time { return func() time.Time { return t } }

// testClaims are complete claims of a token issued at testNow for five minutes.
func testClaims() token.Claims {
	return token.Claims{
		Subject:      "u-4711",
		Audience:     []string{testAudience},
		ClientID:     "lanyard",
		ID:           "n3Vx0k2Jm8s1Qp7ZtYb4Lw",
		SID:          "0199f0a2b3c4d5e6f708192a3b4c5d6e",
		Generation:   3,
		SubjectEpoch: 7,
		GlobalEpoch:  1,
		IssuedAt:     testNow,
		Expiry:       testNow.Add(5 * time.Minute),
		AuthTime:     testNow.Add(-time.Hour),
		ACR:          "aal2",
		AMR:          []string{"pwd", "otp"},
		Scope:        "read write",
	}
}

// fixture is an issuer with its keys and a verifier for its tokens, all with
// one clock that tests can set.
type fixture struct {
	now      time.Time
	keys     *token.KeySet
	issuer   *token.Issuer
	verifier *token.Verifier
}

func newFixture(t testing.TB, alg token.Algorithm) *fixture {
	t.Helper()
	f := &fixture{now: testNow}
	now := func() time.Time { return f.now }
	rs := alg == token.RS256
	var err error
	if f.keys, err = token.NewKeySet(token.KeysConfig{Algorithm: alg, AllowRS256: rs, Now: now}); err != nil {
		t.Fatal(err)
	}
	if f.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: f.keys, Now: now}); err != nil {
		t.Fatal(err)
	}
	if f.verifier, err = token.NewVerifier(token.VerifierConfig{
		Issuer: testIssuer, Audience: testAudience, Keys: f.keys, AllowRS256: rs, Now: now,
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

// issue signs claims and stops the test if that is refused.
func (f *fixture) issue(t testing.TB, c token.Claims) string {
	t.Helper()
	raw, err := f.issuer.Issue(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
