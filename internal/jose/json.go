package jose

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits bounds what [ParseObject] reads. A zero field means the limit named in
// its comment.
type Limits struct {
	Bytes   int // length of the text, zero means 64 KiB
	Depth   int // nesting of objects and arrays, zero means 8
	Members int // members of all objects together, zero means 256
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 64 << 10
	}
	if l.Depth <= 0 {
		l.Depth = 8
	}
	if l.Members <= 0 {
		l.Members = 256
	}
	return l
}

// Member is one name and value of an object, in the order of the text.
type Member struct {
	Name  string
	Value Value
}

// ParseObject reads text as exactly one JSON object (RFC 8259) and returns its
// members. Stricter than most readers, it refuses invalid UTF-8, unpaired
// surrogate escapes, a name that occurs twice in one object at any depth
// (escapes resolved, letter case significant), anything behind the object, and
// whatever exceeds the limits. Numbers keep their text.
//
// Members are appended to dst, so a caller can bring a buffer.
func ParseObject(dst []Member, text string, limits Limits) ([]Member, error) {
	limits = limits.withDefaults()
	if len(text) > limits.Bytes {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrJSON, limits.Bytes)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrJSON)
	}
	s := scanner{text: text, limits: limits}
	s.space()
	if s.peek() != '{' {
		return nil, s.fail("an object was expected")
	}
	dst, err := s.object(dst, true)
	if err != nil {
		return nil, err
	}
	s.space()
	if s.pos != len(text) {
		return nil, s.fail("data behind the object")
	}
	return dst, nil
}

// Folds reports whether name is one of known in all but letter case. Readers that
// match names without regard to case (encoding/json is one) would take such a
// name for the known one, so where a name has a meaning its variants are refused.
func Folds(name string, known []string) bool {
	for _, k := range known {
		if name != k && strings.EqualFold(name, k) {
			return true
		}
	}
	return false
}

// scanner walks a text once. The text is valid UTF-8, so only ASCII matters.
type scanner struct {
	text   string
	pos    int
	depth  int
	count  int
	limits Limits
	// names is a stack of the member names of all inner objects being read. Those
	// of the outermost are in its members, so most tokens need no stack.
	names []string
}

func (s *scanner) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrJSON, what, s.pos)
}

// peek returns the next byte, or 0 at the end; a NUL byte is never valid JSON.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > s.limits.Depth {
		return s.fail("nested too deeply")
	}
	s.pos++
	s.space()
	return nil
}

// object reads an object; its members go to dst when keep is true.
func (s *scanner) object(dst []Member, keep bool) ([]Member, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	base, first := len(s.names), len(dst)
	var seen uint64 // a bit for each name read; only names that share one are compared
	if s.peek() == '}' {
		return dst, s.leave(base)
	}
	for {
		start := s.pos
		name, err := s.name()
		if err != nil {
			return nil, err
		}
		bit := nameBit(name)
		if seen&bit != 0 && (slices.Contains(s.names[base:], name) || hasName(dst[first:], name)) {
			s.pos = start
			return nil, s.fail("a member name occurs twice")
		}
		seen |= bit
		start = s.pos
		if err := s.value(); err != nil {
			return nil, err
		}
		if keep {
			dst = append(dst, Member{name, Value{s.text[start:s.pos]}})
		} else {
			s.names = append(s.names, name)
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case '}':
			return dst, s.leave(base)
		default:
			return nil, s.fail("a comma or the end of the object was expected")
		}
	}
}

func nameBit(name string) uint64 {
	if name == "" {
		return 1
	}
	return 1 << ((len(name) + 7*int(name[0]) + 31*int(name[len(name)-1])) & 63)
}

func hasName(members []Member, name string) bool {
	for i := range members {
		if members[i].Name == name {
			return true
		}
	}
	return false
}

func (s *scanner) leave(base int) error {
	s.pos++
	s.depth--
	s.names = s.names[:base]
	return nil
}

// name reads a member name, the colon behind it and the space around that.
func (s *scanner) name() (string, error) {
	if s.peek() != '"' {
		return "", s.fail("a member name was expected")
	}
	if s.count++; s.count > s.limits.Members {
		return "", s.fail("too many members")
	}
	start := s.pos
	escaped, err := s.str()
	if err != nil {
		return "", err
	}
	name := s.text[start+1 : s.pos-1]
	if escaped {
		name = unescape(name)
	}
	s.space()
	if s.peek() != ':' {
		return "", s.fail("a colon was expected")
	}
	s.pos++
	s.space()
	return name, nil
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.pos++
		s.depth--
		return nil
	}
	for {
		if err := s.value(); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case ']':
			s.pos++
			s.depth--
			return nil
		default:
			return s.fail("a comma or the end of the array was expected")
		}
	}
}

func (s *scanner) value() error {
	switch c := s.peek(); c {
	case '"':
		_, err := s.str()
		return err
	case '{':
		_, err := s.object(nil, false)
		return err
	case '[':
		return s.array()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(word string) error {
	if !strings.HasPrefix(s.text[s.pos:], word) {
		return s.fail("a value was expected")
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	switch c := s.peek(); {
	case c == '0':
		s.pos++
	case '1' <= c && c <= '9':
		s.digits()
	default:
		return s.fail("a value was expected")
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return s.fail("a digit was expected")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.fail("a digit was expected")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.pos
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start
}
