package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// ErrKeysChanged is what [KeyStore.SaveKeys] returns when another process has
// been faster.
var ErrKeysChanged = errors.New("token: the stored keys have changed")

// KeyStore keeps the keys of one set for all processes that use it. It holds
// private keys: whoever reads what it stores can sign, unless it seals them.
// [OpenKeys] brings one that uses files.
//
// Its methods are called by several goroutines and processes at once.
type KeyStore interface {
	// LoadKeys returns what is stored, or the zero StoredKeys if nothing is yet.
	LoadKeys(ctx context.Context) (StoredKeys, error)

	// SaveKeys puts set in the place of what is stored, whole and durably, if
	// that is still what set.Revision names, and returns ErrKeysChanged if it
	// is not. After another error either can be stored. The private half of a
	// key that set has as withdrawn, or has no more, is destroyed.
	SaveKeys(ctx context.Context, set StoredKeys) error
}

// StoredKeys is a key set as a [KeyStore] keeps it.
type StoredKeys struct {
	// Revision names this content among all that the store ever had. Stores
	// choose it; it is empty for the content before the first.
	Revision string

	Keys []StoredKey // oldest first, in an order to keep
}

// StoredKey is a key with the times of its life, which are whole seconds in UTC
// and zero if they are not known; see [KeyInfo].
type StoredKey struct {
	ID        string
	Algorithm Algorithm
	Private   PrivateDER // nil once withdrawn
	Created   time.Time
	Signs     time.Time
	Retires   time.Time
	Withdrawn time.Time

	from string // what to call the place of the key in errors, such as a file
}

// PrivateDER is a private key in PKCS #8 (RFC 5208). However it is printed,
// logged or encoded as JSON, it shows that it is there and nothing else.
type PrivateDER []byte

const redactedKey = "[private key]"

// String returns a fixed text.
func (PrivateDER) String() string { return redactedKey }

// GoString returns a fixed text.
func (PrivateDER) GoString() string { return redactedKey }

// Format writes a fixed text for every verb.
func (PrivateDER) Format(f fmt.State, _ rune) { io.WriteString(f, redactedKey) }

// LogValue returns a fixed text.
func (PrivateDER) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalJSON writes a fixed text.
func (PrivateDER) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedKey + `"`), nil }
