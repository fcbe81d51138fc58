package verifier

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/token"
)

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
