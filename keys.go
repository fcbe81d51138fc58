package lanyard

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

// SecretSize is the size in bytes of a server secret.
const SecretSize = 32

// ServerSecret is a long-lived secret of the server, from which the keys that
// authenticate credentials, derive refresh tokens and mask CSRF tokens are
// derived under labels of their own. It belongs outside the session store.
type ServerSecret struct {
	ID    byte   // written into each credential; never reused
	Value []byte // exactly [SecretSize] random bytes
}

// String hides the secret; so do the other ways to print it.
func (s ServerSecret) String() string { return fmt.Sprintf("server secret %d [redacted]", s.ID) }

// GoString hides the secret.
func (s ServerSecret) GoString() string { return s.String() }

// Format hides the secret from every verb.
func (s ServerSecret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalJSON hides the secret.
func (s ServerSecret) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Keys holds the keys derived from server secrets. The first secret makes new
// credentials; the others are kept as long as the longest session, so that
// credentials made with them go on working. Safe for concurrent use.
type Keys struct {
	current *keySet
	byID    [256]*keySet
	opened  openedHandles
}

// keySet is what one server secret yields: one key for each purpose.
type keySet struct {
	id       byte
	mac      sync.Pool // of *macState, keyed for credentials
	rotation []byte    // derives successors of refresh tokens
	csrf     []byte
	nonce    []byte // nonces for proofs of possession
	print    string
}

// macState is pooled so that checking a credential allocates nothing: its
// buffers would escape through the hash interface otherwise.
type macState struct {
	hash hash.Hash
	text [credentialTextLen]byte
	raw  [credentialLen]byte
	sum  [sha256.Size]byte
}

// NewKeys derives the keys. The first secret is the current one.
func NewKeys(secrets ...ServerSecret) (*Keys, error) {
	if len(secrets) == 0 {
		return nil, errors.New("lanyard: Keys: at least one server secret is needed")
	}
	k := &Keys{}
	for _, s := range secrets {
		if len(s.Value) != SecretSize {
			return nil, fmt.Errorf("lanyard: Keys: server secret %d has %d bytes, want %d random ones", s.ID, len(s.Value), SecretSize)
		}
		if constant(s.Value) {
			return nil, fmt.Errorf("lanyard: Keys: server secret %d is not random", s.ID)
		}
		if k.byID[s.ID] != nil {
			return nil, fmt.Errorf("lanyard: Keys: server secret id %d is given twice", s.ID)
		}
		set, err := derive(s)
		if err != nil {
			return nil, err
		}
		k.byID[s.ID] = set
		if k.current == nil {
			k.current = set
		}
	}
	return k, nil
}

// RandomKeys draws a server secret that nobody else has: sessions end with the
// process. It fits volatile stores and tests.
func RandomKeys() (*Keys, error) {
	value := make([]byte, SecretSize)
	if _, err := io.ReadFull(rand.Reader, value); err != nil {
		return nil, fmt.Errorf("drawing a server secret: %w", err)
	}
	return NewKeys(ServerSecret{ID: 1, Value: value})
}

// Fingerprint names the current secret without giving it away. Nodes that share
// a store must agree on it.
func (k *Keys) Fingerprint() string { return k.current.print }

// Knows reports whether a fingerprint is that of one of the secrets, the current
// one or an older one that is kept.
func (k *Keys) Knows(fingerprint string) bool {
	for _, set := range k.byID {
		if set != nil && set.print == fingerprint {
			return true
		}
	}
	return false
}

// nonceKeys are the keys of nonces, the current one first.
func (k *Keys) nonceKeys() [][]byte {
	keys := [][]byte{k.current.nonce}
	for _, set := range k.byID {
		if set != nil && set != k.current {
			keys = append(keys, set.nonce)
		}
	}
	return keys
}

// constant catches the secrets that configuration mistakes produce: zeros, or
// one byte repeated.
func constant(b []byte) bool {
	for _, c := range b {
		if c != b[0] {
			return false
		}
	}
	return true
}

func derive(s ServerSecret) (*keySet, error) {
	var err error
	key := func(label string) []byte {
		out, e := hkdf.Key(sha256.New, s.Value, nil, "lanyard/1 "+label, sha256.Size)
		if e != nil {
			err = fmt.Errorf("deriving the %s key: %w", label, e)
		}
		return out
	}
	macKey := key("credential")
	set := &keySet{id: s.ID, rotation: key("rotation"), csrf: key("csrf"), nonce: key("dpop nonce"), print: hex.EncodeToString(key("fingerprint")[:8])}
	if err != nil {
		return nil, err
	}
	set.mac.New = func() any { return &macState{hash: hmac.New(sha256.New, macKey)} }
	return set, nil
}

// successor derives the secret of the next refresh token. It can be computed
// again by whoever has the key, the nonce from the record, and the old secret:
// none of the three alone, nor a dump of the store, yields a chain.
func (s *keySet) successor(sid SID, counter uint32, nonce [16]byte, secret [SecretSize]byte) (next [SecretSize]byte) {
	h := hmac.New(sha256.New, s.rotation)
	h.Write(sid[:])
	h.Write([]byte{byte(counter >> 24), byte(counter >> 16), byte(counter >> 8), byte(counter)})
	h.Write(nonce[:])
	h.Write(secret[:])
	h.Sum(next[:0])
	return next
}
