package revocation

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// Kind says what an [Entry] is about. The zero Kind is none.
type Kind uint8

// Kinds of entries.
const (
	KindSession    Kind = 1 // everything of the session SID is dead
	KindGeneration Kind = 2 // everything of SID below Generation is dead
	KindSubject    Kind = 3 // everything of Subject below Epoch is dead
	KindAll        Kind = 4 // everything below the global Epoch is dead
	KindKey        Kind = 5 // everything signed by Key is dead
)

var kindNames = [...]string{KindSession: "session", KindGeneration: "generation", KindSubject: "subject", KindAll: "all", KindKey: "key"}

// String returns the word that stands for k on the wire.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// parseKind is the inverse of String, zero for a word that stands for no kind.
func parseKind(word string) Kind {
	for k, name := range kindNames {
		if word != "" && name == word {
			return Kind(k)
		}
	}
	return 0
}

const (
	// MaxKeep is the longest time an entry may ask to be kept.
	MaxKeep = 400 * 24 * time.Hour
	// MaxText is the longest subject, key or reason of an entry, in bytes.
	MaxText = 255
)

// ErrEntry is wrapped by whatever is wrong with an entry; the text behind it
// names the member.
var ErrEntry = errors.New("revocation: bad entry")

// Entry is one line of the feed. Members that have no meaning for its Kind are
// neither sent nor looked at.
type Entry struct {
	Kind       Kind
	SID        SID    // of KindSession and KindGeneration
	Generation uint32 // the lowest that lives, at least 1
	Subject    string
	Epoch      uint64 // the lowest that lives, at least 1
	Key        string // the id of a signing key
	Reason     string // why, for display; may be empty
	At         int64  // Unix milliseconds by the issuer's clock, for display and lag only

	// Keep is how long the entry matters, counted by each receiver from when it
	// met the entry, so that no clocks of different machines are compared. It is
	// at most [MaxKeep]. A global epoch is kept for ever, whatever Keep says.
	Keep time.Duration
}

// Check reports what is wrong with the entry, an [ErrEntry] that names the
// member.
func (e *Entry) Check() error {
	switch e.Kind {
	case KindSession, KindGeneration:
		if e.SID.IsZero() {
			return fmt.Errorf("%w: sid: none", ErrEntry)
		}
		if e.Kind == KindGeneration && e.Generation == 0 {
			return fmt.Errorf("%w: generation: 0 kills nothing", ErrEntry)
		}
	case KindSubject, KindAll:
		if e.Kind == KindSubject {
			if err := checkText("subject", e.Subject, true); err != nil {
				return err
			}
		}
		if e.Epoch == 0 {
			return fmt.Errorf("%w: epoch: 0 kills nothing", ErrEntry)
		}
	case KindKey:
		if err := checkText("kid", e.Key, true); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: kind: %d is unknown", ErrEntry, uint8(e.Kind))
	}
	if e.At < 0 {
		return fmt.Errorf("%w: at: negative", ErrEntry)
	}
	if e.Keep < 0 || e.Keep > MaxKeep {
		return fmt.Errorf("%w: keep_ms: %v is outside 0 to %v", ErrEntry, e.Keep, MaxKeep)
	}
	return checkText("reason", e.Reason, false)
}

// checkText refuses what a receiver could not read back byte for byte.
func checkText(member, text string, required bool) error {
	switch {
	case required && text == "":
		return fmt.Errorf("%w: %s: empty", ErrEntry, member)
	case len(text) > MaxText:
		return fmt.Errorf("%w: %s: longer than %d bytes", ErrEntry, member, MaxText)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: %s: not UTF-8", ErrEntry, member)
	}
	return nil
}

// seconds returns d in whole seconds, rounded up: an entry may stay too long, and
// never goes too early.
func seconds(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((uint64(d)+uint64(time.Second)-1)/uint64(time.Second), math.MaxUint32))
}

// Badge is what a token or a cookie says of itself: all that an entry can name. A
// badge without SID, as a program's token has, is subject to entries of the kinds
// all and key, and of its subject if it has one.
type Badge struct {
	SID          SID
	Generation   uint32
	Subject      string
	SubjectEpoch uint64
	GlobalEpoch  uint64
	Key          string // the id of the key it is signed by, empty for a cookie
}
