package lanyard_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// chain is a refresh family in the hands of its client.
type chain struct {
	*world
	sid    lanyard.SID
	tokens []string // tokens[i] has counter i
	at     lanyard.Renewal
}

func newChain(w *world) *chain {
	g := w.startToken()
	c := &chain{world: w, sid: g.Session.SID(), tokens: []string{g.Refresh.Reveal()}}
	c.at = lanyard.Renewal{UserAgent: phone, IP: homeIP}
	return c
}

// rotate exchanges the newest token n times.
func (c *chain) rotate(n int) {
	c.t.Helper()
	for range n {
		c.tokens = append(c.tokens, c.mustRenew(c.tokens[len(c.tokens)-1]).Refresh.Reveal())
	}
}

func (c *chain) newest() string { return c.tokens[len(c.tokens)-1] }

// refreshCase is one row of the rotation table: what happens before, which token
// is presented how, and what follows in a profile with and without a window.
type refreshCase struct {
	name    string
	prepare func(*chain) (present string)

	standard, strict refreshWant
}

type refreshWant struct {
	outcome string        // the counter that moves, by one
	cause   lanyard.Cause // empty: tokens are granted
	same    bool          // the successor is the one that the newest token is
	live    bool          // the session lives on
	events  []string
}

var refreshRotated = refreshWant{outcome: "rotated", live: true, events: []string{"token_refreshed:rotated", "session_rotated:rotated"}}

func reused(how string) refreshWant {
	return refreshWant{outcome: "reused-" + how, cause: lanyard.CauseReuse,
		events: []string{"session_ended:refresh_reuse", "refresh_reused:reused-" + how}}
}

func retried(how string) refreshWant {
	return refreshWant{outcome: how, same: true, live: true, events: []string{"refresh_retried:" + how}}
}

