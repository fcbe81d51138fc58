package dpop_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

// BenchmarkCheck is one proof beside the bare ES256 check it cannot do without.
func BenchmarkCheck(b *testing.B) {
	key := ecKey(b)
	prover, err := dpop.NewProver(key, func() time.Time { return start })
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare signature", func(b *testing.B) {
		sum := sha256.Sum256([]byte("text"))
		sig, err := ecdsa.SignASN1(nil, key, sum[:])
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
				b.Fatal("no")
			}
		}
	})
	b.Run("proof", func(b *testing.B) {
		// Without a memory that grows: the same few proofs, forgotten each time.
		check := checker(b, dpop.Config{Memory: forgetful{}})
		text, err := prover.Proof("GET", here, "token", "")
		if err != nil {
			b.Fatal(err)
		}
		r := dpop.Request{Method: "GET", URL: here, Token: "token", Thumbprint: prover.Thumbprint()}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := check.Check(b.Context(), []string{text}, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
