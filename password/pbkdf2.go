package password

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// pbkdf2Hash is an imported PBKDF2-HMAC hash (RFC 8018) in one of three forms:
//
//	$pbkdf2-sha256$i=600000$salt$tag          PHC; ",l=32" may follow
//	$pbkdf2-sha256$600000$salt$tag            passlib
//	pbkdf2_sha256$600000$salt$tag             Django; the salt is plain text
type pbkdf2Hash struct {
	digest     func() hash.Hash
	iterations int
	salt, tag  []byte
}

func parsePBKDF2(encoded string) (*pbkdf2Hash, error) {
	parts, err := fields(encoded, 4)
	if err != nil {
		return nil, err
	}
	digest := sha256.New
	if parts[0] == "pbkdf2-sha512" {
		digest = sha512.New
	}
	count, length := parts[1], -1
	if rest, ok := strings.CutPrefix(count, "i="); ok {
		digits, size, sized := strings.Cut(rest, ",l=")
		count = digits
		if sized {
			l, err := number(size)
			if err != nil {
				return nil, fmt.Errorf("setting l %w", err)
			}
			length = int(l)
		}
	}
	iterations, err := rounds(count)
	if err != nil {
		return nil, err
	}
	// passlib writes a dot for the plus of the standard alphabet.
	dots := strings.NewReplacer(".", "+")
	salt, tag, err := saltAndTag(b64, dots.Replace(parts[2]), dots.Replace(parts[3]))
	if err != nil {
		return nil, err
	}
	if length >= 0 && length != len(tag) {
		return nil, fmt.Errorf("tag has %d bytes where its settings say %d", len(tag), length)
	}
	return newPBKDF2(digest, iterations, salt, tag)
}

func parseDjango(encoded string) (*pbkdf2Hash, error) {
	parts, err := fields("$"+encoded, 4)
	if err != nil {
		return nil, err
	}
	iterations, err := rounds(parts[1])
	if err != nil {
		return nil, err
	}
	salt := []byte(parts[2])
	tag, err := base64.StdEncoding.Strict().DecodeString(parts[3])
	if err != nil {
		return nil, errors.New("tag is not base64")
	}
	if err := sizes(salt, tag); err != nil {
		return nil, err
	}
	return newPBKDF2(sha256.New, iterations, salt, tag)
}

func rounds(digits string) (int, error) {
	n, err := number(digits)
	switch {
	case err != nil:
		return 0, fmt.Errorf("iteration count %w", err)
	case n == 0:
		return 0, errors.New("iteration count is zero")
	case n > maxIterations:
		return 0, fmt.Errorf("iteration count %d is over the limit of %d", n, maxIterations)
	}
	return int(n), nil
}

func newPBKDF2(digest func() hash.Hash, iterations int, salt, tag []byte) (*pbkdf2Hash, error) {
	// Every block of the tag costs all the iterations again.
	size := digest().Size()
	blocks := (len(tag) + size - 1) / size
	if blocks*iterations > maxIterations {
		return nil, fmt.Errorf("iteration count %d for a tag of %d bytes is over the limit of %d", iterations, len(tag), maxIterations/blocks)
	}
	return &pbkdf2Hash{digest: digest, iterations: iterations, salt: salt, tag: tag}, nil
}

func (h *pbkdf2Hash) matches(pw string) bool {
	tag, err := pbkdf2.Key(h.digest, pw, h.salt, h.iterations, len(h.tag))
	return err == nil && subtle.ConstantTimeCompare(tag, h.tag) == 1
}
