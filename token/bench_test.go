package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-go/lanyard/token"
)

// benchTokens issues n tokens like those of a live system and returns a
// verifier for them.
func benchTokens(b *testing.B, alg token.Algorithm, n, cacheSize int) (*token.Verifier, []string) {
	b.Helper()
	keys, err := token.NewKeySet(token.KeysConfig{Algorithm: alg, Now: clock(testNow)})
	if err != nil {
		b.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: keys, Now: clock(testNow)})
	if err != nil {
		b.Fatal(err)
	}
	tokens := make([]string, n)
	for i := range tokens {
		c := testClaims()
		c.ID = fmt.Sprintf("%022d", i)
		if tokens[i], err = issuer.Issue(c); err != nil {
			b.Fatal(err)
		}
	}
	v, err := token.NewVerifier(token.VerifierConfig{
		Issuer: testIssuer, Audience: testAudience, Keys: keys, CacheSize: cacheSize, Now: wallClock(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return v, tokens
}

// BenchmarkFirstSight is Verify without memory; compare it with
// BenchmarkBareSignature of the same algorithm.
func BenchmarkFirstSight(b *testing.B) {
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519} {
		b.Run(string(alg), func(b *testing.B) {
			v, tokens := benchTokens(b, alg, 1, -1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(tokens[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBareSignature is the standard library's check of a message as long as
// the signed part of the token above, digest included.
func BenchmarkBareSignature(b *testing.B) {
	_, tokens := benchTokens(b, token.ES256, 1, -1)
	message := []byte(tokens[0][:strings.LastIndexByte(tokens[0], '.')])
	b.Run("ES256", func(b *testing.B) {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		digest := sha256.Sum256(message)
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			digest := sha256.Sum256(message)
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("Ed25519", func(b *testing.B) {
		pub, key, _ := ed25519.GenerateKey(rand.Reader)
		sig := ed25519.Sign(key, message)
		for b.Loop() {
			if !ed25519.Verify(pub, message, sig) {
				b.Fatal("refused")
			}
		}
	})
}

// BenchmarkSeenBefore is Verify of one token again and again, and of 100 000 live
// tokens in an order that defeats the processor's caches.
func BenchmarkSeenBefore(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			v, tokens := benchTokens(b, token.Ed25519, n, max(n, 1024))
			for _, raw := range tokens {
				if _, err := v.Verify(raw); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 61_803) % n
				if _, err := v.Verify(tokens[i]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGolangJWT is the peer: the usual library, set up with care.
func BenchmarkGolangJWT(b *testing.B) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": testIssuer, "sub": "u-1", "aud": testAudience, "client_id": "lanyard", "jti": "0123456789012345678901",
		"sid": "s-1", "gen": 3, "sep": 7, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "scope": "read write",
	})
	t.Header["typ"], t.Header["kid"] = "at+jwt", "k"
	raw, err := t.SignedString(key)
	if err != nil {
		b.Fatal(err)
	}
	p := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(testIssuer),
		jwt.WithAudience(testAudience), jwt.WithExpirationRequired())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Parse(raw, func(*jwt.Token) (any, error) { return &key.PublicKey, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// wallClock costs what time.Now costs and stands near testNow, where the tokens
// are valid.
func wallClock() func() time.Time {
	shift := time.Since(testNow)
	return func() time.Time { return time.Now().Add(-shift) }
}
