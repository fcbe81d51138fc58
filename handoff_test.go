package lanyard_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// handoff makes a code in g's session and redeems it.
func (w *world) handoff(g *lanyard.Grant, channel lanyard.Channel, keep bool) *lanyard.Grant {
	w.t.Helper()
	n, err := w.Redeem(w.t.Context(), w.code(g, channel, keep), lanyard.Redemption{UserAgent: phone, IP: homeIP, Device: "phone"})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) code(g *lanyard.Grant, channel lanyard.Channel, keep bool) string {
	w.t.Helper()
	code, in, err := w.Handoff(w.t.Context(), g.Session, lanyard.Handoff{Channel: channel, Keep: keep})
	if err != nil {
		w.t.Fatal(err)
	}
	if in != lanyard.HandoffLifetime {
		w.t.Errorf("expires in %v", in)
	}
	return code.Reveal()
}

// req: SID-12, LIFE-3, REVOKE-2
func TestHandoffMakesASessionOfNoHigherAssuranceAndNoLaterLimit(t *testing.T) {
	w := newWorld(t)
	g := w.start(lanyard.Login{Methods: []string{"pwd", "otp"}, Class: "aal2", Scope: "read", Resource: "orders"})
	w.clock.advance(time.Hour)
	if !w.cookieWorks(g) {
		t.Fatal("refused")
	}
	g2, err := w.Lookup(t.Context(), g.Session.SID())
	if err != nil {
		t.Fatal(err)
	}
	n := w.handoff(&lanyard.Grant{Session: g2}, lanyard.ChannelToken, true).Session
	if n.SID() == g.Session.SID() || n.Origin() != g.Session.SID() || n.Channel() != lanyard.ChannelToken || n.Subject() != "ann" {
		t.Errorf("sid %v, origin %v, channel %v, subject %q", n.SID(), n.Origin(), n.Channel(), n.Subject())
	}
	if !n.AuthTime().Equal(g.Session.AuthTime()) || !n.ExpiresAt().Equal(g.Session.ExpiresAt()) || n.Class() != "aal2" || !slices.Equal(n.Methods(), g.Session.Methods()) {
		t.Errorf("authenticated %v, over %v, class %q, methods %q", n.AuthTime(), n.ExpiresAt(), n.Class(), n.Methods())
	}
	if n.IdleExpiresAt().After(n.ExpiresAt()) {
		t.Error("idle after absolute")
	}
	if !w.cookieWorks(g) {
		t.Error("the origin ended")
	}
	w.events.take()
	w.end(g.Session.SID())
	wantNames(t, w.events.take(), "session_ended:logout", "session_ended:linked")
	if got := w.record(n.SID()).EndReason; got != lanyard.ReasonLinked {
		t.Errorf("the linked session ended with %q", got)
	}
}

func TestTakeOverEndsItsOriginAndStandsAlone(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	n := w.handoff(g, lanyard.ChannelToken, false)
	if w.cookieWorks(g) {
		t.Error("the origin works")
	}
	if got := w.record(g.Session.SID()).EndReason; got != lanyard.ReasonTakenOver {
		t.Errorf("the origin ended with %q", got)
	}
	if !n.Session.Origin().IsZero() || !w.bearerWorks(n) {
		t.Error("the new session does not stand alone")
	}
	w.mustRenew(n.Refresh.Reveal())
}