var refreshTable = []refreshCase{
	{"the current token is exchanged",
		func(c *chain) string { c.rotate(3); return c.newest() }, refreshRotated, refreshRotated},
	{"the first token is exchanged from another place by another program version",
		func(c *chain) string { c.at.IP, c.at.UserAgent = trainIP, "phone/2"; return c.newest() }, refreshRotated, refreshRotated},
	{"the predecessor at once yields the same successor",
		func(c *chain) string { c.rotate(2); return c.tokens[1] }, retried("retried"), reused("recent")},
	{"the predecessor from the same address range",
		func(c *chain) string { c.rotate(1); c.at.IP = homeToo; return c.tokens[0] }, retried("retried"), reused("recent")},
	{"the predecessor just inside the window",
		func(c *chain) string {
			c.rotate(1)
			c.clock.advance(30*time.Second - time.Millisecond)
			return c.tokens[0]
		}, retried("retried"), reused("recent")},
	{"the predecessor at the end of the window",
		func(c *chain) string { c.rotate(1); c.clock.advance(30 * time.Second); return c.tokens[0] },
		reused("recent"), reused("recent")},
	{"the predecessor after the window",
		func(c *chain) string { c.rotate(1); c.clock.advance(31 * time.Second); return c.tokens[0] },
		reused("recent"), reused("recent")},
	{"the predecessor from another address range",
		func(c *chain) string { c.rotate(1); c.at.IP = trainIP; return c.tokens[0] },
		retried("retried-moved"), reused("recent")},
	{"the predecessor from an address nobody knows",
		func(c *chain) string { c.rotate(1); c.at.IP = ""; return c.tokens[0] },
		retried("retried-moved"), reused("recent")},
	{"the predecessor from that other range once more",
		func(c *chain) string {
			c.rotate(1)
			c.at.IP = trainIP
			c.mayRepeat(c.tokens[0])
			return c.tokens[0]
		}, retried("retried-moved"), refreshWant{outcome: "refused-ended", cause: lanyard.CauseEnded, events: []string{"session_used_after_end:ended"}}},
	{"the predecessor from a third address range",
		func(c *chain) string {
			c.rotate(1)
			c.at.IP = trainIP
			c.mayRepeat(c.tokens[0])
			c.at.IP = hotelIP
			return c.tokens[0]
		}, reused("recent"), refreshWant{outcome: "refused-ended", cause: lanyard.CauseEnded, events: []string{"session_used_after_end:ended"}}},
	{"the predecessor from another user agent",
		func(c *chain) string { c.rotate(1); c.at.UserAgent = "curl/8"; return c.tokens[0] },
		reused("recent"), reused("recent")},
	{"the one before the predecessor, at once",
		func(c *chain) string { c.rotate(2); return c.tokens[0] }, reused("stale"), reused("stale")},
	{"the first token after many rotations",
		func(c *chain) string { c.rotate(20); return c.tokens[0] }, reused("stale"), reused("stale")},
	{"a token ahead of a store that lost one write",
		func(c *chain) string { c.rotate(1); c.store.loseNext(1); c.rotate(1); return c.newest() },
		refreshWant{outcome: "rolled-forward", live: true, events: []string{"store_regressed:rolled-forward", "token_refreshed:rolled-forward", "session_rotated:rolled-forward"}},
		refreshWant{outcome: "rolled-forward", live: true, events: []string{"store_regressed:rolled-forward", "token_refreshed:rolled-forward", "session_rotated:rolled-forward"}}},
	{"the right counter with a digest that does not fit, after a lost write",
		func(c *chain) string {
			c.store.loseNext(1)
			c.rotate(1) // forgotten: tokens[1] is nobody's now
			c.mustRenew(c.tokens[0])
			return c.tokens[1]
		}, reused("recent"), reused("recent")},
	{"the predecessor's counter with a digest that does not fit",
		func(c *chain) string {
			c.store.loseNext(1)
			c.rotate(1)
			c.mustRenew(c.mustRenew(c.tokens[0]).Refresh.Reveal())
			return c.tokens[1]
		}, reused("recent"), reused("recent")},
	{"a token in flight at logout",
		func(c *chain) string { c.rotate(1); c.end(c.sid); return c.newest() },
		refreshWant{outcome: "refused-ended", cause: lanyard.CauseEnded, events: []string{"session_used_after_end:ended"}},
		refreshWant{outcome: "refused-ended", cause: lanyard.CauseEnded, events: []string{"session_used_after_end:ended"}}},
	{"a token in flight at step-up",
		func(c *chain) string { c.rotate(1); c.elevate(); return c.newest() },
		refreshWant{outcome: "refused-old_generation", cause: lanyard.CauseOldGeneration, live: true, events: []string{"session_used_after_end:old_generation"}},
		refreshWant{outcome: "refused-old_generation", cause: lanyard.CauseOldGeneration, live: true, events: []string{"session_used_after_end:old_generation"}}},
	{"the predecessor of the token that step-up replaced",
		func(c *chain) string { c.rotate(1); c.elevate(); return c.tokens[0] },
		refreshWant{outcome: "refused-old_generation", cause: lanyard.CauseOldGeneration, live: true, events: []string{"session_used_after_end:old_generation"}},
		refreshWant{outcome: "refused-old_generation", cause: lanyard.CauseOldGeneration, live: true, events: []string{"session_used_after_end:old_generation"}}},
	{"a token past the idle limit",
		func(c *chain) string { c.rotate(1); c.clock.advance(c.Policy().TokenIdleTimeout); return c.newest() },
		refreshWant{outcome: "refused-idle_timeout", cause: lanyard.CauseIdle, events: []string{"session_ended:idle_timeout", "session_used_after_end:idle_timeout"}},
		refreshWant{outcome: "refused-idle_timeout", cause: lanyard.CauseIdle, events: []string{"session_ended:idle_timeout", "session_used_after_end:idle_timeout"}}},
	{"a token of another client",
		func(c *chain) string { c.rotate(1); c.at.Client = "other"; return c.newest() },
		refreshWant{outcome: "refused-wrong_client", cause: lanyard.CauseClient, live: true, events: []string{"session_used_after_end:wrong_client"}},
		refreshWant{outcome: "refused-wrong_client", cause: lanyard.CauseClient, live: true, events: []string{"session_used_after_end:wrong_client"}}},
}

// mayRepeat presents a token whose fate the caller does not care about.
func (c *chain) mayRepeat(tok string) { _, _ = c.Renew(c.t.Context(), tok, c.at) }

func (c *chain) elevate() *lanyard.Grant {
	c.t.Helper()
	s, err := c.Lookup(c.t.Context(), c.sid)
	if err != nil {
		c.t.Fatal(err)
	}
	g, err := c.Elevate(c.t.Context(), s, lanyard.Elevation{Methods: []string{"otp"}})
	if err != nil {
		c.t.Fatal(err)
	}
	return g
}

// req: REFRESH-2, REFRESH-3, REFRESH-4, REFRESH-7, REFRESH-11
func TestRefreshTokenPresented(t *testing.T) {
	for _, profileName := range []string{"standard", "strict"} {
		for _, row := range refreshTable {
			t.Run(profileName+"/"+row.name, func(t *testing.T) {
				want := row.standard
				if profileName == "strict" {
					want = row.strict
				}
				checkRefresh(t, newChain(newWorld(t, profile(profileName))), row.prepare, want)
			})
		}
	}
}

