package password

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"golang.org/x/crypto/scrypt"
)

// scryptHash is an imported "$scrypt$ln=17,r=8,p=1$salt$tag" (RFC 7914).
type scryptHash struct {
	n, r, p   int
	salt, tag []byte
}

func parseScrypt(encoded string) (*scryptHash, error) {
	parts, err := fields(encoded, 4)
	if err != nil {
		return nil, err
	}
	v, err := settings(parts[1], "ln", "r", "p")
	if err != nil {
		return nil, err
	}
	ln, r, p := v[0], v[1], v[2]
	switch {
	case ln == 0 || r == 0 || p == 0:
		return nil, errors.New("a setting is zero")
	case ln > 24 || r > 64 || p > 64: // keeps the products below in range
		return nil, errors.New("a setting is over the limits of ln=24, r=64, p=64")
	}
	memory := uint64(r) << ln / 8 // KiB: 128 bytes for each of N times r
	switch {
	case memory > maxMemory:
		return nil, fmt.Errorf("memory %d KiB is over the limit of %d", memory, maxMemory)
	case memory*uint64(p) > maxPasses:
		return nil, fmt.Errorf("memory %d KiB times p=%d is over the limit of %d", memory, p, maxPasses)
	}
	h := &scryptHash{n: 1 << ln, r: int(r), p: int(p)}
	h.salt, h.tag, err = saltAndTag(b64, parts[2], parts[3])
	return h, err
}

func (h *scryptHash) matches(pw string) bool {
	tag, err := scrypt.Key([]byte(pw), h.salt, h.n, h.r, h.p, len(h.tag))
	return err == nil && subtle.ConstantTimeCompare(tag, h.tag) == 1
}
