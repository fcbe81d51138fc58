package directory

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a password on its way in, or a new secret on its way to the one
// person who may see it. However it is printed, logged or encoded, it shows
// that it is there and nothing else; [Secret.Reveal] returns the text.
type Secret string

const redacted = "[secret]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns a fixed text.
func (s Secret) String() string { return redacted }

// GoString returns a fixed text.
func (s Secret) GoString() string { return redacted }

// Format writes a fixed text for every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns a fixed text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a fixed text, which is also how a Secret looks in JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// newSecret returns 256 random bits in 43 characters that need no escaping in
// a URL, a form or a shell.
func newSecret() Secret {
	b := make([]byte, 32)
	rand.Read(b) // never returns an error
	return Secret(base64.RawURLEncoding.EncodeToString(b))
}

// digest is how a secret of 256 random bits is stored. Nothing slower is
// needed: there is no list of likely ones to try.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
