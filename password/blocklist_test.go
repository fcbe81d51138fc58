package password

import (
	"strings"
	"testing"
)

// req: LOGIN-10
func TestTheListsHoldThreeThousandForEachLengthRule(t *testing.T) {
	for name, list := range map[string]string{"8 to 14 characters": commonShort, "15 and more": commonLong} {
		if len(list)%digestBytes != 0 {
			t.Fatalf("%s: %d bytes are no whole number of entries", name, len(list))
		}
		n := len(list) / digestBytes
		if n < 3000 {
			t.Errorf("%s: %d entries, want 3000", name, n)
		}
		for i := digestBytes; i < len(list); i += digestBytes {
			if list[i-digestBytes:i] >= list[i:i+digestBytes] {
				t.Fatalf("%s: entry %d is out of order or twice there", name, i/digestBytes)
			}
		}
		for _, i := range []int{0, 1, n / 2, n - 1} {
			if !contains(list, list[i*digestBytes:(i+1)*digestBytes]) {
				t.Errorf("%s: entry %d is not found", name, i)
			}
		}
	}
}

// req: LOGIN-10
func TestListedAndUnlistedSamples(t *testing.T) {
	for _, pw := range []string{
		// Among the very first of their length in the source.
		"password", "12345678", "baseball", "football", "qwertyuiop", "1q2w3e4r5t", "sunshine",
		"123456789qwerty", "1qaz2wsx3edc4rfv", "qazwsxedcrfvtgb", "123456789987654321",
		"passwordpassword", "30secondstomars", "q1w2e3r4t5y6u7i8o9p0",
		// Its last with 15 and more.
		"vjhutyinthy1987",
	} {
		if !common(pw) {
			t.Errorf("%q is not on a list", pw)
		}
	}
	for _, pw := range []string{
		"", "short", "vubakelo", "vubakelomintafor", "correct horse battery staple",
		"passwordpassworD", // looked up in lower case only
	} {
		if common(pw) {
			t.Errorf("%q is on a list", pw)
		}
	}
}

// req: LOGIN-10
func TestPolicyRefusesListedPasswordsUnderEachRule(t *testing.T) {
	for _, pw := range []string{"123456789qwerty", "30SecondsToMars", "qazwsxedcrfvtgb"} {
		if got := code(t, Policy{}, pw); got != CodeCommon {
			t.Errorf("%q alone: code %q, want %q", pw, got, CodeCommon)
		}
	}
	for _, pw := range []string{"password", "Sunshine", "baseball", "30secondstomars"} {
		if got := code(t, Policy{MinLength: 8}, pw); got != CodeCommon {
			t.Errorf("%q beside a second factor: code %q, want %q", pw, got, CodeCommon)
		}
	}
}

func TestRepeated(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"a":                           "",
		"aa":                          "a",
		"abab":                        "ab",
		"ababa":                       "ab",
		"abcabcab":                    "abc",
		"abcab":                       "",
		"abcabd":                      "",
		"жжжж":                        "ж",
		strings.Repeat("abcdefgh", 3): "abcdefgh",
	} {
		if got := repeated(text); got != want {
			t.Errorf("repeated(%q) = %q, want %q", text, got, want)
		}
	}
}
