package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// Algorithm is the registered name of a signature algorithm. Names are compared
// exactly.
type Algorithm string

const (
	// ES256 is ECDSA on P-256 with SHA-256, the default.
	ES256 Algorithm = "ES256"
	// Ed25519 is EdDSA on Curve25519 under its fully specified name (RFC 9864).
	Ed25519 Algorithm = "Ed25519"
	// EdDSA is the older name of Ed25519, for peers that do not know the new
	// one. Keys and signatures are the same and verify under either name; a key
	// writes the name it was made with.
	EdDSA Algorithm = "EdDSA"
	// RS256 is RSA with PKCS #1 v1.5 padding and SHA-256. It works only where
	// AllowRS256 is set.
	RS256 Algorithm = "RS256"
)

// ErrAlgorithm means an algorithm is unknown, or is RS256 without AllowRS256.
var ErrAlgorithm = errors.New("token: algorithm not allowed")

// check answers whether a may be used.
func (a Algorithm) check(allowRS256 bool) error {
	switch {
	case a == ES256 || a == Ed25519 || a == EdDSA:
		return nil
	case a == RS256 && allowRS256:
		return nil
	case a == RS256:
		return fmt.Errorf("%w: RS256 needs AllowRS256", ErrAlgorithm)
	default:
		return fmt.Errorf("%w: %q is unknown", ErrAlgorithm, string(a))
	}
}

// verifierAlgorithms is the allow list of a verifier.
func verifierAlgorithms(allowRS256 bool) []jose.Algorithm {
	list := []jose.Algorithm{jose.ES256, jose.Ed25519}
	if allowRS256 {
		list = append(list, jose.RS256)
	}
	return list
}

// ownRSABits is the size of RSA keys made here.
const ownRSABits = 3072

func generateSigner(a Algorithm) (crypto.Signer, error) {
	switch a {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case Ed25519, EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case RS256:
		return rsa.GenerateKey(rand.Reader, ownRSABits)
	default:
		return nil, fmt.Errorf("%w: %q is unknown", ErrAlgorithm, string(a))
	}
}