func TestHandoffCodeWorksOnceInTimeAndWhileItsSessionLives(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(*world, *lanyard.Grant, string)
		works bool
	}{
		{"at once", func(*world, *lanyard.Grant, string) {}, true},
		{"in its last second", func(w *world, _ *lanyard.Grant, _ string) { w.clock.advance(59 * time.Second) }, true},
		{"a minute later", func(w *world, _ *lanyard.Grant, _ string) { w.clock.advance(time.Minute) }, false},
		{"a second time", func(w *world, _ *lanyard.Grant, code string) {
			if _, err := w.Redeem(w.t.Context(), code, lanyard.Redemption{}); err != nil {
				w.t.Error(err)
			}
		}, false},
		{"after logout", func(w *world, g *lanyard.Grant, _ string) { w.end(g.Session.SID()) }, false},
		{"after step-up", func(w *world, g *lanyard.Grant, _ string) {
			if _, err := w.Elevate(w.t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}}); err != nil {
				w.t.Error(err)
			}
		}, false},
		{"after all of the subject's ended", func(w *world, _ *lanyard.Grant, _ string) {
			if _, err := w.EndAll(w.t.Context(), "ann", lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
				w.t.Error(err)
			}
		}, false},
		{"after everything ended", func(w *world, _ *lanyard.Grant, _ string) {
			if _, err := w.EndEverything(w.t.Context(), 0, lanyard.EndOptions{Reason: lanyard.ReasonRevokedAll}); err != nil {
				w.t.Error(err)
			}
		}, false},
	} {
		for _, keep := range []bool{true, false} {
			w := newWorld(t)
			g := w.startCookie()
			code := w.code(g, lanyard.ChannelCookie, keep)
			row.spoil(w, g, code)
			n, err := w.Redeem(t.Context(), code, lanyard.Redemption{})
			if (err == nil) != row.works {
				t.Errorf("%s, keep %v: %v", row.name, keep, err)
			}
			if err != nil {
				wantPublic(t, err, http.StatusBadRequest, "invalid_grant")
			} else if !w.cookieWorks(n) {
				t.Errorf("%s, keep %v: what was granted does not work", row.name, keep)
			}
		}
	}
}

func TestOfParallelRedemptionsOneWins(t *testing.T) {
	for _, keep := range []bool{true, false} {
		w := newWorld(t)
		g := w.startCookie()
		code := w.code(g, lanyard.ChannelCookie, keep)
		grants := make([]*lanyard.Grant, 16)
		together(len(grants), func(i int) {
			grants[i] = granted(w.Redeem(context.Background(), code, lanyard.Redemption{}))
		})
		grants = slices.DeleteFunc(grants, func(g *lanyard.Grant) bool { return g == nil })
		if len(grants) != 1 || !w.cookieWorks(grants[0]) {
			t.Errorf("keep %v: %d won", keep, len(grants))
		}
	}
}

// Two codes of one session cannot both take it over.
func TestOfTwoTakeOversOneWins(t *testing.T) {
	for range 50 {
		w := newWorld(t)
		g := w.startCookie()
		codes := []string{w.code(g, lanyard.ChannelCookie, false), w.code(g, lanyard.ChannelToken, false)}
		together(2, func(i int) { w.Redeem(context.Background(), codes[i], lanyard.Redemption{}) })
		live, _, err := w.List(t.Context(), lanyard.Query{Subject: "ann", LiveAt: lanyard.TimeOf(w.clock.Now())})
		if err != nil {
			t.Fatal(err)
		}
		if len(live) != 1 || live[0].SID() == g.Session.SID() {
			t.Fatalf("%d sessions live", len(live))
		}
	}
}

// At the limit of sessions the new session may push out the very one it came
// from; the person then has the new one, not none.
//
// req: LIFE-13
func TestHandoffAtTheLimitOfSessionsLeavesTheNewOne(t *testing.T) {
	for _, action := range []lanyard.LimitAction{lanyard.LimitEndOldest, lanyard.LimitEndLeastRecent} {
		for _, keep := range []bool{true, false} {
			w := newWorld(t, func(c *lanyard.Config) { c.Policy.MaxSessions, c.Policy.OnLimit = 1, action })
			g := w.startCookie()
			n, err := w.Redeem(t.Context(), w.code(g, lanyard.ChannelToken, keep), lanyard.Redemption{})
			if err != nil {
				t.Errorf("action %d, keep %v: %v", action, keep, err)
				continue
			}
			if w.cookieWorks(g) || !w.bearerWorks(n) {
				t.Errorf("action %d, keep %v: want the new session alone", action, keep)
			}
		}
	}
}

