package token

import (
	"crypto"
	"fmt"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// PublicKey verifies signatures of exactly one algorithm. It is immutable and
// safe for concurrent use. A symmetric key cannot become one.
type PublicKey struct {
	key *jose.PublicKey
}

// NewPublicKey ties pub (an *ecdsa.PublicKey on P-256, an ed25519.PublicKey or
// an *rsa.PublicKey of at least 2048 bits) to alg. Its id is its thumbprint.
// Points off the curve or of small order and weak RSA keys are ErrKey.
func NewPublicKey(pub crypto.PublicKey, alg Algorithm) (*PublicKey, error) {
	if err := alg.check(true); err != nil {
		return nil, err
	}
	k, err := jose.NewPublicKey(pub, jose.Algorithm(alg))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return &PublicKey{k}, nil
}

// ID returns the key id under which tokens name the key.
func (k *PublicKey) ID() string { return k.key.KeyID() }

// Algorithm returns the one algorithm of the key.
func (k *PublicKey) Algorithm() Algorithm { return Algorithm(k.key.Algorithm()) }

// Thumbprint returns the RFC 7638 thumbprint with SHA-256.
func (k *PublicKey) Thumbprint() string { return k.key.Thumbprint() }

// JWK returns the key as a public JWK with kid, use and alg.
func (k *PublicKey) JWK() []byte { return k.key.AppendJWK(nil) }

// PublicKeys is a fixed set of verifying keys of one issuer, looked up by id. It
// is immutable and safe for concurrent use.
type PublicKeys struct {
	byID map[string]*PublicKey
}

// NewPublicKeys makes a set. Two keys with one id are ErrKey.
func NewPublicKeys(keys ...*PublicKey) (*PublicKeys, error) {
	s := &PublicKeys{make(map[string]*PublicKey, len(keys))}
	for _, k := range keys {
		if s.byID[k.ID()] != nil {
			return nil, fmt.Errorf("%w: the id %s occurs twice", ErrKey, k.ID())
		}
		s.byID[k.ID()] = k
	}
	return s, nil
}

// ParseJWKS reads a published JWK set (RFC 7517 section 5) of at most 64 KiB.
// Keys of kinds that are not supported are passed over; a set with a private,
// symmetric, malformed or weak key, a key without id or two keys with one id is
// refused as a whole.
func ParseJWKS(data []byte) (*PublicKeys, error) {
	list, err := jose.ParseSet(string(data))
	if err != nil {
		return nil, fmt.Errorf("%w: reading a key set: %w", ErrKey, err)
	}
	s := &PublicKeys{make(map[string]*PublicKey, len(list))}
	for _, k := range list {
		s.byID[k.KeyID()] = &PublicKey{k}
	}
	return s, nil
}

// Lookup returns the key with the id.
func (s *PublicKeys) Lookup(kid string) (*PublicKey, bool) {
	k, ok := s.byID[kid]
	return k, ok
}

// Len returns the number of keys.
func (s *PublicKeys) Len() int { return len(s.byID) }
