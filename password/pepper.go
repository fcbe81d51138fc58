package password

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

const (
	minPepperBytes = 16 // NIST SP 800-63B-4 section 3.1.1.2 asks for 112 bits
	maxPepperID    = 32
)

// Pepper is a secret key mixed into every new hash (NIST SP 800-63B-4 section
// 3.1.1.2). Kept away from the database, it makes a stolen table of hashes
// useless for guessing.
//
// ID is stored beside each hash to find the key again: 1 to 32 letters, digits,
// dots and hyphens. Key has at least 16 random bytes. Printing, logging or
// encoding a Pepper shows the ID only.
type Pepper struct {
	ID  string
	Key []byte
}

func (p Pepper) validate() error {
	switch {
	case !validPepperID(p.ID):
		return fmt.Errorf("id must be 1 to %d letters, digits, dots and hyphens", maxPepperID)
	case len(p.Key) < minPepperBytes:
		return fmt.Errorf("key of %q has %d bytes: at least %d", p.ID, len(p.Key), minPepperBytes)
	}
	return nil
}

// validPepperID keeps an id within the characters that a PHC parameter allows,
// so that it needs no escaping in the stored string.
func validPepperID(id string) bool {
	return id != "" && len(id) <= maxPepperID && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-'
	})
}

// String returns the id with the key left out.
func (p Pepper) String() string { return "pepper " + p.ID + " [redacted]" }

// GoString returns what String does.
func (p Pepper) GoString() string { return p.String() }

// Format writes what String returns for every verb.
func (p Pepper) Format(s fmt.State, _ rune) { fmt.Fprint(s, p.String()) }

// LogValue returns what String does.
func (p Pepper) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText returns what String does, which is also how a Pepper looks in
// JSON.
func (p Pepper) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// keyed mixes a pepper into a finished tag. A function rather than the key
// itself, so that no way of printing the Hasher reaches the bytes.
type keyed func(tag []byte) []byte

type peppers struct {
	current string // empty: new hashes carry none
	byID    map[string]keyed
}

func newPeppers(list []Pepper) (peppers, error) {
	ps := peppers{byID: make(map[string]keyed, len(list))}
	for i, p := range list {
		if err := p.validate(); err != nil {
			return peppers{}, err
		}
		if ps.byID[p.ID] != nil {
			return peppers{}, errors.New("id " + p.ID + " appears twice")
		}
		if i == 0 {
			ps.current = p.ID
		}
		key := slices.Clone(p.Key)
		ps.byID[p.ID] = func(tag []byte) []byte {
			mac := hmac.New(sha256.New, key)
			// Names the use, so that a key shared by mistake with another
			// part of a system signs nothing that part would accept.
			mac.Write([]byte("lanyard password pepper\x00"))
			mac.Write(tag)
			return mac.Sum(nil)
		}
	}
	return ps, nil
}
