package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// stored is a parsed hash whose cost is within the limits.
type stored interface {
	// matches does the expensive work. It compares in constant time.
	matches(pw string) bool
}

// parse reads any form that can be imported. Its error is a *HashError.
func parse(encoded string) (stored, error) {
	if len(encoded) > maxEncoded {
		return nil, &HashError{Problem: fmt.Sprintf("longer than %d bytes", maxEncoded)}
	}
	// base64 decoders skip line ends, which would give one hash many spellings.
	if strings.ContainsFunc(encoded, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &HashError{Problem: "has a space or a character outside ASCII"}
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(encoded, "$"), "$")
	var (
		s         stored
		algorithm string
		err       error
	)
	switch {
	case !strings.HasPrefix(encoded, "$") && name == "pbkdf2_sha256":
		algorithm = "pbkdf2"
		s, err = parseDjango(encoded)
	case !strings.HasPrefix(encoded, "$"):
		err = errors.New("unknown form")
	default:
		switch name {
		case "argon2id":
			algorithm = name
			s, err = parseArgon2id(encoded)
		case "2a", "2b", "2y":
			algorithm = "bcrypt"
			s, err = parseBcrypt(encoded)
		case "scrypt":
			algorithm = name
			s, err = parseScrypt(encoded)
		case "pbkdf2-sha256", "pbkdf2-sha512":
			algorithm = "pbkdf2"
			s, err = parsePBKDF2(encoded)
		default:
			err = errors.New("unknown algorithm")
		}
	}
	if err != nil {
		return nil, &HashError{Algorithm: algorithm, Problem: err.Error()}
	}
	return s, nil
}

// fields cuts "$a$b$c" into its parts, which must be n.
func fields(encoded string, n int) ([]string, error) {
	parts := strings.Split(encoded, "$")[1:]
	if len(parts) != n {
		return nil, fmt.Errorf("%d parts where there should be %d", len(parts), n)
	}
	return parts, nil
}

// settings reads "k=1,k2=2": exactly the wanted names, in order. Numbers are
// decimal without sign or leading zero, as the PHC string format has them.
func settings(text string, names ...string) ([]uint32, error) {
	pairs := strings.Split(text, ",")
	if len(pairs) != len(names) {
		return nil, fmt.Errorf("settings should be %s", strings.Join(names, ", "))
	}
	values := make([]uint32, len(names))
	for i, pair := range pairs {
		digits, ok := strings.CutPrefix(pair, names[i]+"=")
		if !ok {
			return nil, fmt.Errorf("settings should be %s", strings.Join(names, ", "))
		}
		v, err := number(digits)
		if err != nil {
			return nil, fmt.Errorf("setting %s %w", names[i], err)
		}
		values[i] = v
	}
	return values, nil
}

func number(digits string) (uint32, error) {
	v, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || strconv.FormatUint(v, 10) != digits {
		// The text is not repeated: it may be a piece of the hash.
		return 0, errors.New("is not a whole number in range")
	}
	return uint32(v), nil
}

// saltAndTag decodes and measures the last two parts of a stored form.
func saltAndTag(enc *base64.Encoding, salt, tag string) ([]byte, []byte, error) {
	s, err := enc.DecodeString(salt)
	if err != nil {
		return nil, nil, errors.New("salt is not base64")
	}
	t, err := enc.DecodeString(tag)
	if err != nil {
		return nil, nil, errors.New("tag is not base64")
	}
	return s, t, sizes(s, t)
}

func sizes(salt, tag []byte) error {
	switch {
	case len(salt) < minSalt || len(salt) > maxSalt:
		return fmt.Errorf("salt has %d bytes, not %d to %d", len(salt), minSalt, maxSalt)
	case len(tag) < minTag || len(tag) > maxTag:
		return fmt.Errorf("tag has %d bytes, not %d to %d", len(tag), minTag, maxTag)
	}
	return nil
}

// b64 is the PHC string format's base64: standard alphabet, no padding. Strict,
// so that one hash has one spelling.
var b64 = base64.RawStdEncoding.Strict()
