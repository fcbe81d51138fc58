package lanyard_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// use makes one accepted request with a grant's own badge.
func (w *world) use(g *lanyard.Grant) bool {
	w.t.Helper()
	if g.Session.Channel() == lanyard.ChannelToken {
		return w.bearerWorks(g)
	}
	return w.cookieWorks(g)
}

// req: LIFE-1, LIFE-5
func TestSessionIsOverAtItsIdleLimitAndNotBefore(t *testing.T) {
	for _, name := range []string{"standard", "strict", "aal1", "aal2"} {
		for _, channel := range []lanyard.Channel{lanyard.ChannelCookie, lanyard.ChannelToken} {
			t.Run(name+"/"+channel.String(), func(t *testing.T) {
				w := newWorld(t, profile(name))
				idle := w.Policy().IdleTimeout
				if channel == lanyard.ChannelToken {
					idle = w.Policy().TokenIdleTimeout
				}
				live := func(g *lanyard.Grant) bool {
					if channel == lanyard.ChannelToken {
						_, err := w.renew(g.Refresh.Reveal())
						return err == nil
					}
					return w.cookieWorks(g)
				}
				early, exact := w.start(lanyard.Login{Channel: channel}), w.start(lanyard.Login{Channel: channel})
				w.clock.advance(idle - time.Millisecond)
				if !live(early) {
					t.Error("over a millisecond early")
				}
				w.clock.advance(time.Millisecond)
				if live(exact) {
					t.Error("alive at its limit")
				}
				if got := w.record(exact.Session.SID()).EndReason; got != lanyard.ReasonIdle && idle < w.Policy().AbsoluteTimeout {
					t.Errorf("ended with %q", got)
				}
			})
		}
	}
}

// req: LIFE-2, LIFE-3, LIFE-5, LIFE-6
func TestNoActivityMovesTheAbsoluteLimit(t *testing.T) {
	for _, channel := range []lanyard.Channel{lanyard.ChannelCookie, lanyard.ChannelToken} {
		t.Run(channel.String(), func(t *testing.T) {
			w := newWorld(t, func(c *lanyard.Config) {
				c.Policy = lanyard.Policy{Profile: "aal2", LimitsJustification: "a test", AbsoluteTimeout: 48 * time.Hour}
			})
			g := w.start(lanyard.Login{Channel: channel})
			limit := g.Session.ExpiresAt()
			if want := w.clock.Now().Add(48 * time.Hour); !limit.Equal(want) {
				t.Fatalf("limit %v, want %v", limit, want)
			}
			step := 4 * time.Minute
			for w.clock.Now().Add(step).Before(limit) {
				w.clock.advance(step)
				if channel == lanyard.ChannelToken {
					g = w.mustRenew(g.Refresh.Reveal())
				}
				if !w.use(g) {
					t.Fatalf("over %v early", limit.Sub(w.clock.Now()))
				}
				if rec := w.record(g.Session.SID()); !rec.ExpiresAt.Time().Equal(limit) || rec.IdleExpiresAt > rec.ExpiresAt {
					t.Fatalf("the limit moved: %v, idle %v", rec.ExpiresAt.Time(), rec.IdleExpiresAt.Time())
				}
			}
			w.clock.set(limit)
			if w.use(g) {
				t.Error("alive at its absolute limit")
			}
			if channel == lanyard.ChannelToken { // its access token expired with it
				_, err := w.renew(g.Refresh.Reveal())
				wantCause(t, err, lanyard.CauseExpired)
			}
			if got := w.record(g.Session.SID()).EndReason; got != lanyard.ReasonExpired {
				t.Errorf("ended with %q", got)
			}
		})
	}
}

// req: LIFE-10, SID-4
func TestPassingALimitIsFinalWhateverClockOrConfigurationSayLater(t *testing.T) {
	store, c := memory.New(), newClock()
	short := newWorldOn(t, store, c)
	for _, channel := range []lanyard.Channel{lanyard.ChannelCookie, lanyard.ChannelToken} {
		g := short.start(lanyard.Login{Channel: channel})
		began := c.Now()
		c.set(g.Session.IdleExpiresAt())
		if channel == lanyard.ChannelToken {
			_, err := short.renew(g.Refresh.Reveal())
			wantCause(t, err, lanyard.CauseIdle)
		} else if short.use(g) {
			t.Fatal("alive at its limit")
		}
		c.set(began)
		long := newWorldOn(t, store, c, func(cfg *lanyard.Config) { cfg.Policy.Profile = "aal1" })
		if short.use(g) || long.use(g) {
			t.Errorf("%v: alive again", channel)
		}
		if channel == lanyard.ChannelToken {
			_, err := long.renew(g.Refresh.Reveal())
			wantCause(t, err, lanyard.CauseEnded)
		}
	}
}

