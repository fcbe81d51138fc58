package csrf

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
)

// MinKey is the shortest key [NewTokens] accepts, in bytes.
const MinKey = 32

const (
	nonceSize = 16
	tokenSize = nonceSize + sha256.Size
	// tokenLabel keeps a MAC made here from meaning anything elsewhere should
	// the key ever be shared by mistake.
	tokenLabel = "lanyard csrf token 1\x00"
)

// A Binding is what a token belongs to: one session in one generation, with one
// credential. A token of any other binding does not verify, so every login and
// every rotation of the credential ends the tokens made before.
type Binding struct {
	SID        [16]byte
	Generation uint32
	Digest     [32]byte // digest of the session's current secret
}

// Tokens makes and checks session-bound tokens under one key. It keeps no state
// and is safe for concurrent use.
type Tokens struct {
	key []byte
}

// NewTokens returns a Tokens that uses a copy of key, which must be at least
// [MinKey] random bytes and serve no other purpose.
func NewTokens(key []byte) (*Tokens, error) {
	if len(key) < MinKey {
		return nil, fmt.Errorf("csrf: key: %d bytes, fewer than %d", len(key), MinKey)
	}
	return &Tokens{key: append([]byte(nil), key...)}, nil
}

// Mint returns a new token for the binding: 64 characters of base64url. Call it
// for every page that shows one. Each token has a random part of its own, and
// with it a MAC of its own, so that two renderings have nothing in common that a
// compressed answer could give away. All of them stay valid as long as the
// binding does.
func (t *Tokens) Mint(b Binding) (string, error) {
	var raw [tokenSize]byte
	if _, err := rand.Read(raw[:nonceSize]); err != nil {
		return "", fmt.Errorf("minting csrf token: %w", err)
	}
	t.sum(raw[nonceSize:nonceSize], b, raw[:nonceSize])
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// Verify reports whether text is a token that Mint made for the binding under
// the same key. The comparison takes constant time.
func (t *Tokens) Verify(b Binding, text string) bool {
	if len(text) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return false
	}
	// 64 characters hold exactly 48 bytes, so there is no second spelling of
	// a token; the decoder skips line breaks, which leaves fewer bytes.
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != tokenSize {
		return false
	}
	var want [sha256.Size]byte
	t.sum(want[:0], b, raw[:nonceSize])
	return hmac.Equal(raw[nonceSize:], want[:])
}

// sum appends the MAC to dst. Every part has a fixed length, so no two bindings
// share an encoding.
func (t *Tokens) sum(dst []byte, b Binding, nonce []byte) {
	m := hmac.New(sha256.New, t.key)
	m.Write([]byte(tokenLabel))
	m.Write(b.SID[:])
	m.Write(binary.BigEndian.AppendUint32(nil, b.Generation))
	m.Write(b.Digest[:])
	m.Write(nonce)
	m.Sum(dst)
}

const redacted = "csrf.Tokens(redacted)"

// String returns a fixed text without the key.
func (t *Tokens) String() string { return redacted }

// GoString returns the text of String.
func (t *Tokens) GoString() string { return redacted }

// Format writes the same text for every verb, so that %+v cannot reach the key.
func (t *Tokens) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns the text of String.
func (t *Tokens) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns the text of String as a JSON string.
func (t *Tokens) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
