package jose

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// req: JWT-18
func TestParseObjectRefuses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9)
	many := "{"
	for i := range 300 {
		many += `"` + strings.Repeat("n", i+1) + `":0,`
	}
	many = strings.TrimSuffix(many, ",") + "}"
	for _, test := range []struct{ name, text string }{
		{"nothing", ""},
		{"white space alone", " \n"},
		{"an array", `[]`},
		{"a string", `"a"`},
		{"a number", `1`},
		{"null", `null`},
		{"two objects", `{}{}`},
		{"text behind the object", `{} x`},
		{"a NUL byte behind the object", "{}\x00"},
		{"a byte order mark", "\ufeff{}"},
		{"a name that occurs twice", `{"a":1,"a":1}`},
		{"a name that occurs twice, once escaped", `{"alg":1,"\u0061lg":2}`},
		{"an empty name that occurs twice", `{"":1,"":2}`},
		{"a name that occurs twice further in", `{"a":{"b":1,"b":2}}`},
		{"a name that occurs twice in an array element", `{"a":[1,{"b":1,"b":2}]}`},
		{"a name that occurs twice with an object in between", `{"a":1,"o":{"a":2},"a":3}`},
		{"invalid UTF-8 in a value", "{\"a\":\"\xff\"}"},
		{"invalid UTF-8 in a name", "{\"\xc0\xaf\":1}"},
		{"an encoded surrogate", "{\"a\":\"\xed\xa0\x80\"}"},
		{"a lone high surrogate escape", `{"a":"\ud800"}`},
		{"a lone low surrogate escape", `{"a":"\udc00"}`},
		{"two high surrogate escapes", `{"a":"\ud800\ud800"}`},
		{"a high surrogate before text", `{"a":"\ud800abcdef"}`},
		{"a line break in a string", "{\"a\":\"\n\"}"},
		{"a NUL byte in a string", "{\"a\":\"\x00\"}"},
		{"an unknown escape", `{"a":"\x41"}`},
		{"an escape cut short", `{"a":"\u12"}`},
		{"a string without end", `{"a":"b`},
		{"a backslash at the end", `{"a":"\`},
		{"a comma at the end", `{"a":1,}`},
		{"a comma alone", `{,}`},
		{"a comma at the end of an array", `{"a":[1,]}`},
		{"no comma", `{"a":1 "b":2}`},
		{"no colon", `{"a" 1}`},
		{"no value", `{"a":}`},
		{"a name without quotes", `{a:1}`},
		{"single quotes", `{'a':1}`},
		{"a comment", `{/**/"a":1}`},
		{"a leading zero", `{"a":01}`},
		{"a plus sign", `{"a":+1}`},
		{"a point without digits", `{"a":1.}`},
		{"a point without a number", `{"a":.5}`},
		{"an exponent without digits", `{"a":1e}`},
		{"a minus alone", `{"a":-}`},
		{"hexadecimal", `{"a":0x10}`},
		{"NaN", `{"a":NaN}`},
		{"Infinity", `{"a":Infinity}`},
		{"a literal in capitals", `{"a":True}`},
		{"a literal cut short", `{"a":tru`},
		{"an unclosed object", `{"a":1`},
		{"an unclosed array", `{"a":[1`},
		{"a space that is not JSON's", "{\u00a0}"},
		{"too deep", deep},
		{"too many members", many},
		{"too long", `{"a":"` + strings.Repeat("x", 64<<10) + `"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if m, err := ParseObject(nil, test.text, Limits{}); !errors.Is(err, ErrJSON) {
				t.Errorf("got %v, %v", m, err)
			}
		})
	}
}

// req: JWT-18
func TestParseObjectReads(t *testing.T) {
	const text = "\t{ \"s\" : \"\\u00e4\\ud83d\\ude00\\n\\/\", \"S\":true,\"n\":12345678901234567890, \r\n" +
		`"f":-1.5e-3,"l":["a",{"s":null}],"o":{"s":{"s":false}},"z":null,"":[ ],"e":{ } }` + " \n"
	members, err := ParseObject(nil, text, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, m := range members {
		got[m.Name] = m.Value.Any()
	}
	want := map[string]any{
		"s": "ä😀\n/", "S": true, "n": json.Number("12345678901234567890"), "f": json.Number("-1.5e-3"),
		"l": []any{"a", map[string]any{"s": nil}}, "o": map[string]any{"s": map[string]any{"s": false}},
		"z": nil, "": []any{}, "e": map[string]any{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

// req: JWT-23, JWT-24
func TestValueReadersDoNotConvert(t *testing.T) {
	for _, test := range []struct {
		text               string
		str, strs, num, at bool
	}{
		{`"1"`, true, false, false, false},
		{`["a","b"]`, false, true, false, false},
		{`[]`, false, true, false, false},
		{`["a",1]`, false, false, false, false},
		{`[["a"]]`, false, false, false, false},
		{`1`, false, false, true, true},
		{`0`, false, false, true, true},
		{`-1`, false, false, false, false},
		{`-0`, false, false, false, false},
		{`1.5`, false, false, false, true},
		{`1e9`, false, false, false, true},
		{`253402300799`, false, false, false, true},
		{`253402300800`, false, false, false, false},
		{`1e300`, false, false, false, false},
		{`1e999`, false, false, false, false},
		{`4294967295`, false, false, true, true},
		{`4294967296`, false, false, false, true},
		{`18446744073709551616`, false, false, false, false},
		{`true`, false, false, false, false},
		{`null`, false, false, false, false},
		{`{}`, false, false, false, false},
	} {
		members, err := ParseObject(nil, `{"v":`+test.text+`}`, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		v := members[0].Value
		_, str := v.Str()
		_, strs := v.Strings()
		_, num := v.Uint(32)
		_, at := v.Date()
		if str != test.str || strs != test.strs || num != test.num || at != test.at {
			t.Errorf("%s: string %v, strings %v, number %v, date %v", test.text, str, strs, num, at)
		}
	}
	var none Value
	if _, ok := none.Str(); ok || none.Any() != nil {
		t.Error("the zero Value has a value")
	}
}

func TestDateKeepsFractions(t *testing.T) {
	members, err := ParseObject(nil, `{"v":1790000000.25}`, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, ok := members[0].Value.Date()
	if want := time.Unix(1790000000, 250e6).UTC(); !ok || !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAppendStringIsReadBack(t *testing.T) {
	for _, s := range []string{"", "plain", "q\"b\\s/", "\x00\x1f\n\t", "ä😀\u2028", "</script>"} {
		b := AppendString(nil, s)
		var std string
		if err := json.Unmarshal(b, &std); err != nil || std != s {
			t.Errorf("encoding/json reads %q as %q, %v", b, std, err)
		}
		m, err := ParseObject(nil, `{"v":`+string(b)+`}`, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := m[0].Value.Str(); got != s {
			t.Errorf("%q is read back as %q", s, got)
		}
	}
}

// FuzzParseObject holds the strict reader against encoding/json: what it accepts
// the other one accepts with the same values; what it refuses the other one
// refuses too, or it is one of the known leniences.
func FuzzParseObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1,"b":[true,false,null],"c":{"d":"e"}}`, `{"a":1,"a":2}`, `{"\u0061":1,"a":2}`,
		`{"s":"\ud83d\ude00\b\f"}`, `{"n":-0.5E+10}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `[]`, ` { } `,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		members, err := ParseObject(nil, text, Limits{})
		var std map[string]any
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.UseNumber()
		stdErr := d.Decode(&std)
		if stdErr == nil && d.More() {
			stdErr = errors.New("more data")
		}
		if err != nil {
			if stdErr == nil && std != nil && json.Valid([]byte(text)) && !lenience(text, std) {
				t.Fatalf("%q was refused: %v", text, err)
			}
			return
		}
		if stdErr != nil {
			t.Fatalf("%q was accepted, encoding/json says %v", text, stdErr)
		}
		got := make(map[string]any, len(members))
		for _, m := range members {
			if _, twice := got[m.Name]; twice {
				t.Fatalf("%q has %q twice", text, m.Name)
			}
			got[m.Name] = m.Value.Any()
		}
		if !reflect.DeepEqual(got, std) {
			t.Fatalf("%q: got %#v, encoding/json %#v", text, got, std)
		}
	})
}

// lenience reports whether encoding/json accepts text for a reason that is known
// and refused here: not UTF-8, a lone surrogate, a repeated name, the limits.
func lenience(text string, std map[string]any) bool {
	if !utf8.ValidString(text) || len(text) > 64<<10 {
		return true
	}
	if strings.Contains(strings.ToLower(text), `\ud`) {
		return true
	}
	names, depth := measure(text)
	unique := countNames(std)
	return names != unique || depth > 8 || names > 256
}

// measure counts names and depth of valid JSON with the standard tokeniser.
func measure(text string) (names, deepest int) {
	d := json.NewDecoder(strings.NewReader(text))
	var object []bool
	key := false
	for {
		tok, err := d.Token()
		if err != nil {
			return names, deepest
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			object = append(object, tok == json.Delim('{'))
			deepest = max(deepest, len(object))
			key = true
			continue
		case json.Delim('}'), json.Delim(']'):
			object = object[:len(object)-1]
			key = true
			continue
		}
		if len(object) > 0 && object[len(object)-1] {
			if key {
				names++
			}
			key = !key
		}
	}
}

func countNames(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, e := range v {
			n += countNames(e)
		}
	case []any:
		for _, e := range v {
			n += countNames(e)
		}
	}
	return n
}
