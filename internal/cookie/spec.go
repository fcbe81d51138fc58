package cookie

import (
	"fmt"
	"strings"
	"time"
)

// Limits of RFC 6265bis, sections 5.5 and 5.7. Browsers drop cookies and
// attributes beyond the sizes and shorten longer lifetimes.
const (
	MaxPair      = 4096                 // bytes of name plus value
	MaxAttribute = 1024                 // bytes of one attribute value
	MaxAge       = 400 * 24 * time.Hour // longest lifetime
)

// SameSite is the value of the SameSite attribute. The zero value is [Lax], and
// there is no value that leaves the attribute out: browsers differ in what they
// do without it.
type SameSite uint8

// The three values of RFC 6265bis, section 4.1.2.7.
const (
	Lax    SameSite = iota // sent on top-level navigations with a safe method
	Strict                 // never sent on requests another site started
	None                   // always sent; needs Secure
)

// String returns the attribute value as it is written, or "invalid".
func (s SameSite) String() string {
	switch s {
	case Lax:
		return "Lax"
	case Strict:
		return "Strict"
	case None:
		return "None"
	}
	return "invalid"
}

// A Spec describes one cookie: its name and everything but its value. It is a
// plain value, safe to copy and to use from several goroutines.
type Spec struct {
	// Name is an RFC 9110 token. A name with one of the prefixes __Host-,
	// __Secure-, __Http- and __Host-Http- must satisfy what the prefix promises.
	Name string
	// Path defaults to "/", and is always written.
	Path string
	// Domain is empty for a host-only cookie, the default. Setting it shares the
	// cookie with every host below the domain and needs a name that starts with
	// __Secure- or __Http-. Lower case, no leading dot, IDNs in their ASCII form.
	Domain string
	// Secure keeps the cookie off plain HTTP.
	Secure bool
	// HttpOnly keeps the cookie from scripts.
	HttpOnly bool
	// SameSite is always written. The zero value is Lax.
	SameSite SameSite
	// MaxAge is zero for a cookie that ends with the browser session; otherwise
	// at least a second and at most 400 days. Fractions of a second are cut off.
	MaxAge time.Duration
	// Partitioned keys the cookie by top-level site. Only with SameSite None, and
	// never on a device-bound cookie; see BoundAttributes.
	Partitioned bool
}

// A SpecError says which field of a [Spec] is wrong.
type SpecError struct {
	Field  string // name of the field in Spec
	Reason string
}

// Error returns the field and the reason in one line.
func (e *SpecError) Error() string {
	return fmt.Sprintf("cookie: %s: %s", e.Field, e.Reason)
}

func bad(field, format string, args ...any) error {
	return &SpecError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// Validate returns nil when browsers will store the cookie as described, and
// otherwise a [*SpecError] that names the first wrong field.
func (s Spec) Validate() error {
	if err := validateName(s.Name); err != nil {
		return err
	}
	if err := validatePath(s.path()); err != nil {
		return err
	}
	if err := s.validateDomain(); err != nil {
		return err
	}
	if err := s.validatePrefix(); err != nil {
		return err
	}
	switch {
	case s.SameSite > None:
		return bad("SameSite", "not one of Lax, Strict, None")
	case s.SameSite == None && !s.Secure:
		return bad("Secure", "SameSite=None needs it")
	case s.Partitioned && s.SameSite != None:
		return bad("Partitioned", "only with SameSite=None")
	case s.MaxAge < 0:
		return bad("MaxAge", "negative")
	case s.MaxAge > 0 && s.MaxAge < time.Second:
		// It would be written as 0, which deletes the cookie.
		return bad("MaxAge", "less than one second")
	case s.MaxAge > MaxAge:
		return bad("MaxAge", "more than 400 days")
	}
	return nil
}

// path is what goes on the wire: browsers that see no Path derive one from the
// request, which __Host- does not accept and nobody expects.
func (s Spec) path() string {
	if s.Path == "" {
		return "/"
	}
	return s.Path
}

func validateName(name string) error {
	if name == "" {
		return bad("Name", "empty")
	}
	if len(name) >= MaxPair {
		return bad("Name", "longer than a browser keeps")
	}
	for i := range len(name) {
		if !isToken(name[i]) {
			return bad("Name", "byte %#02x at %d is not allowed in an RFC 9110 token", name[i], i)
		}
	}
	if name[0] == '$' {
		// RFC 2965 readers take $Version and the like for attributes.
		return bad("Name", "starts with $, which old parsers take for an attribute")
	}
	return nil
}

func validatePath(path string) error {
	if path[0] != '/' {
		return bad("Path", "does not start with /")
	}
	if len(path) > MaxAttribute {
		return bad("Path", "%d bytes, more than %d", len(path), MaxAttribute)
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || c == ';' {
			return bad("Path", "byte %#02x at %d is not allowed", c, i)
		}
	}
	return nil
}

func (s Spec) validateDomain() error {
	d := s.Domain
	if d == "" {
		return nil
	}
	if len(d) > 253 {
		return bad("Domain", "%d bytes, more than a host name has", len(d))
	}
	labels := strings.Split(d, ".")
	if len(labels) < 2 {
		return bad("Domain", "needs at least two labels")
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return bad("Domain", "not a host name")
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return bad("Domain", "not a host name in lower case ASCII")
			}
		}
	}
	last := labels[len(labels)-1]
	if strings.Trim(last, "0123456789") == "" {
		return bad("Domain", "an IP address cannot be shared with subdomains")
	}
	return nil
}
