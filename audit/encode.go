package audit

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const ellipsis = "…"

// cut shortens s to at most limit bytes at a character boundary and shows that
// it did.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// appendEvent appends the members of a completed event, without braces.
func appendEvent(b []byte, e Event) []byte {
	b = append(b, `"time":"`...)
	b = e.Time.UTC().AppendFormat(b, TimeLayout)
	b = append(b, `","event":"`...)
	b = append(b, e.Name...)
	b = append(b, `","outcome":"`...)
	b = append(b, e.Outcome...)
	b = append(b, `","severity":"`...)
	b = append(b, e.Severity...)
	b = append(b, '"')
	b = appendMember(b, "actor", e.Actor, maxName)
	b = appendMember(b, "subject", e.Subject, maxName)
	b = appendMember(b, "sid", e.SID, maxSID)
	b = appendMember(b, "source", e.Source, maxSource)
	b = appendMember(b, "request_id", e.RequestID, maxRequest)
	b = append(b, `,"methods":[`...)
	for i, m := range e.Methods[:min(len(e.Methods), maxMethods)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, cut(m, maxMethod))
	}
	b = append(b, ']')
	b = appendMember(b, "reason", e.Reason, maxReason)
	b = append(b, `,"attrs":{`...)
	for i, a := range attrs(e.Attrs) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, a.key)
		b = append(b, ':')
		b = appendString(b, a.value)
	}
	return append(b, '}')
}

func appendMember(b []byte, name, value string, limit int) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return appendString(b, cut(value, limit))
}

type attr struct{ key, value string }

// attrs returns the attributes in the order they are written: sorted, cut, and
// with a count in place of those beyond the limit.
func attrs(m map[string]string) []attr {
	if len(m) == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(m))
	kept := keys
	if len(keys) > maxAttrs {
		kept = keys[:maxAttrs-1]
	}
	list := make([]attr, 0, maxAttrs)
	for _, k := range kept {
		short := cut(strings.ToValidUTF8(k, "\uFFFD"), maxKey)
		// Two names may become the same text; one object must not have a member
		// twice, since readers differ in which they take.
		if slices.ContainsFunc(list, func(a attr) bool { return a.key == short }) {
			continue
		}
		list = append(list, attr{short, cut(m[k], maxValue)})
	}
	if dropped := len(keys) - len(list); dropped > 0 {
		list = slices.DeleteFunc(list, func(a attr) bool { return a.key == droppedKey })
		list = append(list, attr{droppedKey, strconv.Itoa(dropped)})
	}
	return list
}

// droppedKey stands for the attributes that did not fit.
const droppedKey = "~dropped"

// appendString appends s as a JSON string (RFC 8259, section 7). What is not
// printable is escaped, not only what JSON demands: line and paragraph
// separators, control characters of terminals, and marks that reorder text on a
// screen. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			b = appendEscape(appendEscape(b, hi), lo)
		default:
			b = appendEscape(b, r)
		}
	}
	return append(b, '"')
}

func appendEscape(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
