package csrf

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

var (
	keyA = bytes.Repeat([]byte{0xa1}, MinKey)
	keyB = bytes.Repeat([]byte{0xb2}, MinKey)
)

func tokens(t testing.TB, key []byte) *Tokens {
	t.Helper()
	tok, err := NewTokens(key)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// req: CSRF-6
// attack: C4, C5
func TestATokenBelongsToOneBindingAndKey(t *testing.T) {
	binding := Binding{SID: [16]byte{1}, Generation: 7, Digest: [32]byte{2}}
	text, err := tokens(t, keyA).Mint(binding)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		key  []byte
		b    Binding
		want bool
	}{
		{"its own", keyA, binding, true},
		{"another session", keyA, Binding{SID: [16]byte{9}, Generation: 7, Digest: [32]byte{2}}, false},
		{"the next generation", keyA, Binding{SID: [16]byte{1}, Generation: 8, Digest: [32]byte{2}}, false},
		{"another credential", keyA, Binding{SID: [16]byte{1}, Generation: 7, Digest: [32]byte{3}}, false},
		{"another key", keyB, binding, false},
		{"no session at all", keyA, Binding{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tokens(t, tt.key).Verify(tt.b, text); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestOnlyTheExactTextVerifies(t *testing.T) {
	tok, b := tokens(t, keyA), Binding{Generation: 1}
	text, err := tok.Mint(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(text) {
		changed := []byte(text)
		changed[i] = 'A'
		if text[i] == 'A' {
			changed[i] = 'B'
		}
		if tok.Verify(b, string(changed)) {
			t.Errorf("verifies with byte %d changed", i)
		}
	}
	for _, bad := range []string{"", "A", text[:63], text + "A", text + "=", " " + text, text[:32] + "\n" + text[33:], text[:62] + "\r\n", strings.ToUpper(text), strings.Repeat("A", 64), strings.Repeat("!", 64)} {
		if tok.Verify(b, bad) {
			t.Errorf("%q verifies", bad)
		}
	}
}

// req: CSRF-7
func TestTwoRenderingsHaveNothingInCommon(t *testing.T) {
	tok, b := tokens(t, keyA), Binding{SID: [16]byte{1}}
	seen := map[string]bool{}
	for range 100 {
		text, err := tok.Mint(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) != 64 || !tok.Verify(b, text) {
			t.Fatalf("%q does not verify", text)
		}
		// Eight equal characters in a row are a chance of 1 in 2^48 per place.
		for i := 0; i+8 <= len(text); i++ {
			part := text[i : i+8]
			if seen[part] {
				t.Fatalf("%q occurs in two renderings", part)
			}
			seen[part] = true
		}
	}
}

func TestAShortKeyIsRefused(t *testing.T) {
	for _, n := range []int{0, 16, MinKey - 1} {
		if _, err := NewTokens(make([]byte, n)); err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	key := bytes.Clone(keyA)
	tok := tokens(t, key)
	text, err := tok.Mint(Binding{})
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	if !tok.Verify(Binding{}, text) {
		t.Error("the caller's slice was kept instead of a copy")
	}
}

func TestTheKeyIsNeverPrinted(t *testing.T) {
	tok := tokens(t, []byte("key-material-that-must-not-leak-1234"))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "tokens", tok)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "tokens", tok)
	doc, err := json.Marshal(map[string]any{"tokens": tok})
	if err != nil {
		t.Fatal(err)
	}
	out := log.String() + string(doc) + fmt.Sprintf("%v %+v %#v %s %x %d", tok, tok, tok, tok, tok, tok) + tok.String() + tok.GoString()
	for _, leak := range []string{"key-material", "6b65792d", "107 101 121"} {
		if strings.Contains(out, leak) {
			t.Errorf("%q in %s", leak, out)
		}
	}
}

func FuzzVerify(f *testing.F) {
	// A key of its own for every process: a seed another one stored proves
	// nothing here.
	key := make([]byte, MinKey)
	if _, err := rand.Read(key); err != nil {
		f.Fatal(err)
	}
	tok, b := tokens(f, key), Binding{Generation: 3}
	good, err := tok.Mint(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.Repeat("A", 64), 0)
	f.Add("", 64)
	f.Add(strings.Repeat("\n", 64), 10)
	f.Fuzz(func(t *testing.T, text string, keep int) {
		// Texts of a stranger, alone and grafted onto the start of a good one.
		grafted := good[:min(max(keep, 0), len(good))] + text
		for _, forged := range []string{text, grafted} {
			if forged != good && tok.Verify(b, forged) {
				t.Fatalf("forged: %q", forged)
			}
		}
	})
}
