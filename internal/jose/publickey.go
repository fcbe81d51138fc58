package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"slices"
)

// PublicKey verifies signatures of exactly one algorithm. It is immutable and
// safe for concurrent use. Make one with [NewPublicKey] or [ParseJWK].
type PublicKey struct {
	alg   Algorithm
	kid   string
	thumb string
	ec    *ecdsa.PublicKey
	ed    ed25519.PublicKey
	rsa   *rsa.PublicKey
}

// NewPublicKey ties pub (*ecdsa.PublicKey on P-256, ed25519.PublicKey or
// *rsa.PublicKey) to alg and checks it: the point must be on the curve and not
// of small order, an RSA key needs 2048 to 8192 bits and an odd exponent above
// 1. Its id is its RFC 7638 thumbprint. The key material is copied.
func NewPublicKey(pub crypto.PublicKey, alg Algorithm) (*PublicKey, error) {
	k := &PublicKey{alg: alg}
	var err error
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		err = k.setEC(pub)
	case ed25519.PublicKey:
		k.ed = slices.Clone(pub)
		err = checkEd25519(pub)
	case *rsa.PublicKey:
		k.rsa = clonePublicRSA(pub)
		err = checkRSA(pub)
	default:
		return nil, fmt.Errorf("%w: keys of type %T are not supported", ErrKey, pub)
	}
	if err != nil {
		return nil, err
	}
	if want := k.family(); alg.canonical() != want {
		return nil, fmt.Errorf("%w: this key is for %s, not for %q", ErrKey, want, string(alg))
	}
	k.thumb = thumbprint(k)
	k.kid = k.thumb
	return k, nil
}

func (k *PublicKey) setEC(pub *ecdsa.PublicKey) error {
	if pub == nil || pub.Curve != elliptic.P256() {
		return fmt.Errorf("%w: only the curve P-256 is supported", ErrKey)
	}
	point, err := pub.Bytes()
	if err != nil {
		return fmt.Errorf("%w: the point is not on P-256", ErrKey)
	}
	if k.ec, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err != nil {
		return fmt.Errorf("%w: the point is not on P-256", ErrKey)
	}
	return nil
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
