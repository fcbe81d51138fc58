package jose

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// Value is a JSON value that [ParseObject] has checked. Its readers answer
// false when the value is of another type; they never convert.
type Value struct {
	text string
}

// Raw returns the text of the value as it stood in the object.
func (v Value) Raw() string { return v.text }

// Str returns a string value with its escapes resolved.
func (v Value) Str() (string, bool) {
	if len(v.text) < 2 || v.text[0] != '"' {
		return "", false
	}
	inner := v.text[1 : len(v.text)-1]
	for i := range len(inner) {
		if inner[i] == '\\' {
			return unescape(inner), true
		}
	}
	return inner, true
}

// Strings returns an array of strings; an empty array is an empty, non-nil slice.
func (v Value) Strings() ([]string, bool) {
	var buf [8]Value
	items, ok := v.appendItems(buf[:0])
	if !ok {
		return nil, false
	}
	out := make([]string, len(items))
	for i, item := range items {
		if out[i], ok = item.Str(); !ok {
			return nil, false
		}
	}
	return out, true
}

// Items returns the elements of an array.
func (v Value) Items() ([]Value, bool) {
	return v.appendItems([]Value{})
}

func (v Value) appendItems(items []Value) ([]Value, bool) {
	if v.text == "" || v.text[0] != '[' {
		return nil, false
	}
	s := scanner{text: v.text, limits: anyLimits, pos: 1}
	for s.space(); s.peek() != ']'; s.space() {
		start := s.pos
		if s.value() != nil {
			return nil, false
		}
		items = append(items, Value{s.text[start:s.pos]})
		if s.space(); s.peek() == ',' {
			s.pos++
		}
	}
	return items, true
}

// Members returns the members of an object.
func (v Value) Members() ([]Member, bool) {
	if v.text == "" || v.text[0] != '{' {
		return nil, false
	}
	members, err := ParseObject(nil, v.text, anyLimits)
	return members, err == nil
}

// anyLimits is for values that have passed the caller's limits before.
var anyLimits = Limits{Bytes: math.MaxInt, Depth: math.MaxInt, Members: math.MaxInt}

// Uint returns a number written as plain digits that fits in bits bits.
func (v Value) Uint(bits int) (uint64, bool) {
	n, err := strconv.ParseUint(v.text, 10, bits)
	return n, err == nil
}

// maxDate is the last second of the year 9999. Anything later is a mistake or
// an attempt to overflow somebody's arithmetic.
const maxDate = 253402300799

// Date returns a NumericDate (RFC 7519 section 2) in UTC. Negative, huge and
// non-numeric values are refused. A fraction is allowed and kept to the
// precision of a float64 for dates near today, which is below a microsecond.
func (v Value) Date() (time.Time, bool) {
	if n, ok := v.Uint(63); ok {
		return time.Unix(int64(n), 0).UTC(), n <= maxDate
	}
	if v.text == "" || v.text[0] < '0' || v.text[0] > '9' {
		return time.Time{}, false
	}
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil || f > maxDate {
		return time.Time{}, false
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), true
}

// Any returns the value as string, bool, nil, json.Number, []any or
// map[string]any. Numbers stay exact.
func (v Value) Any() any {
	if v.text == "" {
		return nil
	}
	switch v.text[0] {
	case '"':
		s, _ := v.Str()
		return s
	case 't', 'f':
		return v.text == "true"
	case 'n':
		return nil
	case '[':
		items, _ := v.Items()
		out := make([]any, len(items))
		for i, item := range items {
			out[i] = item.Any()
		}
		return out
	case '{':
		members, _ := v.Members()
		out := make(map[string]any, len(members))
		for _, m := range members {
			out[m.Name] = m.Value.Any()
		}
		return out
	default:
		return json.Number(v.text)
	}
}
