package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strconv"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// A Prover makes proofs with one key. It is safe for concurrent use if the key
// is.
type Prover struct {
	signer *jose.Signer
	now    func() time.Time
}

// NewProver takes a key on P-256, for Ed25519, or of RSA with 2048 to 4096 bits.
// It stays behind crypto.Signer and may live in a device. A nil clock means
// time.Now.
func NewProver(key crypto.Signer, now func() time.Time) (*Prover, error) {
	if key == nil {
		return nil, fmt.Errorf("dpop: NewProver: the key is missing")
	}
	var alg jose.Algorithm
	switch key.Public().(type) {
	case *ecdsa.PublicKey:
		alg = jose.ES256
	case ed25519.PublicKey:
		alg = jose.Ed25519
	case *rsa.PublicKey:
		alg = jose.RS256
	default:
		return nil, fmt.Errorf("dpop: NewProver: keys of type %T make no proofs", key.Public())
	}
	s, err := jose.NewSigner(key, alg)
	if err != nil {
		return nil, fmt.Errorf("dpop: NewProver: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &Prover{s, now}, nil
}

// Thumbprint returns the RFC 7638 thumbprint of the key, the cnf.jkt of tokens
// that are bound to it.
func (p *Prover) Thumbprint() string { return p.signer.Public().Thumbprint() }

// Proof returns the value of a DPoP header for one request: its method, its
// address (query and fragment are left out), the access token that goes with it
// and the server's last nonce, both empty where there is none. Each call makes
// another proof; one is good for one request.
func (p *Prover) Proof(method, url, token, nonce string) (string, error) {
	url = bare(url)
	if _, ok := normalTarget(url); !ok || method == "" {
		return "", fmt.Errorf("dpop: making a proof: an absolute http or https address and a method are needed")
	}
	b := jose.AppendString([]byte(`{"jti":`), rand.Text())
	b = jose.AppendString(append(b, `,"htm":`...), method)
	b = jose.AppendString(append(b, `,"htu":`...), url)
	b = strconv.AppendInt(append(b, `,"iat":`...), p.now().Unix(), 10)
	if token != "" {
		b = append(append(append(b, `,"ath":"`...), tokenHash(token)...), '"')
	}
	if nonce != "" {
		b = jose.AppendString(append(b, `,"nonce":`...), nonce)
	}
	text, err := p.signer.Sign(jose.SignOptions{Type: "dpop+jwt", EmbedKey: true}, append(b, '}'))
	if err != nil {
		return "", fmt.Errorf("dpop: making a proof: %w", err)
	}
	return text, nil
}
