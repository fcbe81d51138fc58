package lanyard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// req: LIFE-13
func TestFiftyParallelLoginsLeaveExactlyFiveSessions(t *testing.T) {
	stores := map[string]func(*testing.T) lanyard.Store{
		"memory": func(*testing.T) lanyard.Store { return memory.New() },
		"sqlite": openSQLite,
	}
	for engine, open := range stores {
		for name, action := range map[string]lanyard.LimitAction{
			"end the oldest": lanyard.LimitEndOldest, "end the least recent": lanyard.LimitEndLeastRecent, "refuse": lanyard.LimitRefuse,
		} {
			t.Run(engine+"/"+name, func(t *testing.T) {
				w := newWorldOn(t, open(t), newClock(), func(c *lanyard.Config) { c.Policy.MaxSessions, c.Policy.OnLimit = 5, action })
				grants := make([]*lanyard.Grant, 50)
				together(len(grants), func(i int) {
					g, err := w.Start(context.Background(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}})
					if err != nil && !(action == lanyard.LimitRefuse && errors.Is(err, lanyard.ErrLimit)) {
						t.Error(err)
					}
					grants[i] = g
				})
				live := 0
				for _, g := range grants {
					if g != nil && w.cookieWorks(g) {
						live++
					}
				}
				if live != 5 {
					t.Errorf("%d sessions live", live)
				}
				ended := 0
				for _, e := range w.events.take() {
					if e.Name == "session_ended" && e.Reason == "session_limit" {
						ended++
					}
				}
				if want := map[bool]int{true: 0, false: 45}[action == lanyard.LimitRefuse]; ended != want {
					t.Errorf("%d events of an end, want %d", ended, want)
				}
				if other := w.start(lanyard.Login{Subject: "bob"}); !w.cookieWorks(other) {
					t.Error("another subject is limited")
				}
			})
		}
	}
}

// req: LIFE-13
func TestWhichSessionTheLimitEnds(t *testing.T) {
	for action, want := range map[lanyard.LimitAction][]bool{
		lanyard.LimitEndOldest:      {false, true, true, true},
		lanyard.LimitEndLeastRecent: {true, false, true, true},
	} {
		w := newWorld(t, func(c *lanyard.Config) { c.Policy.MaxSessions, c.Policy.OnLimit = 3, action })
		var grants []*lanyard.Grant
		for range 3 {
			grants = append(grants, w.startCookie())
			w.clock.advance(time.Hour)
		}
		w.cookieWorks(grants[0]) // the oldest is the most recently active
		grants = append(grants, w.startCookie())
		var got []bool
		for _, g := range grants {
			got = append(got, w.cookieWorks(g))
		}
		if !slices.Equal(got, want) {
			t.Errorf("action %d: alive %v, want %v", action, got, want)
		}
	}
}

// req: LIFE-13
func TestExpiredSessionsDoNotCountForTheLimit(t *testing.T) {
	w := newWorld(t, func(c *lanyard.Config) { c.Policy.MaxSessions, c.Policy.OnLimit = 1, lanyard.LimitRefuse })
	g := w.startCookie()
	if _, err := w.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}}); !errors.Is(err, lanyard.ErrLimit) {
		t.Errorf("at the limit: %v", err)
	}
	if !w.cookieWorks(g) {
		t.Error("the refused login ended the other session")
	}
	w.clock.set(w.record(g.Session.SID()).IdleExpiresAt.Time())
	if !w.cookieWorks(w.startCookie()) {
		t.Error("refused for a session that is over")
	}
}

// req: REVOKE-22
func TestListShowsASubjectsOwnSessionsAndNoSecret(t *testing.T) {
	w := newWorld(t)
	cookie := w.start(lanyard.Login{Device: "laptop"})
	w.clock.advance(time.Second)
	tokens := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Device: "phone"})
	w.start(lanyard.Login{Subject: "bob"})
	list, next, err := w.List(t.Context(), lanyard.Query{Subject: "ann"})
	if err != nil || next != "" || len(list) != 2 {
		t.Fatalf("%d sessions, next %q, %v", len(list), next, err)
	}
	if list[0].SID() != tokens.Session.SID() || list[1].SID() != cookie.Session.SID() {
		t.Error("not the newest first")
	}
	if d := list[1].Device(); d.Label != "laptop" || d.IP != homeIP || d.UserAgent != phone || list[1].Channel() != lanyard.ChannelCookie || list[1].CreatedAt().IsZero() || list[1].LastActive().IsZero() {
		t.Errorf("%+v", d)
	}
	if _, _, err := w.List(t.Context(), lanyard.Query{After: "!"}); !errors.Is(err, lanyard.ErrBadCursor) {
		t.Errorf("a cursor of nobody: %v", err)
	}
	// A listed session is no way in: nothing of it can be turned into a badge.
	for _, s := range list {
		for _, d := range doors {
			if d.open(w, s.SID().String()) {
				t.Errorf("a sid opens the door for a %s", d.kind)
			}
		}
	}
}

