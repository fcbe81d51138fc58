package lanyard

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/lanyard-go/lanyard/internal/consttime"
)

// kind says what a credential is for. It is under the MAC and in the digest, so
// that a value of one kind is refused wherever another is expected.
type kind byte

const (
	kindHandle  kind = 1 // session cookie
	kindRefresh kind = 2 // refresh token
	kindPre     kind = 4 // cookie of a browser that is not signed in
	kindHandoff kind = 5 // one-time code for another client
	kindDevice  kind = 6 // cookie of a browser that has signed in before
)

const (
	credentialVersion = 1
	macLen            = 16

	// Layout: version, key id, kind, sid, generation, counter, secret, MAC.
	macOffset         = 3 + 16 + 4 + 4 + SecretSize
	credentialLen     = macOffset + macLen
	credentialTextLen = credentialLen / 3 * 4 // 75 bytes: no stray bits
)

// credential is the opened form of what a client presents.
type credential struct {
	kind       kind
	sid        SID
	generation uint32
	counter    uint32 // rotation of a refresh token; else the Unix second of expiry, or 0
	secret     [SecretSize]byte
	key        *keySet
}

// errForged is the one answer for everything that is not a credential of ours,
// whatever is wrong with it.
var errForged = errors.New("lanyard: not a credential of this server")

// digest is what a record keeps of the credential.
func (c *credential) digest() Digest {
	var tagged [1 + SecretSize]byte
	tagged[0] = byte(c.kind)
	copy(tagged[1:], c.secret[:])
	return sha256.Sum256(tagged[:])
}

// fits compares in constant time; a zero digest fits nothing.
func (d Digest) fits(other Digest) bool {
	return !d.IsZero() && consttime.Equal(d[:], other[:])
}

// seal writes c with the current key.
func (k *Keys) seal(c *credential) Secret {
	m := k.current.mac.Get().(*macState)
	defer k.current.mac.Put(m)
	b := m.raw[:0]
	b = append(b, credentialVersion, k.current.id, byte(c.kind))
	b = append(b, c.sid[:]...)
	b = binary.BigEndian.AppendUint32(b, c.generation)
	b = binary.BigEndian.AppendUint32(b, c.counter)
	b = append(b, c.secret[:]...)
	m.hash.Reset()
	m.hash.Write(b)
	b = append(b, m.hash.Sum(m.sum[:0])[:macLen]...)
	text := base64.RawURLEncoding.EncodeToString(b)
	clear(m.raw[:])
	return newSecret(text)
}

// open reads a credential of the wanted kind. It asks no store: a flood of
// garbage costs one MAC each.
func (k *Keys) open(text string, want kind) (c credential, err error) {
	if len(text) != credentialTextLen {
		return credential{}, errForged
	}
	// The key id stands in the first bytes; which MAC state to borrow depends
	// on it, so they are decoded first.
	var head [4]byte
	copy(head[:], text)
	var ids [3]byte
	if n, err := base64.RawURLEncoding.Decode(ids[:], head[:]); n != len(ids) || err != nil {
		return credential{}, errForged
	}
	set := k.byID[ids[1]]
	if ids[0] != credentialVersion || ids[2] != byte(want) || set == nil {
		return credential{}, errForged
	}
	m := set.mac.Get().(*macState)
	defer set.mac.Put(m)
	copy(m.text[:], text)
	// Go's decoder skips line breaks; then fewer bytes come out and n tells.
	if n, err := base64.RawURLEncoding.Decode(m.raw[:], m.text[:]); n != credentialLen || err != nil {
		return credential{}, errForged
	}
	m.hash.Reset()
	m.hash.Write(m.raw[:macOffset])
	sum := m.hash.Sum(m.sum[:0])
	if !consttime.Equal(sum[:macLen], m.raw[macOffset:]) {
		return credential{}, errForged
	}
	c.kind, c.key = want, set
	copy(c.sid[:], m.raw[3:])
	c.generation = binary.BigEndian.Uint32(m.raw[19:])
	c.counter = binary.BigEndian.Uint32(m.raw[23:])
	copy(c.secret[:], m.raw[27:])
	return c, nil
}

func drawSecret(rand io.Reader) (secret [SecretSize]byte, err error) {
	if _, err := io.ReadFull(rand, secret[:]); err != nil {
		return secret, fmt.Errorf("drawing a secret: %w", err)
	}
	return secret, nil
}

// Secret is a credential on its way to its client. Every way of printing it
// shows "[redacted]"; only [Secret.Reveal] gives the text.
type Secret struct {
	// Behind a pointer, because fmt asks no method of what it finds in an
	// unexported field of a caller's struct, and then prints what is there.
	text *string
}

func newSecret(text string) Secret { return Secret{&text} }

// Reveal returns the credential. Write it to its client and nowhere else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no credential.
func (s Secret) IsZero() bool { return s.text == nil }

// String hides the credential.
func (s Secret) String() string { return "[redacted]" }

// GoString hides the credential.
func (s Secret) GoString() string { return "[redacted]" }

// Format hides the credential from every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "[redacted]") }

// LogValue hides the credential from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON hides the credential.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }
