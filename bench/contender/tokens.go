package contender

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// Tokens are access tokens of many sessions under one key, as this project
// issues them, and what is needed to check them.
type Tokens struct {
	Texts []string

	alg    token.Algorithm
	signer crypto.Signer
	keys   *token.KeySet
	issuer *token.Issuer
}

// errRefused is what checks answer besides the errors of their libraries.
var errRefused = errors.New("the token is refused")

// NewTokens draws a key and issues n tokens. Ed25519 goes under its older name
// EdDSA, the only one that all peers know.
func NewTokens(alg token.Algorithm, n int) (*Tokens, error) {
	signer, err := newSigner(alg)
	if err != nil {
		return nil, err
	}
	t := &Tokens{alg: alg, signer: signer, Texts: make([]string, n)}
	if t.keys, err = keySet(signer, alg); err != nil {
		return nil, err
	}
	if t.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: issuer, Keys: t.keys}); err != nil {
		return nil, err
	}
	err = together(2, func(caller int) error {
		for i := caller; i < n; i += 2 {
			var err error
			if t.Texts[i], err = t.issuer.Issue(claims(i, time.Now())); err != nil {
				return fmt.Errorf("issuing a token: %w", err)
			}
		}
		return nil
	})
	return t, err
}

func newSigner(alg token.Algorithm) (signer crypto.Signer, err error) {
	switch alg {
	case token.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case token.EdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
		return signer, err
	}
	return nil, fmt.Errorf("no tokens with %s here", alg)
}

// claims are those of the nth person's session.
func claims(n int, now time.Time) token.Claims {
	p := somebody(n)
	return token.Claims{
		Subject: p.subject, Audience: []string{audience}, ClientID: client, ID: fmt.Sprintf("%022d", n),
		SID: p.record(0).SID.String(), Generation: 1, IssuedAt: now, Expiry: now.Add(token.MaxLifetime), AuthTime: now,
		AMR: []string{"pwd"}, Scope: "read write",
	}
}

// Check judges one token and returns its subject.
type Check func(raw string) (subject string, err error)

// Verifier returns this project's check. It remembers so many tokens; a negative
// number means none.
func (t *Tokens) Verifier(remember int) (*token.Verifier, error) {
	return token.NewVerifier(token.VerifierConfig{Issuer: issuer, Audience: audience, Keys: t.keys, CacheSize: remember})
}

// BareCheck returns the least that any check must do for the nth token: the
// standard library's signature check, with the digest, and nothing else. The
// signature has been decoded before.
func (t *Tokens) BareCheck(n int) (func() bool, error) {
	raw := t.Texts[n]
	dot := strings.LastIndexByte(raw, '.')
	message := []byte(raw[:dot])
	sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		return nil, fmt.Errorf("decoding a signature: %w", err)
	}
	switch pub := t.signer.Public().(type) {
	case ed25519.PublicKey:
		return func() bool { return ed25519.Verify(pub, message, sig) }, nil
	case *ecdsa.PublicKey:
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
		if err != nil {
			return nil, fmt.Errorf("encoding a signature: %w", err)
		}
		return func() bool {
			digest := sha256.Sum256(message)
			return ecdsa.VerifyASN1(pub, digest[:], der)
		}, nil
	}
	return nil, fmt.Errorf("no bare check with a key of type %T", t.signer.Public())
}

// keyID returns the kid of the tokens.
func (t *Tokens) keyID() (string, error) {
	key, err := t.keys.Signing(time.Now())
	if err != nil {
		return "", err
	}
	return key.ID(), nil
}
