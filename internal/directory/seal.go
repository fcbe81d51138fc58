package directory

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrSealed: a signing key is sealed with a server secret that is not among
// those given, or was changed by somebody who does not have it.
var ErrSealed = errors.New("directory: signing key does not open with the server secrets given")

// SealingSecret is a server secret that signing keys are sealed with.
type SealingSecret struct {
	ID    byte   // never reused for another value
	Value Secret // 32 random bytes
}

const (
	sealingLabel = "lanyard/1 sealing" // of the key derived from a server secret
	sealingSalt  = 32
)

// seal returns text encrypted and authenticated, in base64. Each seal has a key
// of its own, derived under a fresh salt, so that no number of them uses a
// nonce twice. about is bound to it: it opens for nothing else.
func (s SealingSecret) seal(text []byte, about string) (string, error) {
	salt := make([]byte, sealingSalt)
	rand.Read(salt) // never returns an error
	aead, err := s.aead(salt)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(aead.Seal(salt, nil, text, []byte(about))), nil
}

// open undoes seal. There is one error, whatever is wrong.
func (s SealingSecret) open(sealed, about string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(b) < sealingSalt {
		return nil, ErrSealed
	}
	aead, err := s.aead(b[:sealingSalt])
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, nil, b[sealingSalt:], []byte(about))
	if err != nil {
		return nil, ErrSealed
	}
	return text, nil
}

// aead returns AES-256-GCM, which puts a random nonce in front of each text.
func (s SealingSecret) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(s.Value.Reveal()), salt, sealingLabel, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making the sealing cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealedAbout is what the seal of a signing key is bound to. None of the parts
// can have a zero byte.
func sealedAbout(purpose, kid, algorithm string) string {
	return strings.Join([]string{"signing key", purpose, kid, algorithm}, "\x00")
}