func checkRefresh(t *testing.T, c *chain, prepare func(*chain) string, want refreshWant) {
	t.Helper()
	presented := prepare(c)
	before := c.record(c.sid)
	c.events.take()
	c.counts.take("refresh")

	g, err := c.Renew(t.Context(), presented, c.at)

	wantCause(t, err, want.cause)
	wantCounts(t, c.counts.take("refresh"), map[string]int{want.outcome: 1})
	wantNames(t, c.events.take(), want.events...)
	after := c.record(c.sid)
	if after.Live(lanyard.TimeOf(c.clock.Now())) != want.live {
		t.Errorf("live: %v, want %v (reason %q)", !want.live, want.live, after.EndReason)
	}
	if want.cause != "" {
		if g != nil {
			t.Error("a refusal came with a grant")
		}
		wantPublic(t, err, http.StatusBadRequest, "invalid_grant")
		if want.live && *after.Refresh != *before.Refresh {
			t.Error("the refusal changed the family")
		}
		return
	}
	if same := g.Refresh.Reveal() == c.newest(); same != want.same {
		t.Errorf("the newest token was returned: %v, want %v", same, want.same)
	}
	if !c.bearerWorks(g) {
		t.Error("the access token granted does not work")
	}
	if _, err := c.renew(g.Refresh.Reveal()); err != nil {
		t.Errorf("the refresh token granted does not work: %v", err)
	}
	if slices.Contains(c.tokens[:len(c.tokens)-1], g.Refresh.Reveal()) {
		t.Error("an old token was granted again")
	}
}

// req: REFRESH-4
func TestGarbageAsRefreshTokenAsksNoStore(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	good := g.Refresh.Reveal()
	flipped := []byte(good)
	flipped[60] ^= 1
	for _, text := range []string{"", "x", good[:99], good + "A", good[:99] + "\n", string(flipped), g.Access.Reveal(), g.Session.SID().String()} {
		w.store.arm(failAll)
		w.events.take()
		_, err := w.renew(text)
		if calls := w.store.made(); len(calls) > 0 {
			t.Errorf("%.12q: the store was asked: %v", text, calls)
		}
		wantPublic(t, err, http.StatusBadRequest, "invalid_grant")
		wantCause(t, err, lanyard.CauseForged)
		wantNames(t, w.events.take())
	}
	wantCounts(t, w.counts.take("refresh"), map[string]int{"forged": 8})
	w.store.arm(nil)
	w.mustRenew(good)
}

// A thief who repeats each rotation of his victim is found after eight.
//
// req: REFRESH-4
func TestShadowedChainEndsAfterEightLateRepeatsInARow(t *testing.T) {
	for _, row := range []struct {
		name  string
		after time.Duration
		at    lanyard.Renewal
		ends  bool
	}{
		{"repeated later than 2 s", 2*time.Second + time.Millisecond, lanyard.Renewal{UserAgent: phone, IP: homeIP}, true},
		{"repeated at once from another range", 0, lanyard.Renewal{UserAgent: phone, IP: trainIP}, true},
		{"repeated within 2 s, as parallel calls are", 2 * time.Second, lanyard.Renewal{UserAgent: phone, IP: homeIP}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newChain(newWorld(t))
			for i := range 12 {
				c.rotate(1)
				c.clock.advance(row.after)
				for range 3 { // a rotation counts once, however often it is repeated
					_, err := c.Renew(t.Context(), c.tokens[i], row.at)
					if row.ends && i == 8 {
						wantCause(t, err, lanyard.CauseReuse)
						if got := c.record(c.sid).EndReason; got != lanyard.ReasonRefreshReuse {
							t.Fatalf("ended with %q", got)
						}
						return
					}
					if err != nil {
						t.Fatalf("rotation %d: %v", i+1, err)
					}
				}
				c.clock.advance(time.Minute)
			}
			if row.ends {
				t.Fatal("the chain went on")
			}
		})
	}
}

// req: REFRESH-4
func TestOneRotationThatNobodyRepeatsBreaksTheRow(t *testing.T) {
	c := newChain(newWorld(t))
	for i := range 40 {
		c.rotate(1)
		c.clock.advance(5 * time.Second)
		if i%9 == 8 {
			continue
		}
		if _, err := c.Renew(t.Context(), c.tokens[i], c.at); err != nil {
			t.Fatalf("rotation %d: %v", i+1, err)
		}
	}
}

// req: REFRESH-4
func TestRetryWindowOfThePolicy(t *testing.T) {
	for _, row := range []struct {
		window, after time.Duration
		want          lanyard.Cause
	}{
		{time.Minute, time.Minute - time.Millisecond, ""},
		{time.Minute, time.Minute, lanyard.CauseReuse},
		{5 * time.Second, 6 * time.Second, lanyard.CauseReuse},
		{-1, 0, lanyard.CauseReuse},
	} {
		c := newChain(newWorld(t, func(cfg *lanyard.Config) { cfg.Policy.RefreshRetryWindow = row.window }))
		c.rotate(1)
		c.clock.advance(row.after)
		_, err := c.renew(c.tokens[0])
		if lanyard.CauseOf(err) != row.want {
			t.Errorf("window %v, after %v: %v, want %q", row.window, row.after, err, row.want)
		}
	}
}
