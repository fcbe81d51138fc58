package password

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// req: LOGIN-6
func TestPepperRotation(t *testing.T) {
	a := Pepper{ID: "2025", Key: bytes.Repeat([]byte("a"), 32)}
	b := Pepper{ID: "2026", Key: bytes.Repeat([]byte("b"), 32)}
	const pw = "correct horse battery staple"

	none, first, rotated, finished := newHasher(t), newHasher(t, a), newHasher(t, b, a), newHasher(t, b)
	bare := mustHash(t, none, pw)
	underA := mustHash(t, first, pw)
	underB := mustHash(t, rotated, pw)

	if !strings.Contains(underA, ",keyid=2025$") || !strings.Contains(underB, ",keyid=2026$") {
		t.Fatalf("the key's id is missing in %q or %q", underA, underB)
	}
	expect(t, first, bare, pw, true, true)
	expect(t, first, underA, pw, true, false)
	expect(t, rotated, underA, pw, true, true)
	expect(t, rotated, underB, pw, true, false)
	expect(t, rotated, underB, "wrong", false, false)
	expect(t, finished, underB, pw, true, false)

	// The key is needed, not only its name.
	other := newHasher(t, Pepper{ID: a.ID, Key: b.Key})
	expect(t, other, underA, pw, false, false)
	expect(t, none, strings.Replace(underA, ",keyid=2025", "", 1), pw, false, false)
	for _, h := range []*Hasher{finished, none} {
		if _, _, err := h.Verify(t.Context(), underA, pw); err == nil {
			t.Error("a hash under an absent pepper verified")
		} else if _, ok := errors.AsType[*HashError](err); !ok {
			t.Errorf("an absent pepper gives %v, want a HashError", err)
		}
	}
}

func TestTheHasherKeepsItsOwnCopyOfAKey(t *testing.T) {
	key := bytes.Repeat([]byte("k"), 32)
	h := newHasher(t, Pepper{ID: "k", Key: key})
	encoded := mustHash(t, h, "pw")
	clear(key)
	expect(t, h, encoded, "pw", true, false)
}

func TestKeysAreNeverPrinted(t *testing.T) {
	p := Pepper{ID: "2026", Key: []byte("sesame-sesame-sesame-sesame")}
	c := Config{Peppers: []Pepper{p}}
	h := newHasher(t, p)
	var out bytes.Buffer
	for _, v := range []any{p, &p, c, &c, h, *h} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	}
	for _, v := range []any{p, &p, c} {
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	shown := strings.ToLower(out.String())
	for _, form := range []string{
		"sesame",
		fmt.Sprintf("%x", "sesame"),
		strings.Trim(fmt.Sprint([]byte("sesame")), "[]"),
		"c2vzyw1l", // base64 in lower case
	} {
		if strings.Contains(shown, form) {
			t.Errorf("the key is shown as %q", form)
		}
	}
	if !strings.Contains(shown, "pepper 2026 [redacted]") {
		t.Error("the id is not shown")
	}
}
