package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"time"
)

const defaultWait = 2 * time.Second

// Config sets up a [Hasher]. The zero value is a good one.
type Config struct {
	// Params is the cost of new hashes. New refuses less than OWASP ASVS 5.0
	// Appendix C: 47104 KiB with one pass, 19456 with two, 12288 with more.
	Params Params

	// MaxConcurrent is how many hashes run at a time; zero means one for each
	// core that Go uses. Their memory adds up: Params.Memory for each, and up
	// to 256 MiB for an imported hash.
	MaxConcurrent int

	// MaxWait is how long a hash waits for its turn before ErrBusy; zero means
	// two seconds.
	MaxWait time.Duration

	// Peppers are the secret keys, if any. New hashes use the first; the
	// others are there to verify hashes from before. To rotate, put a new
	// pepper in front and leave the old one until no hash names it.
	Peppers []Pepper
}

// Hasher makes and verifies stored hashes, a limited number at a time. It is
// safe for concurrent use. Make one for a process with [New]: the limit is per
// Hasher.
type Hasher struct {
	params  Params
	peppers peppers
	gate    gate
}

// New returns a Hasher, or an error that names the field of c that is wrong.
func New(c Config) (*Hasher, error) {
	h := &Hasher{params: c.Params.withDefaults()}
	if err := h.params.validate(); err != nil {
		return nil, fmt.Errorf("password: Params: %w", err)
	}
	if c.MaxConcurrent < 0 {
		return nil, errors.New("password: MaxConcurrent: negative")
	}
	if c.MaxConcurrent == 0 {
		c.MaxConcurrent = runtime.GOMAXPROCS(0)
	}
	if c.MaxWait < 0 {
		return nil, errors.New("password: MaxWait: negative")
	}
	if c.MaxWait == 0 {
		c.MaxWait = defaultWait
	}
	var err error
	if h.peppers, err = newPeppers(c.Peppers); err != nil {
		return nil, fmt.Errorf("password: Peppers: %w", err)
	}
	h.gate = newGate(c.MaxConcurrent, c.MaxWait)
	return h, nil
}

// Hash returns the stored form of a password: a PHC string that names argon2id,
// its version, its parameters and the pepper's id, with a new random salt of 16
// bytes and a tag of 32. It does not judge the password; see [Policy].
//
// Errors are ErrTooLong, ErrBusy, or the context's while waiting for a turn.
func (h *Hasher) Hash(ctx context.Context, pw string) (string, error) {
	if len(pw) > MaxBytes {
		return "", ErrTooLong
	}
	hash := h.fresh()
	err := h.gate.do(ctx, func() { hash.tag = hash.derive(pw, tagBytes) })
	if err != nil {
		return "", err
	}
	return hash.String(), nil
}

// Verify reports whether pw is the password that encoded was made from. When it
// is, stale says that encoded should be replaced by a new [Hasher.Hash] of pw:
// it has another algorithm, other parameters, another pepper or a shorter salt
// or tag than a new hash would have.
//
// A password longer than MaxBytes never matches; nor does one longer than 72
// bytes match a bcrypt hash, of which bcrypt would look at a part only. Errors
// are a *HashError for a stored hash that cannot be used, ErrBusy, or the
// context's while waiting for a turn.
func (h *Hasher) Verify(ctx context.Context, encoded, pw string) (match, stale bool, err error) {
	s, err := h.load(encoded)
	if err != nil {
		return false, false, err
	}
	if len(pw) > MaxBytes {
		return false, false, nil
	}
	if err := h.gate.do(ctx, func() { match = s.matches(pw) }); err != nil {
		return false, false, err
	}
	return match, match && h.stale(s), nil
}

// Equalize does the work of a Verify against a new hash and forgets the result.
// A login with a name that nobody has calls it, so that the answer takes as
// long and fails as a wrong password would. Its errors are those of Verify.
func (h *Hasher) Equalize(ctx context.Context, pw string) error {
	if len(pw) > MaxBytes {
		return nil
	}
	hash := h.fresh()
	hash.tag = make([]byte, tagBytes)
	return h.gate.do(ctx, func() { hash.matches(pw) })
}

// Check reports whether Verify could use a stored hash, which is what an import
// of users needs to know. It costs nothing and does not look at how strong the
// hash is. The error is a *HashError.
//
// Refused as too expensive are more than 256 MiB of memory, more than 1 GiB of
// memory times passes (lanes, for scrypt), bcrypt over cost 15, and PBKDF2 over
// five million iterations for each block of the tag together.
func (h *Hasher) Check(encoded string) error {
	_, err := h.load(encoded)
	return err
}

// fresh returns a hash as Hash makes it now, without its tag.
func (h *Hasher) fresh() *argon2id {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never returns an error
	id := h.peppers.current
	return &argon2id{params: h.params, keyID: id, salt: salt, mix: h.peppers.byID[id]}
}

func (h *Hasher) load(encoded string) (stored, error) {
	s, err := parse(encoded)
	if err != nil {
		return nil, err
	}
	if a, ok := s.(*argon2id); ok && a.keyID != "" {
		a.mix = h.peppers.byID[a.keyID]
		if a.mix == nil {
			return nil, &HashError{Algorithm: "argon2id", Problem: "its pepper is not configured"}
		}
	}
	return s, nil
}

func (h *Hasher) stale(s stored) bool {
	a, ok := s.(*argon2id)
	return !ok || a.params != h.params || a.keyID != h.peppers.current ||
		len(a.salt) < saltBytes || len(a.tag) < tagBytes
}
