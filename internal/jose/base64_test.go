package jose

import (
	"errors"
	"testing"
)

// req: JWT-17
func TestDecodeBase64TakesOneSpelling(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
		ok               bool
	}{
		{"nothing", "", "", true},
		{"one byte", "YQ", "a", true},
		{"two bytes", "YWI", "ab", true},
		{"three bytes", "YWJj", "abc", true},
		{"the characters of the URL alphabet", "-_-_", "\xfb\xff\xbf", true},
		{"stray bits in the last character", "YR", "", false},
		{"stray bits in the third character", "YWJ", "", false},
		{"padding", "YQ==", "", false},
		{"one character left over", "YWJjZ", "", false},
		{"the other alphabet", "+/+/", "", false},
		{"a line feed", "YW\nJj", "", false},
		{"a line feed at the end", "YWJj\n", "", false},
		{"a carriage return", "YW\rJj", "", false},
		{"a space", "YWJj ", "", false},
		{"a question mark", "YWJ?", "", false},
		{"a byte above ASCII", "YWJ\xe9", "", false},
		{"a NUL byte", "YWJ\x00", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := DecodeBase64(nil, test.text)
			if test.ok && (err != nil || string(got) != test.want) {
				t.Errorf("got %q, %v", got, err)
			}
			if !test.ok && !errors.Is(err, ErrBase64) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// FuzzDecodeBase64 checks that what decodes has no other spelling.
func FuzzDecodeBase64(f *testing.F) {
	f.Add("YWJj")
	f.Add("YQ")
	f.Add("Y\nQ")
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := DecodeBase64(nil, text); err == nil && EncodeBase64(b) != text {
			t.Fatalf("%q decodes to the bytes of %q", text, EncodeBase64(b))
		}
	})
}
