package dpop

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard/internal/consttime"
	"github.com/lanyard-go/lanyard/internal/jose"
)

// MinKey is the shortest key [NewNonces] accepts, in bytes.
const MinKey = 32

const (
	nonceRandom = 8
	nonceMAC    = 16
	nonceSize   = 8 + nonceRandom + nonceMAC

	// defaultLife is long enough that a client rarely has to ask twice, and
	// short enough that a proof made ahead is soon of no use.
	defaultLife  = 2 * time.Minute
	longestLife  = 10 * time.Minute
	nonceAhead   = 5 * time.Second
	nonceVersion = "lanyard dpop nonce 1\x00"
)

// Nonces makes and checks the nonces of one server in one role (RFC 9449
// section 8). A nonce carries its own time and a MAC, so that every node with
// the same key knows it and nothing is kept. It may be used in many proofs while
// it is fresh. Safe for concurrent use.
type Nonces struct {
	role string
	keys [][]byte
	life time.Duration
}

// NewNonces returns nonces for a role, such as the issuer's name with "token" or
// "resource" behind it: those of another role do not count. The first key makes
// new ones, the others are accepted too, so that a key can be replaced; each has
// at least [MinKey] random bytes that serve no other purpose. Life is how long a
// nonce counts: zero means 2 min, at most 10 min.
func NewNonces(role string, life time.Duration, keys ...[]byte) (*Nonces, error) {
	if role == "" {
		return nil, fmt.Errorf("dpop: NewNonces: role is empty")
	}
	if life == 0 {
		life = defaultLife
	}
	if life < time.Second || life > longestLife {
		return nil, fmt.Errorf("dpop: NewNonces: life: %v is not between 1s and %v", life, longestLife)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("dpop: NewNonces: a key is needed")
	}
	n := &Nonces{role: role, life: life}
	for i, k := range keys {
		if len(k) < MinKey {
			return nil, fmt.Errorf("dpop: NewNonces: keys[%d]: %d bytes, fewer than %d", i, len(k), MinKey)
		}
		n.keys = append(n.keys, append([]byte(nil), k...))
	}
	return n, nil
}

// New returns a nonce, for a DPoP-Nonce header: 43 characters of base64url. The
// answer that carries it must not be stored by caches (section 8.2).
func (n *Nonces) New(now time.Time) string {
	var raw [nonceSize]byte
	binary.BigEndian.PutUint64(raw[:], uint64(now.UnixMilli()))
	rand.Read(raw[8 : 8+nonceRandom])
	copy(raw[8+nonceRandom:], n.mac(n.keys[0], raw[:8+nonceRandom]))
	return jose.EncodeBase64(raw[:])
}

// Due reports whether a client that used this nonce should be given a newer one,
// because more than half its life is over.
func (n *Nonces) Due(nonce string, now time.Time) bool {
	made, ok := n.check(nonce, now)
	return !ok || now.Sub(made) > n.life/2
}

// check returns when a nonce was made, if it is ours, of this role and fresh.
func (n *Nonces) check(text string, now time.Time) (made time.Time, ok bool) {
	var buf [nonceSize]byte
	if len(text) != (nonceSize*8+5)/6 {
		return made, false
	}
	raw, err := jose.DecodeBase64(buf[:0], text)
	if err != nil || len(raw) != nonceSize {
		return made, false
	}
	head, sum := raw[:8+nonceRandom], raw[8+nonceRandom:]
	for _, k := range n.keys {
		ok = consttime.Equal(sum, n.mac(k, head)) || ok
	}
	made = time.UnixMilli(int64(binary.BigEndian.Uint64(raw)))
	age := now.Sub(made)
	return made, ok && age <= n.life && age >= -nonceAhead
}

func (n *Nonces) mac(key, head []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(nonceVersion))
	h.Write([]byte(n.role))
	h.Write([]byte{0})
	h.Write(head)
	return h.Sum(nil)[:nonceMAC]
}
