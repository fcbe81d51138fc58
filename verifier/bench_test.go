package verifier_test

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

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// holder is an issuer whose key the benchmark has too, and n of its tokens.
func holder(b *testing.B, alg token.Algorithm, n int) (*issuer, crypto.PublicKey, []string) {
	b.Helper()
	var signer crypto.Signer
	var err error
	if alg == token.Ed25519 {
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	} else {
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		b.Fatal(err)
	}
	key, err := token.NewKey(signer, alg, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	i := &issuer{t: b}
	if i.keys, err = token.NewKeySet(token.KeysConfig{}, key); err != nil {
		b.Fatal(err)
	}
	if i.sign, err = token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: i.keys, MaxLifetime: 2 * time.Hour}); err != nil {
		b.Fatal(err)
	}
	tokens := make([]string, n)
	for k := range tokens {
		c := i.claims(time.Now())
		c.Expiry = c.IssuedAt.Add(time.Hour)
		tokens[k] = i.token(c)
	}
	return i, signer.Public(), tokens
}

// BenchmarkFirstSight is Verify of a token that is not remembered, under a
// fetched key, in turns with the standard library's bare check of the same
// signature; x-bare is the ratio of the medians.
func BenchmarkFirstSight(b *testing.B) {
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519} {
		b.Run(string(alg), func(b *testing.B) {
			i, public, tokens := holder(b, alg, 1)
			cfg := i.config()
			cfg.CacheSize = -1
			v := open(b, cfg)
			bare := bareCheck(b, public, tokens[0])
			var ours, floor []time.Duration
			for b.Loop() {
				start := time.Now()
				_, err := v.Verify(b.Context(), tokens[0])
				middle := time.Now()
				ok := bare()
				end := time.Now()
				if err != nil || !ok {
					b.Fatal(err, ok)
				}
				ours, floor = append(ours, middle.Sub(start)), append(floor, end.Sub(middle))
			}
			b.ReportMetric(median(ours)/median(floor), "x-bare")
			b.ReportMetric(median(ours), "ours-ns/op")
			b.ReportMetric(median(floor), "bare-ns/op")
		})
	}
}

// BenchmarkSeenBefore is Verify of 100 000 live tokens that are remembered, in an
// order that defeats the processor's caches. The texts have just been written, as
// those of requests have: what has to come from memory is what is remembered.
func BenchmarkSeenBefore(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			i, _, tokens := holder(b, token.Ed25519, n)
			cfg := i.config()
			cfg.CacheSize = max(n, 1024)
			v := open(b, cfg)
			ctx := b.Context()
			for _, raw := range tokens {
				if _, err := v.Verify(ctx, raw); err != nil {
					b.Fatal(err)
				}
			}
			var texts [64]string
			var ours []time.Duration
			at := 0
			for b.Loop() {
				for k := range texts {
					at = (at + 61_803) % n
					texts[k] = strings.Clone(tokens[at])
				}
				start := time.Now()
				for _, raw := range texts {
					if _, err := v.Verify(ctx, raw); err != nil {
						b.Fatal(err)
					}
				}
				ours = append(ours, time.Since(start))
			}
			b.ReportMetric(median(ours)/float64(len(texts)), "ours-ns/op")
		})
	}
}

// BenchmarkFeedCheck is what following the feed adds to Verify of a token that
// was seen before, with 10 000 entries: the two in turns, and the medians. A
// reading of the clock, which the feed's age needs, is measured apart.
func BenchmarkFeedCheck(b *testing.B) {
	h := newHome(b)
	cfg := h.config()
	cfg.Keys = h.keys
	with := h.run(cfg)
	for n := range 100 {
		h.end(fmt.Sprint("gone", n))
	}
	for range 9_900 {
		if err := h.m.End(b.Context(), h.login("ann").Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
			b.Fatal(err)
		}
	}
	h.within(patience, "10 000 entries are known", func() bool { return with.Status().Entries >= 10_000 })
	cfg.Feed, cfg.SkipRevocationCheck, cfg.Credentials = "", true, verifier.Credentials{}
	without, raw, ctx := open(b, cfg), h.token("bob"), b.Context()
	const each = 64
	run := func(f func()) time.Duration {
		start := time.Now()
		for range each {
			f()
		}
		return time.Since(start)
	}
	verify := func(v *verifier.Verifier) func() {
		return func() {
			if _, err := v.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	}
	var bare, followed, clock []time.Duration
	var now time.Time
	for b.Loop() {
		bare = append(bare, run(verify(without)))
		followed = append(followed, run(verify(with)))
		clock = append(clock, run(func() { now = time.Now() }))
	}
	if now.IsZero() {
		b.Fatal("the clock was not read")
	}
	allocs := testing.AllocsPerRun(1000, verify(with))
	b.ReportMetric(median(bare)/each, "bare-ns")
	b.ReportMetric(median(followed)/each, "followed-ns")
	b.ReportMetric(median(clock)/each, "clock-ns")
	b.ReportMetric((median(followed)-median(bare)-median(clock))/each, "added-ns")
	b.ReportMetric(allocs, "allocs/check")
}

// BenchmarkRandomTokens is what one token of a flood costs.
func BenchmarkRandomTokens(b *testing.B) {
	i, _, _ := holder(b, token.ES256, 0)
	v := open(b, i.config())
	flood := make([]string, 1024)
	for k := range flood {
		flood[k] = forged()
	}
	at := 0
	b.ReportAllocs()
	for b.Loop() {
		at = (at + 1) % len(flood)
		if _, err := v.Verify(b.Context(), flood[at]); cause(err) != verifier.CauseBadToken {
			b.Fatal(err)
		}
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
	if pub, ok := pub.(ed25519.PublicKey); ok {
		return func() bool { return ed25519.Verify(pub, message, sig) }
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		b.Fatal(err)
	}
	return func() bool {
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(pub.(*ecdsa.PublicKey), digest[:], der)
	}
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2])
}
