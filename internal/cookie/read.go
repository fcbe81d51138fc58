package cookie

import (
	"net/http"
	"strings"
)

// Default bounds of [Limits].
const (
	DefaultBytes = 16 << 10
	DefaultPairs = 100
)

// Limits bounds the work of [Read]. A field that is zero or negative has its
// default.
type Limits struct {
	Bytes int // all Cookie fields together; default 16 KiB
	Pairs int // cookies in all fields together; default 100
}

// Status is what [Read] found. Only [One] comes with a value.
type Status uint8

// The outcomes of [Read], the harmless ones first. When several apply, the last
// of this list is reported.
const (
	Absent    Status = iota // no cookie of this name
	One                     // exactly one, well formed
	Ambiguous               // the name is there more than once
	Malformed               // the name, or something a laxer parser takes for it, in a form this package never writes
	TooMany                 // the header exceeds the limits and was not searched to the end
)

// String returns the status as one lower-case word for logs.
func (s Status) String() string {
	switch s {
	case Absent:
		return "absent"
	case One:
		return "one"
	case Ambiguous:
		return "ambiguous"
	case Malformed:
		return "malformed"
	case TooMany:
		return "too_many"
	}
	return "invalid"
}

// Read looks for the cookie called name in the Cookie fields of h and returns
// its value if the status is [One]; in every other case the value is empty and
// the request must be treated as having no such cookie.
//
// All Cookie fields are read as one list. The name is compared octet by octet: a
// cookie whose name differs in case is another cookie (RFC 6265bis 5.4). Quotes,
// blanks, control characters and bytes beyond ASCII next to the name make it
// [Malformed], and so do an empty value, a byte outside the base64url alphabet in
// the value, and the $Version family of RFC 2965 beside the name: a browser sends
// none of these for a cookie written by [Spec.Set], while an attacker on a
// sibling host plants them to slip past prefix rules or to be parsed first.
// Other cookies may look as they like.
//
// Read does not allocate and does not keep h.
func Read(h http.Header, name string, limits Limits) (string, Status) {
	fields := h["Cookie"]
	if len(fields) == 0 || name == "" {
		return "", Absent
	}
	if limits.Bytes <= 0 {
		limits.Bytes = DefaultBytes
	}
	if limits.Pairs <= 0 {
		limits.Pairs = DefaultPairs
	}
	size := 0
	for _, f := range fields {
		size += len(f)
		if size > limits.Bytes {
			return "", TooMany
		}
	}
	var s scan
	for _, rest := range fields {
		for more := true; more; {
			if limits.Pairs--; limits.Pairs < 0 {
				return "", TooMany
			}
			var pair string
			if i := strings.IndexByte(rest, ';'); i >= 0 {
				pair, rest = rest[:i], rest[i+1:]
			} else {
				pair, more = rest, false
			}
			s.pair(pair, name)
		}
	}
	return s.result()
}

// scan collects what the pairs of a header say about one name.
type scan struct {
	value  string
	count  int  // pairs with exactly this name
	broken bool // a look-alike, or ours in a form we never write
	legacy bool // a reserved name of RFC 2965
}

func (s *scan) pair(pair, name string) {
	for len(pair) > 0 && pair[0] == ' ' {
		pair = pair[1:]
	}
	if pair == "" {
		return
	}
	if !isToken(pair[0]) {
		// A blank, quote, equals sign or foreign byte in front of the name:
		// trimming, unquoting or normalising would turn it into ours.
		for len(pair) > 0 && !isToken(pair[0]) {
			pair = pair[1:]
		}
		if len(pair) >= len(name) && pair[:len(name)] == name && (len(pair) == len(name) || !isToken(pair[len(name)])) {
			s.broken = true
		}
		return
	}
	if len(pair) < len(name) || pair[:len(name)] != name {
		if pair[0] == '$' && reserved(pair) {
			s.legacy = true
		}
		return
	}
	rest := pair[len(name):]
	switch {
	case rest == "":
		s.broken = true // a nameless cookie whose value is our name
	case rest[0] == '=':
		s.count++
		s.value = rest[1:]
		if !wellFormed(s.value) {
			s.broken = true
		}
	case !isToken(rest[0]):
		s.broken = true // a blank or foreign byte behind the name
	}
}

func (s *scan) result() (string, Status) {
	switch {
	case s.broken, s.legacy && s.count > 0:
		return "", Malformed
	case s.count > 1:
		return "", Ambiguous
	case s.count == 1:
		return s.value, One
	}
	return "", Absent
}

// reserved reports whether a pair is one of the attributes that RFC 2965 puts
// into the Cookie header itself.
func reserved(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	name = strings.TrimRight(name, " \t")
	return strings.EqualFold(name, "$Version") || strings.EqualFold(name, "$Path") ||
		strings.EqualFold(name, "$Domain") || strings.EqualFold(name, "$Port")
}
