package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

// Signer signs with one private key for one algorithm. The key stays behind
// crypto.Signer, so it may live in a device or a service. It is safe for
// concurrent use if that signer is.
type Signer struct {
	// A function, because that is what fmt cannot look into: with a wrong verb it
	// follows pointers in unexported fields and prints what they point to.
	private func() crypto.Signer
	pub     *PublicKey
}

// NewSigner ties s to alg. The public half is checked as by [NewPublicKey].
func NewSigner(s crypto.Signer, alg Algorithm) (*Signer, error) {
	if s == nil {
		return nil, fmt.Errorf("%w: no signer", ErrKey)
	}
	pub, err := NewPublicKey(s.Public(), alg)
	if err != nil {
		return nil, err
	}
	return &Signer{func() crypto.Signer { return s }, pub}, nil
}

// Public returns the key that verifies what s signs.
func (s *Signer) Public() *PublicKey { return s.pub }

// Private returns the signer it was made with, for writing it to its file.
func (s *Signer) Private() crypto.Signer { return s.private() }

// String hides the private key, whatever the verb.
func (s Signer) String() string { return "jose.Signer" }

// Format is String for every verb, so that %#v prints no key either.
func (s Signer) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// SignOptions is what goes into the header beside alg.
type SignOptions struct {
	Type     string // typ, required
	EmbedKey bool   // jwk instead of kid, for proofs of possession
}

// Sign returns the compact JWS of payload.
func (s *Signer) Sign(o SignOptions, payload []byte) (string, error) {
	if o.Type == "" {
		return "", fmt.Errorf("signing: %w: no type given", ErrType)
	}
	header := AppendString([]byte(`{"alg":`), string(s.pub.alg))
	header = AppendString(append(header, `,"typ":`...), o.Type)
	if o.EmbedKey {
		header = append(s.pub.appendRequired(append(header, `,"jwk":{`...)), '}')
	} else {
		header = AppendString(append(header, `,"kid":`...), s.pub.kid)
	}
	header = append(header, '}')

	text := make([]byte, 0, (len(header)+len(payload))*4/3+100)
	text = strict.AppendEncode(text, header)
	text = strict.AppendEncode(append(text, '.'), payload)
	sig, err := s.raw(text)
	if err != nil {
		return "", err
	}
	return string(strict.AppendEncode(append(text, '.'), sig)), nil
}

// raw signs in the form JWS wants. The randomness is never the caller's choice:
// the standard library mixes the key and the message into its nonces.
func (s *Signer) raw(message []byte) ([]byte, error) {
	input, hash := message, crypto.Hash(0)
	if s.pub.ed == nil {
		digest := sha256.Sum256(message)
		input, hash = digest[:], crypto.SHA256
	}
	sig, err := s.private().Sign(rand.Reader, input, hash)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	if s.pub.ec != nil {
		return rawFromDER(sig)
	}
	if n := s.pub.alg.signatureSize(); n != 0 && len(sig) != n || s.pub.rsa != nil && len(sig) != s.pub.rsa.Size() {
		return nil, fmt.Errorf("%w: the signer returned %d bytes", ErrSignature, len(sig))
	}
	return sig, nil
}
