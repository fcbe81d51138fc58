package password

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// argon2id is the form of new hashes:
//
//	$argon2id$v=19$m=19456,t=2,p=1$salt$tag
//	$argon2id$v=19$m=19456,t=2,p=1,keyid=2026$salt$tag
//
// keyid is the PHC string format's name for the key an extra step used. Here
// that step is HMAC-SHA-256 over the argon2id output.
type argon2id struct {
	params    Params
	keyID     string
	salt, tag []byte
	mix       keyed // nil without keyID; set by the Hasher, which has the keys
}

func parseArgon2id(encoded string) (*argon2id, error) {
	parts, err := fields(encoded, 5)
	if err != nil {
		return nil, err
	}
	if parts[1] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, fmt.Errorf("version is not %d", argon2.Version)
	}
	costs, keyID, hasKey := strings.Cut(parts[2], ",keyid=")
	if hasKey && !validPepperID(keyID) {
		return nil, errors.New("key id is malformed")
	}
	v, err := settings(costs, "m", "t", "p")
	if err != nil {
		return nil, err
	}
	if v[2] > maxThreads {
		return nil, fmt.Errorf("threads %d is over the limit of %d", v[2], maxThreads)
	}
	h := &argon2id{params: Params{Memory: v[0], Time: v[1], Threads: uint8(v[2])}, keyID: keyID}
	if err := h.params.affordable(); err != nil {
		return nil, err
	}
	h.salt, h.tag, err = saltAndTag(b64, parts[3], parts[4])
	if err != nil {
		return nil, err
	}
	if hasKey && len(h.tag) != tagBytes {
		return nil, fmt.Errorf("tag under a key has %d bytes, not %d", len(h.tag), tagBytes)
	}
	return h, nil
}

// String returns the stored form.
func (h *argon2id) String() string {
	key := ""
	if h.keyID != "" {
		key = ",keyid=" + h.keyID
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d%s$%s$%s", argon2.Version,
		h.params.Memory, h.params.Time, h.params.Threads, key,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.tag))
}

// derive computes the tag of a password.
func (h *argon2id) derive(pw string, size int) []byte {
	tag := argon2.IDKey([]byte(pw), h.salt, h.params.Time, h.params.Memory, h.params.Threads, uint32(size))
	if h.mix != nil {
		return h.mix(tag)
	}
	return tag
}

func (h *argon2id) matches(pw string) bool {
	return subtle.ConstantTimeCompare(h.derive(pw, len(h.tag)), h.tag) == 1
}
