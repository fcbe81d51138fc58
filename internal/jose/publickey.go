package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
)

// PublicKey verifies signatures of exactly one algorithm. It is immutable and
// safe for concurrent use. Make one with [NewPublicKey] or [ParseJWK].
type PublicKey struct {
	alg   Algorithm
	kid   string
	thumb string
	ec    *ecdsa.PublicKey
	point []byte // ec as 4, x, y
	ed    ed25519.PublicKey
	rsa   *rsa.PublicKey
}

// NewPublicKey ties pub (*ecdsa.PublicKey on P-256, ed25519.PublicKey or
// *rsa.PublicKey) to alg and checks it: the point must be on the curve and not
// of small order, an RSA key needs 2048 to 4096 bits and an odd exponent above
// 1. Its id is its RFC 7638 thumbprint. The key material is copied.
func NewPublicKey(pub crypto.PublicKey, alg Algorithm) (*PublicKey, error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		if pub == nil || pub.Curve != elliptic.P256() || *pub == (ecdsa.PublicKey{Curve: elliptic.P256()}) {
			return nil, fmt.Errorf("%w: only points of the curve P-256 are supported", ErrKey)
		}
		point, err := pub.Bytes()
		if err != nil {
			return nil, fmt.Errorf("%w: the point is not on P-256", ErrKey)
		}
		return newEC(point, alg)
	case ed25519.PublicKey:
		return newEd25519(slices.Clone(pub), alg)
	case *rsa.PublicKey:
		if pub == nil || pub.N == nil {
			return nil, fmt.Errorf("%w: an empty RSA key", ErrKey)
		}
		return newRSA(&rsa.PublicKey{N: new(big.Int).Set(pub.N), E: pub.E}, alg)
	default:
		return nil, fmt.Errorf("%w: keys of type %T are not supported", ErrKey, pub)
	}
}

// newEC takes the uncompressed form of a point.
func newEC(point []byte, alg Algorithm) (*PublicKey, error) {
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("%w: the point is not on P-256", ErrKey)
	}
	return (&PublicKey{ec: pub, point: point}).tie(alg)
}

func newEd25519(pub ed25519.PublicKey, alg Algorithm) (*PublicKey, error) {
	if err := checkEd25519(pub); err != nil {
		return nil, err
	}
	return (&PublicKey{ed: pub}).tie(alg)
}

func newRSA(pub *rsa.PublicKey, alg Algorithm) (*PublicKey, error) {
	if err := checkRSA(pub); err != nil {
		return nil, err
	}
	return (&PublicKey{rsa: pub}).tie(alg)
}

// tie gives a new key its one algorithm and its id.
func (k *PublicKey) tie(alg Algorithm) (*PublicKey, error) {
	if want := k.family(); alg.canonical() != want {
		return nil, fmt.Errorf("%w: this key is for %s, not for %q", ErrKey, want, string(alg))
	}
	k.alg = alg
	k.thumb = thumbprint(k)
	k.kid = k.thumb
	return k, nil
}

// family returns the one algorithm of the closed set that fits the key's type.
func (k *PublicKey) family() Algorithm {
	switch {
	case k.ec != nil:
		return ES256
	case k.ed != nil:
		return Ed25519
	default:
		return RS256
	}
}

// Algorithm returns the one algorithm the key is for.
func (k *PublicKey) Algorithm() Algorithm { return k.alg }

// KeyID returns the id under which the key is published.
func (k *PublicKey) KeyID() string { return k.kid }

// Thumbprint returns the RFC 7638 thumbprint with SHA-256 in base64url, which
// is also the jkt of RFC 9449.
func (k *PublicKey) Thumbprint() string { return k.thumb }

// Equal reports whether both keys are the same key for the same algorithm,
// whatever their ids.
func (k *PublicKey) Equal(other *PublicKey) bool {
	return k == other || k != nil && other != nil && k.thumb == other.thumb && k.alg.canonical() == other.alg.canonical()
}

// verify checks a raw JWS signature over message. All failures are alike.
func (k *PublicKey) verify(message, sig []byte) error {
	if n := k.alg.signatureSize(); n != 0 && len(sig) != n {
		return ErrSignature
	}
	ok := false
	switch {
	case k.ec != nil:
		digest := sha256.Sum256(message)
		var der [maxDER]byte
		ok = ecdsa.VerifyASN1(k.ec, digest[:], appendDER(der[:0], sig))
	case k.ed != nil:
		ok = ed25519.Verify(k.ed, message, sig)
	case k.rsa != nil:
		digest := sha256.Sum256(message)
		ok = rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest[:], sig) == nil
	}
	if !ok {
		return ErrSignature
	}
	return nil
}
