package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-go/lanyard/token"
)

// benchTokens issues n tokens like those of a live system under the key and
// returns a verifier for them.
func benchTokens(b *testing.B, signer crypto.Signer, alg token.Algorithm, n, cacheSize int) (*token.Verifier, []string) {
	b.Helper()
	key, err := token.NewKey(signer, alg, testNow)
	if err != nil {
		b.Fatal(err)
	}
	keys, err := token.NewKeySet(token.KeysConfig{Now: clock(testNow)}, key)
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

func benchKey(b *testing.B, alg token.Algorithm) (signer crypto.Signer) {
	b.Helper()
	var err error
	if alg == token.Ed25519 {
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	} else {
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		b.Fatal(err)
	}
	return signer
}

// BenchmarkFirstSight is Verify without memory, next to the standard library's
// bare check of the very same signature, digest included. The two take turns, so
// that a busy machine slows both alike; x-bare is the ratio of the medians.
func BenchmarkFirstSight(b *testing.B) {
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519} {
		b.Run(string(alg), func(b *testing.B) {
			signer := benchKey(b, alg)
			v, tokens := benchTokens(b, signer, alg, 1, -1)
			bare := bareCheck(b, signer.Public(), tokens[0])
			var ours, floor []time.Duration
			for b.Loop() {
				start := time.Now()
				_, err := v.Verify(tokens[0])
				middle := time.Now()
				ok := bare()
				end := time.Now()
				if err != nil || !ok {
					b.Fatal(err, ok)
				}
				ours = append(ours, middle.Sub(start))
				floor = append(floor, end.Sub(middle))
			}
			b.ReportMetric(median(ours)/median(floor), "x-bare")
			b.ReportMetric(median(ours), "ours-ns/op")
			b.ReportMetric(median(floor), "bare-ns/op")
		})
	}
}

func bareCheck(b *testing.B, pub crypto.PublicKey, raw string) func() bool {
	b.Helper()
	dot := strings.LastIndexByte(raw, '.')
	message := []byte(raw[:dot])
	sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	switch pub := pub.(type) {
	case ed25519.PublicKey:
		return func() bool { return ed25519.Verify(pub, message, sig) }
	case *ecdsa.PublicKey:
		r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			b.Fatal(err)
		}
		return func() bool {
			digest := sha256.Sum256(message)
			return ecdsa.VerifyASN1(pub, digest[:], der)
		}
	}
	b.Fatalf("a key of type %T", pub)
	return nil
}

// BenchmarkSeenBefore is Verify of one token again and again, and of 100 000 live
// tokens in an order that defeats the processor's caches. In turns with it the
// usual library checks an ES256 token; peer-x is how many times as long that takes.
func BenchmarkSeenBefore(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			v, tokens := benchTokens(b, benchKey(b, token.Ed25519), token.Ed25519, n, max(n, 1024))
			for _, raw := range tokens {
				if _, err := v.Verify(raw); err != nil {
					b.Fatal(err)
				}
			}
			peer := golangJWT(b)
			var ours, theirs []time.Duration
			const batch = 256
			i := 0
			for b.Loop() {
				start := time.Now()
				for range batch {
					i = (i + 61_803) % n
					if _, err := v.Verify(tokens[i]); err != nil {
						b.Fatal(err)
					}
				}
				middle := time.Now()
				if err := peer(); err != nil {
					b.Fatal(err)
				}
				theirs = append(theirs, time.Since(middle))
				ours = append(ours, middle.Sub(start))
			}
			b.ReportMetric(median(ours)/batch, "ours-ns/op")
			b.ReportMetric(median(theirs), "peer-ns/op")
			b.ReportMetric(median(theirs)*batch/median(ours), "peer-x")
		})
	}
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2])
}

// golangJWT returns a check by the usual library, set up with care.
func golangJWT(b *testing.B) func() error {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
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
	return func() error {
		_, err := p.Parse(raw, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
		return err
	}
}

// wallClock costs what time.Now costs and stands near testNow, where the tokens
// are valid.
func wallClock() func() time.Time {
	shift := time.Since(testNow)
	return func() time.Time { return time.Now().Add(-shift) }
}
