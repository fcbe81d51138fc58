package revocation

import (
	"strings"
	"testing"
)

// plainSID is the slow and plain way to read a SID. The decoder skips line breaks
// and ignores the bits behind the last byte, so the way back decides.
func plainSID(text string) (SID, bool) {
	b, err := sidEncoding.DecodeString(text)
	if err != nil || len(text) != sidTextLen || len(b) != len(SID{}) || sidEncoding.EncodeToString(b) != text {
		return SID{}, false
	}
	return SID(b), true
}

func TestSIDsAreReadAsThePlainDecoderReadsThem(t *testing.T) {
	texts := []string{
		"", "0199f0a2b3c4d5e6f708192a30", "0199f0a2b3c4d5e6f708192a3", "0199f0a2b3c4d5e6f708192a300", strings.Repeat("0", 26), strings.Repeat("v", 25) + "s",
		strings.Repeat("v", 26), "é" + strings.Repeat("0", 23) + "4",
	}
	good := []byte("0199f0a2b3c4d5e6f708192a30")
	for at := range good {
		for c := range 256 {
			changed := append([]byte(nil), good...)
			changed[at] = byte(c)
			texts = append(texts, string(changed))
		}
	}
	accepted := 0
	for _, text := range texts {
		want, ok := plainSID(text)
		got, err := ParseSID(text)
		if ok != (err == nil) || got != want {
			t.Fatalf("%q: %v, %v, want %v, %t", text, got, err, want, ok)
		}
		if ok {
			accepted++
		}
	}
	if accepted < 25*31 {
		t.Errorf("only %d were accepted", accepted)
	}
}

func FuzzSID(f *testing.F) {
	f.Add("0199f0a2b3c4d5e6f708192a30")
	f.Fuzz(func(t *testing.T, text string) {
		want, ok := plainSID(text)
		if got, err := ParseSID(text); ok != (err == nil) || got != want {
			t.Errorf("%q: %v, %v, want %v, %t", text, got, err, want, ok)
		}
	})
}
