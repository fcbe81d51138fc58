package directory

import (
	"errors"
	"fmt"
	"strings"
)

const maxName = 64

// CheckName reports whether name can be the name of a user: 1 to 64 ASCII
// letters, digits and the characters . _ - @ + of which the first is a letter
// or a digit. The error wraps [ErrInvalid] and says what is wrong.
//
// A name is the subject of the user's sessions as it was first written, but
// two names that differ only in case are the same. Letters beyond ASCII are
// left out because many look alike. A colon is never allowed: it marks the
// subjects of clients, as in client:reports.
func CheckName(name string) error {
	if err := checkWord(name, "@+"); err != nil {
		return fmt.Errorf("%w name: %w", ErrInvalid, err)
	}
	return nil
}

// checkWord judges names and ids. The first character is a letter or a digit
// so that none looks like a flag or like a path of dots.
func checkWord(s, more string) error {
	if s == "" {
		return errors.New("it is empty")
	}
	if len(s) > maxName {
		return fmt.Errorf("it is longer than %d characters", maxName)
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case i == 0:
			return errors.New("it does not start with a letter or a digit")
		case !strings.ContainsRune("._-"+more, r):
			return fmt.Errorf("%q is not allowed in it", r)
		}
	}
	return nil
}

// fold returns the form under which a name is unique. It leaves everything but
// ASCII alone: to Unicode the lower case of a Kelvin sign is the letter k.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, name)
}

// keyOf returns the key of the user who has that name, and for what cannot be a
// name the empty one, which nobody has. Names come from strangers, and
// PostgreSQL fails on text that is not UTF-8 or has a zero byte.
func keyOf(name string) string {
	if CheckName(name) != nil {
		return ""
	}
	return fold(name)
}

// bound returns a key after which the same names come as after any text: they
// have only ASCII characters before DEL, and none below the space.
func bound(after string) string {
	for i := range len(after) {
		switch b := after[i]; {
		case b < ' ':
			return fold(after[:i])
		case b > '~':
			return fold(after[:i]) + "\x7f"
		}
	}
	return fold(after)
}
