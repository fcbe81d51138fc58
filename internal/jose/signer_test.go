package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
)

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// testSigners returns a signer for each algorithm.
func testSigners(t testing.TB) []*Signer {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, old, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	var list []*Signer
	for _, k := range []struct {
		key crypto.Signer
		alg Algorithm
	}{{ec, ES256}, {ed, Ed25519}, {old, EdDSA}, {rs, RS256}} {
		s, err := NewSigner(k.key, k.alg)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// opaque is a signer in a device: all there is of it is crypto.Signer.
type opaque struct{ inner crypto.Signer }

func (o opaque) Public() crypto.PublicKey { return o.inner.Public() }
func (o opaque) Sign(r io.Reader, b []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.inner.Sign(r, b, opts)
}

// req: KEY-3, KEY-15
func TestEachSignatureVerifiesUnderItsOwnKeyOnly(t *testing.T) {
	signers := testSigners(t)
	for i, s := range signers {
		opaqueSigner, err := NewSigner(opaque{s.private()}, s.Public().Algorithm())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Signer{s, opaqueSigner} {
			raw, err := s.Sign(SignOptions{Type: "test+jwt"}, []byte(`{"a":1}`))
			if err != nil {
				t.Fatal(err)
			}
			m, err := Parse(raw, 8<<10, HeaderPolicy{Type: "test+jwt", Algorithms: []Algorithm{ES256, Ed25519, RS256}})
			if err != nil {
				t.Fatal(err)
			}
			if m.Header.KeyID != s.Public().KeyID() || m.Header.Algorithm != s.Public().Algorithm() {
				t.Errorf("header %+v", m.Header)
			}
			for j, other := range signers {
				payload, err := m.Verify(other.Public())
				if (err == nil) != (i == j) || err == nil && payload != `{"a":1}` {
					t.Errorf("token of %s under key of %s: %q, %v", s.Public().Algorithm(), other.Public().Algorithm(), payload, err)
				}
			}
		}
	}
}

// watchful notes the randomness it is handed.
type watchful struct {
	opaque
	got *io.Reader
}

func (w watchful) Sign(r io.Reader, b []byte, opts crypto.SignerOpts) ([]byte, error) {
	*w.got = r
	return w.opaque.Sign(r, b, opts)
}

// req: KEY-20
func TestRandomnessIsTheSystemsAndSignaturesAreHedged(t *testing.T) {
	for _, s := range testSigners(t) {
		var got io.Reader
		w, err := NewSigner(watchful{opaque{s.private()}, &got}, s.Public().Algorithm())
		if err != nil {
			t.Fatal(err)
		}
		var tokens [2]string
		for i := range tokens {
			if tokens[i], err = w.Sign(SignOptions{Type: "x"}, []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		if got != rand.Reader {
			t.Errorf("%s: the signer was handed %T", s.Public().Algorithm(), got)
		}
		if s.Public().Algorithm() == ES256 && tokens[0] == tokens[1] {
			t.Error("two ECDSA signatures over one message are equal: the nonces have no fresh randomness")
		}
	}
}

// req: KEY-18
func TestBothNamesOfEd25519VerifyUnderOneKey(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, written := range []Algorithm{Ed25519, EdDSA} {
		s, err := NewSigner(private, written)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := s.Sign(SignOptions{Type: "x"}, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		for _, held := range []Algorithm{Ed25519, EdDSA} {
			k, err := NewPublicKey(private.Public(), held)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Parse(raw, 8<<10, HeaderPolicy{Type: "x"})
			if err != nil {
				t.Fatal(err)
			}
			if m.Header.Algorithm != written {
				t.Errorf("the header says %s, want %s", m.Header.Algorithm, written)
			}
			if _, err := m.Verify(k); err != nil {
				t.Errorf("written as %s, held as %s: %v", written, held, err)
			}
		}
	}
}

func TestEmbeddedKeyVerifiesItsOwnToken(t *testing.T) {
	for _, s := range testSigners(t) {
		raw, err := s.Sign(SignOptions{Type: "dpop+jwt", EmbedKey: true}, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(raw, 8<<10, HeaderPolicy{Type: "dpop+jwt", Key: KeyEmbedded, Algorithms: []Algorithm{ES256, Ed25519, RS256}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Verify(m.Header.Key); err != nil {
			t.Error(err)
		}
		if m.Header.Key.Thumbprint() != s.Public().Thumbprint() {
			t.Error("the embedded key has another thumbprint")
		}
	}
}

// broken answers with what it was told to.
type broken struct {
	opaque
	answer []byte
	err    error
}

func (b broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return b.answer, b.err }

func TestAnswersOfASignerAreChecked(t *testing.T) {
	for _, s := range testSigners(t) {
		for name, answer := range map[string][]byte{
			"nothing":              nil,
			"too short":            make([]byte, 63),
			"ASN.1 of zeros":       {0x30, 6, 2, 1, 0, 2, 1, 0},
			"ASN.1 and more":       {0x30, 6, 2, 1, 1, 2, 1, 1, 0},
			"ASN.1 of a negative":  {0x30, 6, 2, 1, 0xff, 2, 1, 1},
			"ASN.1 of a long list": append([]byte{0x30, 0x27, 2, 0x22, 1}, make([]byte, 36)...),
		} {
			b, err := NewSigner(broken{opaque{s.private()}, answer, nil}, s.Public().Algorithm())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Sign(SignOptions{Type: "x"}, []byte("{}")); !errors.Is(err, ErrSignature) {
				t.Errorf("%s, %s: %v", s.Public().Algorithm(), name, err)
			}
		}
		gone := errors.New("device gone")
		b, err := NewSigner(broken{opaque{s.private()}, nil, gone}, s.Public().Algorithm())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Sign(SignOptions{Type: "x"}, []byte("{}")); !errors.Is(err, gone) {
			t.Errorf("%s: %v", s.Public().Algorithm(), err)
		}
	}
}

func TestSignNeedsAType(t *testing.T) {
	if _, err := testSigners(t)[0].Sign(SignOptions{}, []byte("{}")); !errors.Is(err, ErrType) {
		t.Error(err)
	}
}

// req: KEY-16
func TestSignerPrintsNoKey(t *testing.T) {
	for _, s := range testSigners(t) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			if got := fmt.Sprintf(verb+verb, s, *s); got != "jose.Signerjose.Signer" {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
}

func TestASN1FormHasNoOtherSpelling(t *testing.T) {
	for _, test := range []struct{ r, s []byte }{
		{[]byte{1}, []byte{2}},
		{[]byte{0x80}, []byte{0x7f}},
		{make([]byte, 32), make([]byte, 32)},
	} {
		raw := make([]byte, 64)
		copy(raw[32-len(test.r):], test.r)
		copy(raw[64-len(test.s):], test.s)
		der := appendDER(nil, raw)
		back, err := rawFromDER(der)
		if string(test.r) == string(make([]byte, 32)) {
			if err == nil {
				t.Error("zeros were accepted")
			}
			continue
		}
		if err != nil || string(back) != string(raw) {
			t.Errorf("%x became %x: %v", raw, back, err)
		}
	}
}
