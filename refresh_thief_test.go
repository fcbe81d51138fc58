package lanyard_test

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// heist is a family whose newest token a thief has copied.
type heist struct {
	*chain
	victim, thief       lanyard.Renewal
	victimHas, thiefHas string
	thiefGot            int // access tokens
}

func newHeist(t *testing.T, profileName string, thief lanyard.Renewal) *heist {
	c := newChain(newWorld(t, profile(profileName)))
	c.rotate(2)
	return &heist{chain: c, victim: c.at, thief: thief, victimHas: c.newest(), thiefHas: c.newest()}
}

// as presents a token for one of the two, who keeps what comes of it.
func (h *heist) as(who lanyard.Renewal, has *string) lanyard.Cause {
	h.t.Helper()
	g, err := h.Renew(context.Background(), *has, who)
	if err != nil {
		return lanyard.CauseOf(err)
	}
	*has = g.Refresh.Reveal()
	return ""
}

func (h *heist) victimRenews() lanyard.Cause { return h.as(h.victim, &h.victimHas) }
func (h *heist) thiefRenews() lanyard.Cause {
	cause := h.as(h.thief, &h.thiefHas)
	if cause == "" {
		h.thiefGot++
	}
	return cause
}

var (
	sameDesk  = lanyard.Renewal{UserAgent: phone, IP: homeToo}
	elsewhere = lanyard.Renewal{UserAgent: phone, IP: trainIP}
	otherTool = lanyard.Renewal{UserAgent: "curl/8", IP: homeToo}
)

// Whichever of the two comes second is found: outside of the window, with
// another user agent, or with an older ancestor. Without a window, always.
//
// req: REFRESH-1, REFRESH-2, REFRESH-4
func TestThiefWithACopiedRefreshTokenIsFound(t *testing.T) {
	for _, row := range []struct {
		name    string
		profile string
		thief   lanyard.Renewal
		play    func(*heist) (second lanyard.Cause)
	}{
		{"the thief comes after the window", "standard", sameDesk, func(h *heist) lanyard.Cause {
			h.victimRenews()
			h.clock.advance(30 * time.Second)
			return h.thiefRenews()
		}},
		{"the victim comes after the window", "standard", sameDesk, func(h *heist) lanyard.Cause {
			h.thiefRenews()
			h.clock.advance(30 * time.Second)
			return h.victimRenews()
		}},
		{"the thief comes at once with another user agent", "standard", otherTool, func(h *heist) lanyard.Cause {
			h.victimRenews()
			return h.thiefRenews()
		}},
		{"the victim comes at once after a thief with another user agent", "standard", otherTool, func(h *heist) lanyard.Cause {
			h.thiefRenews()
			return h.victimRenews()
		}},
		{"the thief comes at once, and twice was renewed since", "standard", sameDesk, func(h *heist) lanyard.Cause {
			h.victimRenews()
			h.victimRenews()
			return h.thiefRenews()
		}},
		{"the victim comes at once, and twice was renewed since", "standard", sameDesk, func(h *heist) lanyard.Cause {
			h.thiefRenews()
			h.thiefRenews()
			return h.victimRenews()
		}},
		{"the thief comes from a third range", "standard", elsewhere, func(h *heist) lanyard.Cause {
			old := h.victimHas
			h.victimRenews()
			h.as(lanyard.Renewal{UserAgent: phone, IP: hotelIP}, &old) // an honest repeat on the way
			return h.thiefRenews()
		}},
		{"strict: the thief comes second", "strict", sameDesk, func(h *heist) lanyard.Cause {
			h.victimRenews()
			return h.thiefRenews()
		}},
		{"strict: the victim comes second", "strict", sameDesk, func(h *heist) lanyard.Cause {
			h.thiefRenews()
			return h.victimRenews()
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHeist(t, row.profile, row.thief)
			h.events.take()
			if got := row.play(h); got != lanyard.CauseReuse {
				t.Fatalf("the second use: %q", got)
			}
			if got := h.record(h.sid).EndReason; got != lanyard.ReasonRefreshReuse {
				t.Errorf("ended with %q", got)
			}
			if h.victimRenews() != lanyard.CauseEnded || h.thiefRenews() != lanyard.CauseEnded {
				t.Error("somebody goes on")
			}
			critical := 0
			for _, e := range h.events.take() {
				if e.Name == "refresh_reused" {
					critical++
				}
			}
			if critical != 1 {
				t.Errorf("%d events of reuse, want 1", critical)
			}
		})
	}
}

// round is one renewal by each of the two, some time apart. It returns the
// refusal of either.
func (h *heist) round(thiefFirst bool, apart time.Duration, tries int) lanyard.Cause {
	h.t.Helper()
	one, other := h.victimRenews, h.thiefRenews
	if thiefFirst {
		one, other = other, one
	}
	if cause := one(); cause != "" {
		return cause
	}
	h.clock.advance(apart)
	if !thiefFirst {
		// The same token again and again: each answer has an access token.
		for old := h.thiefHas; tries > 1; tries-- {
			if cause := other(); cause != "" {
				return cause
			}
			h.thiefHas = old
		}
	}
	cause := other()
	if cause == "" && h.thiefHas != h.victimHas {
		h.t.Fatal("the two hold different tokens")
	}
	return cause
}

// What the window leaves open, measured: how many access tokens a thief draws
// beside a victim who renews on and on, before he is found. The numbers stand in
// docs/threat-model.md.
//
// req: REFRESH-4
func TestHowManyAccessTokensAThiefDrawsInsideTheWindow(t *testing.T) {
	const cycles = 200
	for _, row := range []struct {
		name       string
		thief      lanyard.Renewal
		first      bool // the thief renews first
		after      time.Duration
		tries      int // of the thief for each rotation
		want       int // access tokens before he is found
		undetected bool
	}{
		{"same range, same user agent, within 2 s", sameDesk, false, 2 * time.Second, 1, cycles, true},
		{"and before the victim", sameDesk, true, 2 * time.Second, 1, cycles, true},
		{"and three times for each rotation", sameDesk, false, 500 * time.Millisecond, 3, 3 * cycles, true},
		{"same range, same user agent, later than 2 s", sameDesk, false, 3 * time.Second, 1, 8, false},
		{"and before the victim", sameDesk, true, 3 * time.Second, 1, 9, false},
		{"another range, same user agent, within 2 s", elsewhere, false, time.Second, 1, 8, false},
		{"and before the victim", elsewhere, true, time.Second, 1, 9, false},
		{"another user agent, within 2 s", otherTool, false, time.Second, 1, 0, false},
		{"and before the victim", otherTool, true, time.Second, 1, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHeist(t, "standard", row.thief)
			ended := lanyard.Cause("")
			for range cycles {
				if ended = h.round(row.first, row.after, row.tries); ended != "" {
					break
				}
				h.clock.advance(4 * time.Minute)
			}
			if (ended == "") != row.undetected || ended != "" && ended != lanyard.CauseReuse {
				t.Errorf("found: %q", ended)
			}
			if h.thiefGot != row.want {
				t.Errorf("%d access tokens, want %d", h.thiefGot, row.want)
			}
		})
	}
}
