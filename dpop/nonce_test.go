package dpop_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

func nonces(t testing.TB, role string, keys ...string) *dpop.Nonces {
	t.Helper()
	var raw [][]byte
	for _, k := range keys {
		raw = append(raw, []byte(strings.Repeat(k, dpop.MinKey)))
	}
	n, err := dpop.NewNonces(role, 0, raw...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// altered has another letter in the middle.
func altered(text string) string {
	i, c := len(text)/2, "A"
	if text[i] == 'A' {
		c = "B"
	}
	return text[:i] + c + text[i+1:]
}

// req: DPOP-10, DPOP-11, DPOP-23
func TestDemandedNonceMustBeFreshAndOurs(t *testing.T) {
	ours := nonces(t, "resource", "k")
	prover, err := dpop.NewProver(ecKey(t), func() time.Time { return start.Add(-time.Hour) }) // its clock does not matter
	if err != nil {
		t.Fatal(err)
	}
	fresh := ours.New(start)
	tests := []struct {
		name, nonce string
		want        dpop.Cause
	}{
		{"fresh", fresh, ""},
		{"used before", fresh, ""},
		{"from another node with the same key", nonces(t, "resource", "k").New(start), ""},
		{"at the end of its life", ours.New(start.Add(-2 * time.Minute)), ""},
		{"from a node whose clock is a little ahead", ours.New(start.Add(5 * time.Second)), ""},
		{"missing", "", dpop.NeedsNonce},
		{"too old", ours.New(start.Add(-2*time.Minute - time.Millisecond)), dpop.NeedsNonce},
		{"from the future", ours.New(start.Add(6 * time.Second)), dpop.NeedsNonce},
		{"of another role", nonces(t, "token", "k").New(start), dpop.NeedsNonce},
		{"of another server", nonces(t, "resource", "x").New(start), dpop.NeedsNonce},
		{"cut", fresh[:len(fresh)-1], dpop.NeedsNonce},
		{"longer", fresh + "A", dpop.NeedsNonce},
		{"with another letter", altered(fresh), dpop.NeedsNonce},
		{"rubbish", strings.Repeat("!", len(fresh)), dpop.NeedsNonce},
	}
	check := checker(t, dpop.Config{Nonces: ours})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := prover.Proof("GET", here, "", tt.nonce)
			if err != nil {
				t.Fatal(err)
			}
			p, err := check.Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here})
			if got := why(t, err); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			if err == nil && p.Nonce != tt.nonce {
				t.Errorf("the proof says %q", p.Nonce)
			}
		})
	}
}

func TestOldKeyOfNoncesCountsUntilItIsTakenAway(t *testing.T) {
	old := nonces(t, "resource", "o").New(start)
	if !nonces(t, "resource", "n").Due(old, start) {
		t.Error("a nonce of a key that is gone needs no other")
	}
	if nonces(t, "resource", "n", "o").Due(old, start) {
		t.Error("a nonce of the former key does not count")
	}
}

func TestNonceIsDueAfterHalfItsLife(t *testing.T) {
	n := nonces(t, "resource", "k")
	text := n.New(start)
	if n.Due(text, start.Add(time.Minute)) || !n.Due(text, start.Add(time.Minute+time.Millisecond)) {
		t.Error("not at a minute of two")
	}
}

// req: DPOP-23
func TestNoncesCannotBeGuessed(t *testing.T) {
	n := nonces(t, "resource", "k")
	grammar := regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`) // NQCHAR
	seen := map[string]bool{}
	for range 1000 {
		text := n.New(start)
		if seen[text] || !grammar.MatchString(text) {
			t.Fatalf("%q is not new, or outside the grammar", text)
		}
		seen[text] = true
	}
}

func TestWrongNonceSettingsAreNamed(t *testing.T) {
	key := make([]byte, dpop.MinKey)
	for _, tt := range []struct {
		role  string
		life  time.Duration
		keys  [][]byte
		names string
	}{
		{"", 0, [][]byte{key}, "role"},
		{"r", time.Hour, [][]byte{key}, "life"},
		{"r", time.Millisecond, [][]byte{key}, "life"},
		{"r", 0, nil, "key"},
		{"r", 0, [][]byte{key, key[1:]}, "keys[1]"},
	} {
		if _, err := dpop.NewNonces(tt.role, tt.life, tt.keys...); err == nil || !strings.Contains(err.Error(), tt.names) {
			t.Errorf("want an error that names %s, got %v", tt.names, err)
		}
	}
}