// req: LIFE-10, REVOKE-23
func TestPruningEndsWhatIsPastItsLimitsWithOneEventEach(t *testing.T) {
	w := newWorld(t)
	cookie, refresh := w.startCookie(), w.startToken()
	w.events.take()
	w.clock.set(cookie.Session.IdleExpiresAt())
	for range 3 {
		if err := w.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wantNames(t, w.events.take(), "session_ended:idle_timeout")
	w.clock.set(refresh.Session.ExpiresAt())
	for range 3 {
		if err := w.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	events := w.events.take()
	if len(events) != 1 || events[0].SID != refresh.Session.SID().String() {
		t.Fatalf("events %q", names(events))
	}
}

// A request that was refused, or that its program calls passive, is no sign of a
// person.
//
// req: LIFE-6, LIFE-12, CSRF-17
func TestOnlyAcceptedRequestsOfAPersonCountAsActivity(t *testing.T) {
	passive := func(c *lanyard.Config) {
		c.Passive = func(r *http.Request) bool { return r.URL.Query().Get("passive") == "1" }
	}
	for _, row := range []struct {
		name   string
		count  bool
		answer int
		send   func(*world, *lanyard.Grant) seen
	}{
		{"an accepted request", true, 200, func(w *world, g *lanyard.Grant) seen {
			return w.send(w.withCookie(get("/"), g.Handle.Reveal()))
		}},
		{"an accepted request through a guard", true, 200, func(w *world, g *lanyard.Grant) seen {
			return w.sendNeed(w.withCookie(get("/"), g.Handle.Reveal()), lanyard.Need{})
		}},
		{"an accepted unsafe request", true, 200, func(w *world, g *lanyard.Grant) seen {
			return w.send(w.withCookie(post("/"), g.Handle.Reveal()))
		}},
		{"a passive request", false, 200, func(w *world, g *lanyard.Grant) seen {
			return w.send(w.withCookie(get("/?passive=1"), g.Handle.Reveal()))
		}},
		{"a suspected forgery", false, 403, func(w *world, g *lanyard.Grant) seen {
			r := w.withCookie(post("/"), g.Handle.Reveal())
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			return w.send(r)
		}},
		{"a login too old for the route", false, 401, func(w *world, g *lanyard.Grant) seen {
			return w.sendNeed(w.withCookie(get("/"), g.Handle.Reveal()), lanyard.Need{MaxAge: time.Minute})
		}},
		{"a login too weak for the route", false, 401, func(w *world, g *lanyard.Grant) seen {
			return w.sendNeed(w.withCookie(get("/"), g.Handle.Reveal()), lanyard.Need{Methods: []string{"otp"}})
		}},
		{"a check for forward authentication", false, 0, func(w *world, g *lanyard.Grant) seen {
			if _, err := w.Check(w.withCookie(get("/"), g.Handle.Reveal())); err != nil {
				w.t.Error(err)
			}
			return seen{}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, passive)
			g := w.startCookie()
			before := w.record(g.Session.SID())
			w.clock.advance(10 * time.Hour)
			s := row.send(w, g)
			if s.answer != nil && s.answer.Code != row.answer {
				t.Errorf("answered %d, want %d", s.answer.Code, row.answer)
			}
			after := w.record(g.Session.SID())
			if moved := after.LastActive > before.LastActive; moved != row.count {
				t.Errorf("counted as activity: %v", moved)
			}
			if moved := after.IdleExpiresAt > before.IdleExpiresAt; moved != row.count {
				t.Errorf("the idle limit moved: %v", moved)
			}
			if row.count && s.session != nil && !s.session.LastActive().Equal(w.clock.Now()) {
				t.Errorf("the request does not see its own activity: %v", s.session.LastActive())
			}
		})
	}
}

// req: LIFE-7
func TestStoredActivityLagsByNoMoreThanItsBound(t *testing.T) {
	for _, row := range []struct {
		idle time.Duration
		lag  time.Duration
	}{{24 * time.Hour, time.Minute}, {10 * time.Minute, time.Minute}, {5 * time.Minute, 30 * time.Second}, {30 * time.Second, 3 * time.Second}} {
		t.Run(row.idle.String(), func(t *testing.T) {
			w := newWorld(t, func(c *lanyard.Config) { c.Policy.IdleTimeout = row.idle })
			p := w.Policy()
			if got := p.ActivityLag(lanyard.ChannelCookie); got != row.lag {
				t.Errorf("lag %v, want %v", got, row.lag)
			}
			g := w.startCookie()
			w.store.arm(nil)
			const step, requests = 250 * time.Millisecond, 1000
			for range requests {
				w.clock.advance(step)
				if !w.cookieWorks(g) {
					t.Fatal("refused")
				}
				behind := lanyard.TimeOf(w.clock.Now()).Sub(w.record(g.Session.SID()).LastActive)
				if behind > row.lag {
					t.Fatalf("the stored time lags by %v", behind)
				}
			}
			writes := strings.Count(strings.Join(w.store.made(), " "), "Update")
			if want := int(requests * step / row.lag); writes > want {
				t.Errorf("%d writes, want at most %d", writes, want)
			}
		})
	}
}

// req: LIFE-8, REFRESH-13
func TestTokensDoNotKeepACookieSessionAwake(t *testing.T) {
	w := newWorld(t, profile("strict"))
	g := w.startCookie()
	limit := g.Session.IdleExpiresAt()
	for w.clock.Now().Add(time.Minute).Before(limit) {
		w.clock.advance(time.Minute)
		s, err := w.Lookup(t.Context(), g.Session.SID())
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := w.AccessToken(t.Context(), s, "")
		if err != nil {
			t.Fatal(err)
		}
		if !w.bearerWorks(drawn) {
			t.Fatalf("a drawn token does not work %v before the limit", limit.Sub(w.clock.Now()))
		}
	}
	if rec := w.record(g.Session.SID()); !rec.IdleExpiresAt.Time().Equal(limit) {
		t.Errorf("the idle limit moved to %v", rec.IdleExpiresAt.Time())
	}
	w.clock.set(limit)
	if w.cookieWorks(g) {
		t.Error("the cookie session is awake")
	}
}

// A refresh in a linked session is no activity of its origin.
//
// req: LIFE-8
func TestRefreshingALinkedSessionDoesNotKeepItsOriginAwake(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	code, _, err := w.Handoff(t.Context(), g.Session, lanyard.Handoff{Channel: lanyard.ChannelToken, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	linked, err := w.Redeem(t.Context(), code.Reveal(), lanyard.Redemption{UserAgent: phone, IP: homeIP})
	if err != nil {
		t.Fatal(err)
	}
	for range 24 {
		w.clock.advance(time.Hour)
		linked = w.mustRenew(linked.Refresh.Reveal())
	}
	if w.cookieWorks(g) {
		t.Error("the origin is awake")
	}
	// Its idle end does not end the linked session, only a revocation would.
	if !w.bearerWorks(linked) {
		t.Error("the linked session ended with its origin's idle limit")
	}
}

// req: LIFE-16
func TestAccessTokenNeverOutlivesItsSession(t *testing.T) {
	w := newWorld(t, profile("strict"))
	check := func(g *lanyard.Grant, limit time.Time) {
		t.Helper()
		_, claims, err := w.CheckAccess(t.Context(), g.Access.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if claims.Expiry.After(limit) {
			t.Errorf("expires %v after the limit", claims.Expiry.Sub(limit))
		}
		if !claims.Expiry.Equal(w.clock.Now().Truncate(time.Second).Add(g.ExpiresIn)) {
			t.Errorf("expires_in %v does not tell of exp %v", g.ExpiresIn, claims.Expiry)
		}
	}
	g := w.startCookie()
	w.clock.set(g.Session.IdleExpiresAt().Add(-30*time.Second - 300*time.Millisecond))
	drawn, err := w.AccessToken(t.Context(), g.Session, "")
	if err != nil {
		t.Fatal(err)
	}
	check(drawn, g.Session.IdleExpiresAt())

	g = w.startToken()
	limit := g.Session.ExpiresAt()
	for range 2 {
		w.clock.advance(11 * time.Hour)
		g = w.mustRenew(g.Refresh.Reveal())
	}
	w.clock.set(limit.Add(-7*time.Second - time.Millisecond))
	g = w.mustRenew(g.Refresh.Reveal())
	check(g, limit)
	if g.ExpiresIn > 8*time.Second {
		t.Errorf("expires_in %v", g.ExpiresIn)
	}
	w.clock.set(limit)
	if w.bearerWorks(g) {
		t.Error("it works after its session")
	}
}

// req: LIFE-16
// attack: H2
func TestAccessTokenExpiryIsJitteredDownwardsByAtMostATwentieth(t *testing.T) {
	w := newWorld(t)
	ttl := w.Policy().AccessTokenTTL
	distinct := map[time.Duration]bool{}
	for range 200 {
		g := w.startToken()
		if g.ExpiresIn > ttl || g.ExpiresIn < ttl*95/100-time.Second {
			t.Fatalf("expires in %v, want %v to %v", g.ExpiresIn, ttl*95/100, ttl)
		}
		distinct[g.ExpiresIn] = true
	}
	if len(distinct) < 5 {
		t.Errorf("only %d lifetimes in 200 tokens", len(distinct))
	}
}

// req: LIFE-9, FIX-2
func TestStepUpStartsBothClocksAnew(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	w.clock.advance(23 * time.Hour)
	up, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}, Class: "aal2"})
	if err != nil {
		t.Fatal(err)
	}
	now, p := w.clock.Now(), w.Policy()
	rec := w.record(g.Session.SID())
	for _, row := range []struct {
		name      string
		got, want time.Time
	}{
		{"authentication", rec.AuthTime.Time(), now},
		{"last activity", rec.LastActive.Time(), now},
		{"idle limit", rec.IdleExpiresAt.Time(), now.Add(p.IdleTimeout)},
		{"absolute limit", rec.ExpiresAt.Time(), now.Add(p.AbsoluteTimeout)},
	} {
		if !row.got.Equal(row.want) {
			t.Errorf("%s %v, want %v", row.name, row.got, row.want)
		}
	}
	if w.cookieWorks(g) || !w.cookieWorks(up) {
		t.Error("want the new handle to work and the old one not")
	}
	if !rec.CreatedAt.Time().Equal(g.Session.CreatedAt()) || up.Session.SID() != g.Session.SID() {
		t.Error("it is another session")
	}
}

// An authentication that happened elsewhere, some time ago, counts from then.
//
// req: LIFE-2, SID-12, SID-14
func TestAbsoluteLimitCountsFromTheAuthentication(t *testing.T) {
	w := newWorld(t)
	now := w.clock.Now()
	for _, row := range []struct {
		name      string
		stated    time.Time
		wantAuth  time.Time
		wantCause lanyard.Cause
	}{
		{"none stated", time.Time{}, now, ""},
		{"an hour ago", now.Add(-time.Hour), now.Add(-time.Hour), ""},
		{"in the future", now.Add(time.Hour), now, ""},
		{"longer ago than a session lasts", now.Add(-30 * 24 * time.Hour), time.Time{}, lanyard.CauseExpired},
	} {
		g, err := w.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, AuthTime: row.stated})
		wantCause(t, err, row.wantCause)
		if err != nil {
			continue
		}
		if !g.Session.AuthTime().Equal(row.wantAuth) || !g.Session.ExpiresAt().Equal(row.wantAuth.Add(w.Policy().AbsoluteTimeout)) {
			t.Errorf("%s: authenticated %v, over %v", row.name, g.Session.AuthTime(), g.Session.ExpiresAt())
		}
		if g.Session.AuthTime().After(g.Session.CreatedAt()) {
			t.Errorf("%s: made before the authentication", row.name)
		}
	}
}

// A touch that fails costs nothing but time.
func TestFailingToWriteActivityRefusesNobody(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	w.clock.advance(time.Hour)
	w.store.arm(func(call string, _ int) error {
		if call == "Update" {
			return errEngine
		}
		return nil
	})
	if !w.cookieWorks(g) {
		t.Error("refused")
	}
	wantCounts(t, w.counts.take("touch"), map[string]int{"failed": 1})
	if !strings.Contains(w.logs.String(), "writing down activity failed") {
		t.Error("nothing in the log")
	}
}
