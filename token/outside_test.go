package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// module stands for a hardware module or key service: its private key cannot be
// seen, and it does what the test wants of it.
type module struct {
	crypto.Signer
	calls atomic.Int32
	do    func(sign func() ([]byte, error)) ([]byte, error)
}

func (d *module) Sign(r io.Reader, input []byte, opts crypto.SignerOpts) ([]byte, error) {
	d.calls.Add(1)
	return d.do(func() ([]byte, error) { return d.Signer.Sign(r, input, opts) })
}

func obedient(sign func() ([]byte, error)) ([]byte, error) { return sign() }

// moduleIssuer issues tokens under a key in d.
func moduleIssuer(t *testing.T, d *module, alg token.Algorithm) (*token.Issuer, *token.KeySet) {
	t.Helper()
	k, err := token.NewKey(d, alg, testNow)
	if err != nil {
		t.Fatal(err)
	}
	set, err := token.NewKeySet(token.KeysConfig{Now: clock(testNow)}, k)
	if err != nil {
		t.Fatal(err)
	}
	i, err := token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: set, Now: clock(testNow)})
	if err != nil {
		t.Fatal(err)
	}
	return i, set
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// req: KEY-15
func TestAKeyOutOfReachSigns(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[token.Algorithm]crypto.Signer{token.ES256: p256(t), token.Ed25519: ed} {
		d := &module{Signer: key, do: obedient}
		issuer, set := moduleIssuer(t, d, alg)
		text, err := issuer.Issue(testClaims())
		if err != nil {
			t.Fatal(err)
		}
		v, err := token.NewVerifier(token.VerifierConfig{Issuer: testIssuer, Audience: testAudience, Keys: set, Now: clock(testNow)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(text); err != nil || d.calls.Load() != 1 {
			t.Errorf("%s: %v after %d calls", alg, err, d.calls.Load())
		}
	}
}

func TestABrokenSignerIsAnErrorAndNeverAToken(t *testing.T) {
	lost := errors.New("the module is gone")
	other := p256(t)
	digest := make([]byte, 32)
	for name, do := range map[string]func(func() ([]byte, error)) ([]byte, error){
		"it fails":                  func(func() ([]byte, error)) ([]byte, error) { return nil, lost },
		"it panics":                 func(func() ([]byte, error)) ([]byte, error) { panic("driver") },
		"it returns nothing":        func(func() ([]byte, error)) ([]byte, error) { return nil, nil },
		"it returns garbage":        func(func() ([]byte, error)) ([]byte, error) { return []byte("garbage"), nil },
		"it signs with another key": func(func() ([]byte, error)) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, other, digest) },
		"it changes the signature": func(sign func() ([]byte, error)) ([]byte, error) {
			sig, err := sign()
			sig[len(sig)-1] ^= 1
			return sig, err
		},
	} {
		issuer, _ := moduleIssuer(t, &module{Signer: p256(t), do: do}, token.ES256)
		text, err := issuer.Issue(testClaims())
		if text != "" || !errors.Is(err, token.ErrSigner) {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
		if name == "it fails" && !errors.Is(err, lost) {
			t.Errorf("the module's own error is lost: %v", err)
		}
	}
}

// A module that hangs costs each caller five seconds and the process 64 calls,
// whatever the load, and everything works again once it answers.
func TestASlowSignerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := &module{Signer: p256(t), do: func(sign func() ([]byte, error)) ([]byte, error) {
			<-release
			return sign()
		}}
		issuer, _ := moduleIssuer(t, d, token.ES256)
		const callers = 200
		start := time.Now()
		done := make(chan error, callers)
		for range callers {
			go func() {
				_, err := issuer.Issue(testClaims())
				done <- err
			}()
		}
		for range callers {
			if err := <-done; !errors.Is(err, token.ErrSigner) {
				t.Fatalf("got %v", err)
			}
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("callers waited %v", took)
		}
		if n := d.calls.Load(); n != 64 {
			t.Errorf("%d calls are under way", n)
		}
		close(release)
		synctest.Wait()
		if _, err := issuer.Issue(testClaims()); err != nil {
			t.Errorf("it answers again: %v", err)
		}
	})
}
