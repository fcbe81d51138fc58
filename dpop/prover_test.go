package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

func TestProofsOfEveryKeyHold(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	check := checker(t, dpop.Config{Algorithms: []string{"ES256", "Ed25519", "RS256"}})
	if got := check.Algorithms(); got != "ES256 Ed25519 RS256" {
		t.Errorf("advertised as %q", got)
	}
	for name, key := range map[string]crypto.Signer{"ES256": ecKey(t), "Ed25519": ed, "RS256": big} {
		t.Run(name, func(t *testing.T) {
			prover, err := dpop.NewProver(key, func() time.Time { return start })
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // each proof is another
				text, err := prover.Proof("GET", here+"?q=1#f", "token", "")
				if err != nil {
					t.Fatal(err)
				}
				p, err := check.Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here, Token: "token", Thumbprint: prover.Thumbprint()})
				if err != nil {
					t.Fatal(err)
				}
				if p.Algorithm != name {
					t.Errorf("made with %s", p.Algorithm)
				}
			}
		})
	}
}

func TestWhatMakesNoProofIsAnError(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"none": nil, "another curve": p384} {
		if _, err := dpop.NewProver(key, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	prover, err := dpop.NewProver(ecKey(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][2]string{{"", here}, {"GET", "/orders"}, {"GET", "ftp://api.example/"}} {
		if _, err := prover.Proof(bad[0], bad[1], "", ""); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