// Taking over makes no session more, so it needs no room; taking part where there
// is none costs nothing, not even the code.
//
// req: LIFE-13
func TestHandoffWithoutRoomSpendsNoCode(t *testing.T) {
	w := newWorld(t, func(c *lanyard.Config) { c.Policy.MaxSessions, c.Policy.OnLimit = 2, lanyard.LimitRefuse })
	other, first := w.startCookie(), w.startCookie()
	g, err := w.Redeem(t.Context(), w.code(first, lanyard.ChannelCookie, false), lanyard.Redemption{})
	if err != nil {
		t.Fatalf("taking over at the limit: %v", err)
	}
	if w.cookieWorks(first) || !w.cookieWorks(other) || !w.cookieWorks(g) {
		t.Error("want the new session in place of its origin, and the other as it was")
	}
	code := w.code(g, lanyard.ChannelToken, true)
	for range 2 {
		if _, err := w.Redeem(t.Context(), code, lanyard.Redemption{}); !errors.Is(err, lanyard.ErrLimit) {
			t.Fatalf("taking part at the limit: %v", err)
		}
	}
	w.end(other.Session.SID())
	n, err := w.Redeem(t.Context(), code, lanyard.Redemption{})
	if err != nil || !w.bearerWorks(n) || !w.cookieWorks(g) {
		t.Errorf("with the same code when there is room: %v", err)
	}
	w.end(n.Session.SID())
	_, err = w.Redeem(t.Context(), code, lanyard.Redemption{})
	wantCause(t, err, lanyard.CauseCode)
}

// Many take-overs and logins at once leave no more sessions than there may be.
//
// req: LIFE-13
func TestParallelTakeOversHoldTheLimit(t *testing.T) {
	for _, action := range []lanyard.LimitAction{lanyard.LimitEndOldest, lanyard.LimitRefuse} {
		w := newWorld(t, func(c *lanyard.Config) { c.Policy.MaxSessions, c.Policy.OnLimit = 5, action })
		var codes []string
		for range 5 {
			codes = append(codes, w.code(w.startCookie(), lanyard.ChannelToken, false))
		}
		together(15, func(i int) {
			if i < len(codes) {
				w.Redeem(context.Background(), codes[i], lanyard.Redemption{})
				return
			}
			w.Start(context.Background(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}})
		})
		live, _, err := w.List(t.Context(), lanyard.Query{Subject: "ann", LiveAt: lanyard.TimeOf(w.clock.Now())})
		if err != nil || len(live) > 5 {
			t.Errorf("action %d: %d sessions live, %v", action, len(live), err)
		}
	}
}

// Whichever store call of a redemption fails, the origin lives and nobody holds
// anything new.
//
// req: FIX-6, STORE-7
func TestRedemptionFailingAtEachStoreCallLosesNothing(t *testing.T) {
	for _, keep := range []bool{true, false} {
		for n := 1; n < 100; n++ {
			w := newWorld(t)
			g := w.startCookie()
			code := w.code(g, lanyard.ChannelToken, keep)
			w.store.arm(failAt(n))
			_, err := w.Redeem(t.Context(), code, lanyard.Redemption{})
			calls := w.store.made()
			w.store.arm(nil)
			if err == nil {
				if len(calls) < 4 {
					t.Fatalf("a redemption made only %v", calls)
				}
				break
			}
			wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
			if !w.cookieWorks(g) {
				t.Errorf("keep %v: call %d (%s) failed and the origin is over", keep, n, calls[n-1])
			}
			if _, err := w.Redeem(t.Context(), w.code(g, lanyard.ChannelToken, keep), lanyard.Redemption{}); err != nil {
				t.Errorf("keep %v: after call %d failed, another code: %v", keep, n, err)
			}
		}
	}
}

// req: LOG-4
func TestHandoffCodeTellsNothingAndNamesNobody(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	code := w.code(g, lanyard.ChannelToken, true)
	if strings.Contains(code, "ann") || strings.Contains(w.logs.String(), code) {
		t.Error("the code shows")
	}
	events := w.events.take()
	if e := events[len(events)-1]; e.Name != "code_issued" || strings.Contains(e.Attrs["channel"]+e.Reason, code) {
		t.Errorf("%+v", e)
	}
}

func TestHandoffOfNobodyIsRefused(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.Handoff(t.Context(), lanyard.From(t.Context()), lanyard.Handoff{Channel: lanyard.ChannelCookie})
	wantCause(t, err, lanyard.CauseNone)
	if _, _, err := w.Handoff(t.Context(), w.startCookie().Session, lanyard.Handoff{}); err == nil {
		t.Error("a code for no channel")
	}
}
