package password

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	defaultMinLength = 15
	leastMinLength   = 8
	leastMaxBytes    = 4 * 64 // 64 characters, each of the longest encoding
)

// Policy says which new passwords are accepted. The zero value is a good one
// for a password that stands alone. It has rules of length and lists of what
// attackers try first, and none about kinds of characters.
//
// A Policy is for choosing a password. A login does not consult it: people whose
// password no longer meets it can still sign in.
type Policy struct {
	// MinLength is the least length in code points; zero means 15. Where a
	// second factor is enforced 8 is enough (NIST SP 800-63B-4 section
	// 3.1.1.2), and less than 8 is an error.
	MinLength int

	// MaxBytes is the greatest length in bytes; zero means MaxBytes, the
	// package's limit. Less than 256 or more than the limit is an error.
	MaxBytes int

	// Words are the operator's: names of the service, the company, its
	// products. They do not count towards the length of a password.
	Words []string

	// Breached, when set, looks a password up in a list of breached ones. It
	// is asked last. An error refuses the password; a hook that prefers to
	// let people through while its source is down returns false and no error.
	Breached func(ctx context.Context, pw string) (bool, error)
}

// Validate returns an error that names the first field that is out of range.
func (p Policy) Validate() error {
	switch {
	case p.MinLength != 0 && p.MinLength < leastMinLength:
		return fmt.Errorf("password: MinLength: %d is under %d", p.MinLength, leastMinLength)
	case p.MaxBytes != 0 && p.MaxBytes < leastMaxBytes:
		return fmt.Errorf("password: MaxBytes: %d is under %d", p.MaxBytes, leastMaxBytes)
	case p.MaxBytes > MaxBytes:
		return fmt.Errorf("password: MaxBytes: %d is over the limit of %d", p.MaxBytes, MaxBytes)
	case p.minLength() > p.maxBytes():
		return errors.New("password: MinLength: over MaxBytes")
	}
	return nil
}

func (p Policy) minLength() int {
	if p.MinLength == 0 {
		return defaultMinLength
	}
	return p.MinLength
}

func (p Policy) maxBytes() int {
	if p.MaxBytes == 0 {
		return MaxBytes
	}
	return p.MaxBytes
}

// Check returns nil when pw may become a password, and a *[Problem] when it may
// not. Any other error means that nothing was decided: the policy is not valid,
// or Breached failed.
//
// about holds what is known of the person: the name they sign in with, their
// address, their display name. Such a string of three characters and more, its
// parts of four and more, and the same of Words, do not count towards the
// length, in whatever case. So a password is refused for hardly being more than
// a name, not for having one in a long phrase.
//
// pw must be valid UTF-8, because its length is counted in code points. Nothing
// else is asked of its characters, and it is not normalised. The list of common
// passwords and the words are compared in lower case.
func (p Policy) Check(ctx context.Context, pw string, about ...string) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if len(pw) > p.maxBytes() {
		return &Problem{CodeTooLong, fmt.Sprintf("This password is too long: it takes %d bytes, and the most is %d.", len(pw), p.maxBytes())}
	}
	if !utf8.ValidString(pw) {
		return &Problem{CodeNotText, "This password is not valid text (UTF-8)."}
	}
	if n := utf8.RuneCountInString(pw); n < p.minLength() {
		return &Problem{CodeTooShort, fmt.Sprintf("This password is too short: it has %s, and the least is %d.", characters(n), p.minLength())}
	}
	folded := strings.ToLower(pw)
	if unit := repeated(folded); unit != "" && (utf8.RuneCountInString(unit) < leastMinLength || common(unit)) {
		return &Problem{CodeRepeating, "This password repeats a short or common piece over and over, which is easy to guess."}
	}
	if common(folded) {
		return &Problem{CodeCommon, "This password is on the list of the most common passwords."}
	}
	if word := p.contextWord(folded, about); word != "" {
		return &Problem{CodeContext, fmt.Sprintf("This password contains %q, which is easy to guess for you or this service, and is too short without it.", word)}
	}
	if p.Breached == nil {
		return nil
	}
	found, err := p.Breached(ctx, pw)
	switch {
	case err != nil:
		return fmt.Errorf("password: asking the list of breached passwords: %w", err)
	case found:
		return &Problem{CodeBreached, "This password has appeared in a data breach, so attackers will try it."}
	}
	return nil
}

func characters(n int) string {
	if n == 1 {
		return "1 character"
	}
	return fmt.Sprintf("%d characters", n)
}
