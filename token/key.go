package token

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// ErrKey means a key was refused: its type does not fit its algorithm, it is
// weak, or its file can be read by others.
var ErrKey = errors.New("token: key refused")

// Key is a private signing key with exactly one algorithm. Its id is the RFC 7638
// thumbprint of its public half. It is immutable, safe for concurrent use as
// far as its crypto.Signer is, and prints without its private half in every
// formatting and logging path.
type Key struct {
	jose    *jose.Signer
	public  *PublicKey
	created time.Time
}

// GenerateKey makes a new key in memory: P-256, Ed25519 or RSA with 3072 bits.
// The time is its creation time, kept to the second. Its id starts with no dash.
func GenerateKey(alg Algorithm, now time.Time) (*Key, error) {
	for {
		signer, err := generateSigner(alg)
		if err != nil {
			return nil, fmt.Errorf("generating a key: %w", err)
		}
		k, err := NewKey(signer, alg, now)
		// A command would take an id with a dash in front for an option, and
		// whoever has to withdraw a key is in a hurry.
		if err != nil || k.ID()[0] != '-' {
			return k, err
		}
	}
}

// NewKey wraps a signer whose private key may be out of reach, in a hardware
// module or a key service. The signer follows the rules of crypto.Signer: for
// ES256 it gets a SHA-256 digest and returns ASN.1, for Ed25519 it gets the
// message, for RS256 a digest to sign with PKCS #1 v1.5. RSA keys need 3072 bits.
// A signer that is not a key in memory gets at most 64 calls at once, five seconds
// for each, and has its signatures verified; otherwise signing fails with
// ErrSigner.
func NewKey(signer crypto.Signer, alg Algorithm, created time.Time) (*Key, error) {
	if err := alg.check(true); err != nil {
		return nil, err
	}
	s, err := jose.NewSigner(bounded(signer), jose.Algorithm(alg))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if pub, ok := signer.Public().(*rsa.PublicKey); ok && pub.N.BitLen() < ownRSABits {
		return nil, fmt.Errorf("%w: an RSA signing key needs %d bits", ErrKey, ownRSABits)
	}
	return &Key{s, &PublicKey{s.Public()}, created.UTC().Truncate(time.Second)}, nil
}

// ID returns the key id: the RFC 7638 thumbprint, 43 base64url characters.
func (k *Key) ID() string { return k.public.ID() }

// Algorithm returns the one algorithm of the key.
func (k *Key) Algorithm() Algorithm { return k.public.Algorithm() }

// Created returns when the key was made.
func (k *Key) Created() time.Time { return k.created }

// Public returns the verifying half.
func (k *Key) Public() *PublicKey { return k.public }

// Sign signs claims, one JSON object, as a compact JWS of the given type. It is
// for the other kinds of signed JWT, such as "logout+jwt" and "secevent+jwt"; a
// key must serve one of them only, so keep a key set for each. Status lists are
// the exception: who takes an access token looks for the key of its list in the
// same set, and tells the two apart by their types. Access tokens come from
// [Issuer] alone, and their type is refused here.
func (k *Key) Sign(typ string, claims []byte) (string, error) {
	if isAccessTokenType(typ) {
		return "", errors.New("token: access tokens are signed by an Issuer")
	}
	if _, err := jose.ParseObject(nil, string(claims), jose.Limits{}); err != nil {
		return "", fmt.Errorf("signing claims: %w", err)
	}
	return k.jose.Sign(jose.SignOptions{Type: typ}, claims)
}

// String returns the algorithm and id, never the private key.
func (k Key) String() string {
	if k.public == nil {
		return "token.Key()"
	}
	return "token.Key(" + string(k.Algorithm()) + " " + k.ID() + ")"
}

// GoString is String, so that %#v shows no more.
func (k Key) GoString() string { return k.String() }

// Format is String for every verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue is String for structured logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes String, so that a key in a printed structure shows no more.
func (k Key) MarshalJSON() ([]byte, error) {
	return jose.AppendString(nil, k.String()), nil
}
