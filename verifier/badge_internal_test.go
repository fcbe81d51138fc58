package verifier

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/token"
)

func TestSIDsAreReadAsTheFeedReadsThem(t *testing.T) {
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
		want, err := revocation.ParseSID(text)
		got, ok := parseSID(text)
		if text == strings.Repeat("0", 26) {
			err = errBadSID // the zero SID names no session
		}
		if ok != (err == nil) || ok && got != want {
			t.Fatalf("%q: %v %t, want %v, %v", text, got, ok, want, err)
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
		want, err := revocation.ParseSID(text)
		if got, ok := parseSID(text); ok != (err == nil && !want.IsZero()) || ok && got != want {
			t.Errorf("%q: %v %t, want %v, %v", text, got, ok, want, err)
		}
	})
}

// idle is a feed that has heard nothing but what withdraw is called with.
func idle(t *testing.T) *feed {
	t.Helper()
	f, err := newFeed(Config{Issuer: "https://id.example", Feed: "https://id.example/feed"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Whoever holds a stolen key signs tokens that outlive every entry.
//
// req: KEY-11
func TestAWithdrawnKeyStaysRefusedWhenItsEntryIsForgotten(t *testing.T) {
	f := idle(t)
	f.withdraw(&revocation.Entry{Kind: revocation.KindKey, Key: "k1"}) // and the set of entries has none
	f.withdraw(&revocation.Entry{Kind: revocation.KindKey, Key: "k2"})
	for kid, want := range map[string]error{"k1": ErrRevoked, "k2": ErrRevoked, "k3": revocation.ErrBlind} {
		if err := f.check(&token.Claims{KeyID: kid}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", kid, err, want)
		}
	}
}

// A token whose session no entry could name could never be revoked.
func TestATokenWithAnOddSessionIDIsRefused(t *testing.T) {
	f := idle(t)
	for _, sid := range []string{"s", "0199F0A2B3C4D5E6F708192A30", strings.Repeat("0", 26)} {
		refused, ok := errors.AsType[*Refused](f.check(&token.Claims{SID: sid}))
		if !ok || refused.Cause != CauseBadToken {
			t.Errorf("%q: %v", sid, refused)
		}
	}
}
