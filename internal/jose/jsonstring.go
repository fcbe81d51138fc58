package jose

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads a string with its quotes and reports whether it has escapes.
func (s *scanner) str() (escaped bool, err error) {
	for s.pos++; s.pos < len(s.text); {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return escaped, nil
		case c == '\\':
			escaped = true
			n, ok := escape(s.text[s.pos:])
			if !ok {
				return false, s.fail("bad escape")
			}
			s.pos += n
		case c < 0x20:
			return false, s.fail("control character in a string")
		default:
			s.pos++
		}
	}
	return false, s.fail("string without end")
}

// escape returns the length of the escape sequence at the start of text. An
// escaped surrogate without its partner is none: readers disagree on what it
// stands for (RFC 8259 section 8.2).
func escape(text string) (n int, ok bool) {
	if len(text) < 2 {
		return 0, false
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, true
	case 'u':
	default:
		return 0, false
	}
	r, ok := hex4(text[2:])
	if !ok || !utf16.IsSurrogate(r) {
		return 6, ok
	}
	if !strings.HasPrefix(text[6:], `\u`) {
		return 0, false
	}
	low, ok := hex4(text[8:])
	return 12, ok && utf16.DecodeRune(r, low) != utf8.RuneError
}

func hex4(text string) (r rune, ok bool) {
	if len(text) < 4 {
		return 0, false
	}
	for _, c := range []byte(text[:4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape resolves the escapes of a string that str has accepted.
func unescape(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for {
		plain, rest, found := strings.Cut(text, `\`)
		b.WriteString(plain)
		if !found {
			return b.String()
		}
		n := 1
		switch c := rest[0]; c {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, _ := hex4(rest[1:])
			n = 5
			if utf16.IsSurrogate(r) {
				low, _ := hex4(rest[7:])
				r = utf16.DecodeRune(r, low)
				n = 11
			}
			b.WriteRune(r)
		default: // quote, backslash, slash
			b.WriteByte(c)
		}
		text = rest[n:]
	}
}

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as in encoding/json.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
