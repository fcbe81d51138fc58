package lanyardtest

import (
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// Issuer is the address at which the program under test seems to be. It is the
// issuer of managers made here, and where [Client] and [Badge.Request] send their
// requests.
const Issuer = "https://app.test"

// NewManager returns a manager on a memory store of its own, and the clock that
// it follows. Cfg may be zero: an empty Issuer becomes [Issuer]. A Now of the
// caller's stays in force; the clock returned then moves nothing.
//
// For another store, or several managers on one, call lanyard.New with the
// Now of a [NewClock].
func NewManager(t testing.TB, cfg lanyard.Config) (*lanyard.Manager, *Clock) {
	t.Helper()
	clock := NewClock()
	if cfg.Issuer == "" {
		cfg.Issuer = Issuer
	}
	if cfg.Now == nil {
		cfg.Now = clock.Now
	}
	m, err := lanyard.New(memory.New(), cfg)
	if err != nil {
		t.Fatalf("making a manager: %v", err)
	}
	return m, clock
}
