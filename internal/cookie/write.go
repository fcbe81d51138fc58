package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrValue is returned for a value that is empty or has a byte outside the
	// base64url alphabet. The message never holds the value.
	ErrValue = errors.New("cookie: value is not base64url text")
	// ErrTooLarge is returned when name and value exceed [MaxPair] bytes together.
	ErrTooLarge = errors.New("cookie: name and value exceed 4096 bytes")
)

// Set writes the cookie with the given value to h, in place of every earlier
// Set-Cookie of the same name. The value must be non-empty text in the base64url
// alphabet without padding. On an error, a [*SpecError], [ErrValue] or
// [ErrTooLarge], h is unchanged.
func (s Spec) Set(h http.Header, value string) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if len(s.Name)+len(value) > MaxPair {
		return fmt.Errorf("setting %s: %w", s.Name, ErrTooLarge)
	}
	if !wellFormed(value) {
		return fmt.Errorf("setting %s: %w", s.Name, ErrValue)
	}
	s.replace(h, s.line(value, s.MaxAge > 0, s.MaxAge))
	return nil
}

// Delete tells the browser to forget the cookie: the same name and attributes
// with an empty value and Max-Age=0, since a browser ignores a deletion that
// breaks the rules of the prefix or names another path or domain. It replaces an
// earlier Set-Cookie of the same name in h. On an error h is unchanged.
func (s Spec) Delete(h http.Header) error {
	if err := s.Validate(); err != nil {
		return err
	}
	s.replace(h, s.line("", true, 0))
	return nil
}

// BoundAttributes returns the attributes, without Max-Age, in the form a
// device-bound session's instructions repeat them. A browser compares that text
// with the cookie it stored and refreshes on every request when the two differ,
// so both have to come from one Spec. Partitioned is refused.
func (s Spec) BoundAttributes() (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	if s.Partitioned {
		return "", bad("Partitioned", "a device-bound cookie cannot have it")
	}
	var b strings.Builder
	s.attributes(&b, false, 0)
	return strings.TrimPrefix(b.String(), "; "), nil
}

func (s Spec) line(value string, withAge bool, age time.Duration) string {
	var b strings.Builder
	b.Grow(len(s.Name) + len(value) + len(s.Path) + len(s.Domain) + 96)
	b.WriteString(s.Name)
	b.WriteByte('=')
	b.WriteString(value)
	s.attributes(&b, withAge, age)
	return b.String()
}

func (s Spec) attributes(b *strings.Builder, withAge bool, age time.Duration) {
	b.WriteString("; Path=")
	b.WriteString(s.path())
	if s.Domain != "" {
		b.WriteString("; Domain=")
		b.WriteString(s.Domain)
	}
	if withAge {
		b.WriteString("; Max-Age=")
		b.WriteString(strconv.FormatInt(int64(age/time.Second), 10))
	}
	if s.Secure {
		b.WriteString("; Secure")
	}
	if s.HttpOnly {
		b.WriteString("; HttpOnly")
	}
	b.WriteString("; SameSite=")
	b.WriteString(s.SameSite.String())
	if s.Partitioned {
		b.WriteString("; Partitioned")
	}
}

// replace puts line where the first cookie of this name stood and drops the
// others, so that a response never names a cookie twice (RFC 6265bis 4.1.1).
// Deletions in another scope, which [Spec.Sweep] writes, are of other cookies.
func (s Spec) replace(h http.Header, line string) {
	old := h["Set-Cookie"]
	kept := make([]string, 0, len(old)+1)
	placed := false
	for _, l := range old {
		if !named(l, s.Name) || s.deletesElsewhere(l) {
			kept = append(kept, l)
		} else if !placed {
			kept = append(kept, line)
			placed = true
		}
	}
	if !placed {
		kept = append(kept, line)
	}
	h["Set-Cookie"] = kept
}

// deletesElsewhere reports whether a line of this name deletes the cookie of
// another Domain, Path or partition.
func (s Spec) deletesElsewhere(line string) bool {
	var domain, path, age string
	partitioned := false
	_, attributes, _ := strings.Cut(line, ";")
	for a := range strings.SplitSeq(attributes, ";") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(a), "="); name {
		case "Domain":
			domain = value
		case "Path":
			path = value
		case "Max-Age":
			age = value
		case "Partitioned":
			partitioned = true
		}
	}
	return age == "0" && (domain != s.Domain || path != s.path() || partitioned != s.Partitioned)
}

// named reports whether a Set-Cookie line is for the cookie called name. Blanks
// around the name are cut because a browser cuts them too.
func named(line, name string) bool {
	pair, _, _ := strings.Cut(line, ";")
	n, _, ok := strings.Cut(pair, "=")
	return ok && strings.Trim(n, " \t") == name
}