// req: REVOKE-5, REVOKE-6, REVOKE-8, REVOKE-22
func TestScopesOfAnEnd(t *testing.T) {
	opts := lanyard.EndOptions{Reason: lanyard.ReasonAdmin, By: "root"}
	for _, row := range []struct {
		name string
		end  func(w *world, g []*lanyard.Grant) error
		live []bool // ann's cookie, ann's tokens, bob's cookie
	}{
		{"one", func(w *world, g []*lanyard.Grant) error { return w.End(t.Context(), g[1].Session.SID(), opts) }, []bool{true, false, true}},
		{"all of a subject", func(w *world, _ []*lanyard.Grant) error { _, err := w.EndAll(t.Context(), "ann", opts); return err }, []bool{false, false, true}},
		{"all others of a subject", func(w *world, g []*lanyard.Grant) error {
			o := opts
			o.Except = g[0].Session.SID()
			n, err := w.EndAll(t.Context(), "ann", o)
			if n != 1 {
				t.Errorf("%d ended", n)
			}
			return err
		}, []bool{true, false, true}},
		{"everything", func(w *world, _ []*lanyard.Grant) error { _, err := w.EndEverything(t.Context(), 0, opts); return err }, []bool{false, false, false}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			g := []*lanyard.Grant{w.startCookie(), w.startToken(), w.start(lanyard.Login{Subject: "bob"})}
			if err := row.end(w, g); err != nil {
				t.Fatal(err)
			}
			var live []bool
			for _, g := range g {
				live = append(live, w.use(g))
			}
			if !slices.Equal(live, row.live) {
				t.Errorf("alive %v, want %v", live, row.live)
			}
			if _, err := w.renew(g[1].Refresh.Reveal()); err == nil {
				t.Error("the refresh token works")
			}
			for _, subject := range []string{"ann", "bob"} {
				if again := w.start(lanyard.Login{Subject: subject, Channel: lanyard.ChannelToken}); !w.use(again) {
					t.Errorf("a later login of %s in the same instant is refused", subject)
				}
			}
		})
	}
}

// req: REVOKE-7
func TestChangeOfAFactorEndsTheOthersAndRotatesThisOne(t *testing.T) {
	w := newWorld(t)
	mine, cookie, tokens := w.startCookie(), w.startCookie(), w.startToken()
	up, err := w.Elevate(t.Context(), mine.Session, lanyard.Elevation{Methods: []string{"pwd"}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := w.EndAll(t.Context(), "ann", lanyard.EndOptions{Reason: lanyard.ReasonPasswordChanged, By: "ann", Except: mine.Session.SID()})
	if err != nil || n != 2 {
		t.Errorf("%d ended, %v", n, err)
	}
	if w.cookieWorks(mine) || w.cookieWorks(cookie) || w.bearerWorks(tokens) {
		t.Error("something from before the change works")
	}
	if !w.cookieWorks(up) {
		t.Error("whoever made the change is signed out")
	}
}

// req: REVOKE-5
func TestEndOfASubjectComparesNoClocks(t *testing.T) {
	store, here, there := memory.New(), newClock(), newClock()
	there.advance(-time.Hour)
	one, behind := newWorldOn(t, store, here), newWorldOn(t, store, there)
	before := behind.startCookie()
	if _, err := one.EndAll(t.Context(), "ann", lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
		t.Fatal(err)
	}
	after := behind.startCookie() // by its clock an hour before the end
	if one.cookieWorks(before) || behind.cookieWorks(before) {
		t.Error("a session from before works")
	}
	if !one.cookieWorks(after) || !behind.cookieWorks(after) {
		t.Error("a session from after does not")
	}
}

func TestEndSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	if err := w.End(t.Context(), g.Session.SID(), lanyard.EndOptions{}); err == nil || !strings.Contains(err.Error(), "Reason") {
		t.Errorf("without a reason: %v", err)
	}
	if err := w.End(t.Context(), lanyard.SID{1}, lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); !errors.Is(err, lanyard.ErrNotFound) {
		t.Errorf("an unknown sid: %v", err)
	}
	if _, err := w.EndAll(t.Context(), "", lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err == nil {
		t.Error("the end of nobody's sessions")
	}
	w.end(g.Session.SID())
	w.end(g.Session.SID()) // again is no error
	w.store.arm(failAll)
	err := w.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonAdmin})
	wantCause(t, err, lanyard.CauseStore)
	if lanyard.CauseOf(err) == "" {
		t.Error("an end that failed looks like one that was done")
	}
}

// req: REVOKE-13
func TestFeedEntryOutlastsEveryTokenItCovers(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	_, claims, err := w.CheckAccess(t.Context(), g.Access.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	w.end(g.Session.SID())
	entries, _, err := w.store.Store.Revocations(t.Context(), "", 10)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if !entries[0].Until.Time().After(claims.Expiry) {
		t.Errorf("forgotten at %v, the token lives until %v", entries[0].Until.Time(), claims.Expiry)
	}
	for w.clock.Now().Before(claims.Expiry) {
		if w.bearerWorks(g) {
			t.Fatal("the token works")
		}
		if err := w.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.entries(lanyard.EntrySession) != 1 {
			t.Fatalf("forgotten %v early", claims.Expiry.Sub(w.clock.Now()))
		}
		w.clock.advance(10 * time.Second)
	}
	w.clock.set(entries[0].Until.Time())
	if err := w.Prune(t.Context()); err != nil || w.entries(lanyard.EntrySession) != 0 {
		t.Errorf("kept for ever: %v", err)
	}
}
