package lanyard_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

// together runs do n times at once.
func together(n int, do func(i int)) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-gate
			do(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}

// req: REFRESH-4
func TestSixtyFourCallersWithOneRefreshTokenGetOneSuccessor(t *testing.T) {
	for range 20 {
		c := newChain(newWorld(t))
		c.rotate(1)
		c.counts.take("refresh")
		got := make([]string, 64)
		together(len(got), func(i int) {
			g, err := c.Renew(context.Background(), c.newest(), lanyard.Renewal{UserAgent: phone, IP: homeIP})
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
				return
			}
			got[i] = g.Refresh.Reveal()
		})
		slices.Sort(got)
		if distinct := slices.Compact(got); len(distinct) != 1 {
			t.Fatalf("%d successors", len(distinct))
		}
		wantCounts(t, c.counts.take("refresh"), map[string]int{"rotated": 1, "retried": 63})
		if f := c.record(c.sid).Refresh; f.Counter != 2 {
			t.Fatalf("the family is at %d, want 2", f.Counter)
		}
	}
}

// req: REFRESH-1, REFRESH-4
func TestWithoutAWindowOneCallerGetsTokensAndTheFamilyEnds(t *testing.T) {
	for range 20 {
		c := newChain(newWorld(t, profile("strict")))
		c.events.take()
		c.counts.take("refresh")
		var mu sync.Mutex
		var granted []string
		together(16, func(int) {
			g, err := c.Renew(context.Background(), c.tokens[0], lanyard.Renewal{UserAgent: phone, IP: homeIP})
			if err == nil {
				mu.Lock()
				granted = append(granted, g.Refresh.Reveal())
				mu.Unlock()
			}
		})
		if len(granted) != 1 {
			t.Fatalf("%d callers got tokens", len(granted))
		}
		if _, err := c.renew(granted[0]); lanyard.CauseOf(err) != lanyard.CauseEnded {
			t.Fatalf("the family lives on: %v", err)
		}
		critical := 0
		for _, e := range c.events.take() {
			if e.Name == "refresh_reused" {
				critical++
			}
		}
		if critical != 1 {
			t.Fatalf("%d events of reuse, want 1", critical)
		}
	}
}

// A parallel call on another node, or after a restart, computes the same
// successor: nothing but the record and the keys is needed.
//
// req: REFRESH-3, REFRESH-4
func TestAnotherNodeYieldsTheSameSuccessorAndKnowsEveryAncestor(t *testing.T) {
	store, c := memory.New(), newClock()
	one := newChain(newWorldOn(t, store, c))
	other := newWorldOn(t, store, c)
	one.rotate(5)
	g, err := other.renew(one.tokens[4])
	if err != nil || g.Refresh.Reveal() != one.tokens[5] {
		t.Fatalf("the other node: %v, same successor: %v", err, err == nil && g.Refresh.Reveal() == one.tokens[5])
	}
	_, err = other.renew(one.tokens[0])
	wantCause(t, err, lanyard.CauseReuse)
	_, err = one.renew(one.tokens[5])
	wantCause(t, err, lanyard.CauseEnded)
}

// req: REFRESH-2
func TestReuseEndsTheAccessTokensOfTheSessionToo(t *testing.T) {
	c := newChain(newWorld(t))
	g := c.mustRenew(c.tokens[0])
	newest := c.mustRenew(g.Refresh.Reveal())
	if !c.bearerWorks(newest) {
		t.Fatal("the access token does not work before")
	}
	if _, err := c.renew(c.tokens[0]); lanyard.CauseOf(err) != lanyard.CauseReuse {
		t.Fatal(err)
	}
	for _, g := range []*lanyard.Grant{g, newest} {
		if c.bearerWorks(g) {
			t.Error("an access token outlived its family")
		}
		if _, err := c.renew(g.Refresh.Reveal()); err == nil {
			t.Error("a refresh token outlived its family")
		}
	}
}

// req: REFRESH-5, REFRESH-13, LIFE-3, JWT-14
func TestRotatingMovesNeitherTheAbsoluteLimitNorTheAuthentication(t *testing.T) {
	w := newWorld(t, profile("strict")) // absolute 24 h, token idle 12 h
	g := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Methods: []string{"pwd", "otp"}, Class: "aal2"})
	limit, auth := g.Session.ExpiresAt(), g.Session.AuthTime()
	for w.clock.Now().Add(time.Hour).Before(limit) {
		w.clock.advance(time.Hour)
		g = w.mustRenew(g.Refresh.Reveal())
		if !g.Session.ExpiresAt().Equal(limit) || !g.Session.AuthTime().Equal(auth) || g.Session.IdleExpiresAt().After(limit) {
			t.Fatalf("limits moved: %v, %v, %v", g.Session.ExpiresAt(), g.Session.AuthTime(), g.Session.IdleExpiresAt())
		}
		_, claims, err := w.CheckAccess(t.Context(), g.Access.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if !claims.AuthTime.Equal(auth) || claims.ACR != "aal2" || !slices.Equal(claims.AMR, []string{"pwd", "otp"}) {
			t.Fatalf("the token tells of another authentication: %+v", claims)
		}
	}
	w.clock.set(limit)
	_, err := w.renew(g.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseExpired)
	if got := w.record(g.Session.SID()).EndReason; got != lanyard.ReasonExpired {
		t.Errorf("ended with %q", got)
	}
}

// req: REFRESH-6
func TestUnusedRefreshTokenExpires(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	w.clock.advance(w.Policy().TokenIdleTimeout - time.Millisecond)
	g = w.mustRenew(g.Refresh.Reveal())
	w.clock.advance(w.Policy().TokenIdleTimeout)
	_, err := w.renew(g.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseIdle)
}

// req: REFRESH-9, JWT-10
func TestScopeAndAudienceMayShrinkForTheAccessTokenAndNeverGrow(t *testing.T) {
	w := newWorld(t)
	g := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Scope: "read write", Resource: "orders"})
	refresh := g.Refresh.Reveal()
	try := func(n lanyard.Renewal) (*lanyard.Grant, error) {
		n.UserAgent, n.IP = phone, homeIP
		return w.Renew(t.Context(), refresh, n)
	}
	for _, row := range []struct {
		name string
		ask  lanyard.Renewal
		code string
	}{
		{"a scope more", lanyard.Renewal{Scope: "read admin"}, "invalid_scope"},
		{"an audience not granted", lanyard.Renewal{Resource: "billing"}, "invalid_target"},
		{"an audience nobody knows", lanyard.Renewal{Resource: "https://evil.example"}, "invalid_target"},
	} {
		before := *w.record(g.Session.SID()).Refresh
		_, err := try(row.ask)
		wantPublic(t, err, http.StatusBadRequest, row.code)
		if *w.record(g.Session.SID()).Refresh != before {
			t.Errorf("%s: the refusal consumed the token", row.name)
		}
	}
	claims := func(g *lanyard.Grant, err error) *token.Claims {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		refresh = g.Refresh.Reveal()
		_, c, err := w.CheckAccess(t.Context(), g.Access.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := claims(try(lanyard.Renewal{Scope: "read", Resource: site})); c.Scope != "read" || !slices.Equal(c.Audience, []string{site}) {
		t.Errorf("narrowed: scope %q, audience %q", c.Scope, c.Audience)
	}
	if c := claims(try(lanyard.Renewal{})); c.Scope != "read write" || !slices.Equal(c.Audience, []string{site, "orders"}) {
		t.Errorf("the family shrank: scope %q, audience %q", c.Scope, c.Audience)
	}
}

// req: REFRESH-11, REFRESH-12
func TestSubjectIsAskedAtEachRefresh(t *testing.T) {
	state := lanyard.SubjectState{Claims: map[string]any{"role": "editor"}}
	var fail error
	w := newWorld(t, func(c *lanyard.Config) {
		c.Subject = func(_ context.Context, subject string) (lanyard.SubjectState, error) {
			if subject != "ann" {
				return lanyard.SubjectState{}, errors.New("another subject was asked about: " + subject)
			}
			return state, fail
		}
	})
	g := w.startToken()
	role := func(g *lanyard.Grant) any {
		_, c, err := w.CheckAccess(t.Context(), g.Access.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		return c.Extra["role"]
	}
	if role(g) != "editor" {
		t.Error("the first token lacks the role")
	}
	state.Claims = nil
	if g = w.mustRenew(g.Refresh.Reveal()); role(g) != nil {
		t.Error("a removed role is in the next token")
	}

	fail = errors.New("directory away")
	_, err := w.renew(g.Refresh.Reveal())
	wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
	fail = nil
	g = w.mustRenew(g.Refresh.Reveal())

	state.Disabled = true
	w.events.take()
	_, err = w.renew(g.Refresh.Reveal())
	wantPublic(t, err, http.StatusBadRequest, "invalid_grant")
	wantNames(t, w.events.take(), "session_ended:subject_disabled")
	state.Disabled = false
	_, err = w.renew(g.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseEnded)
	if w.bearerWorks(g) {
		t.Error("an access token of a disabled subject works")
	}
}

// req: REFRESH-15, REFRESH-10
func TestRefreshTokenIsOpaqueAndOpensNoResource(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	raw, err := base64.RawURLEncoding.DecodeString(g.Refresh.Reveal())
	if err != nil || len(raw) != 75 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if strings.Contains(string(raw), "ann") {
		t.Error("the subject is in it")
	}
	s := w.send(bearer(get("/"), g.Refresh.Reveal()))
	if s.ran || s.answer.Code != http.StatusUnauthorized {
		t.Errorf("as bearer: ran %v, %d", s.ran, s.answer.Code)
	}
	if s := w.send(w.withCookie(get("/"), g.Refresh.Reveal())); s.session.SignedIn() {
		t.Error("as cookie: signed in")
	}
}

// Whichever store call of a refresh fails, the client still has a token that
// works: the one it holds. Where the engine did the step and the answer was lost
// the retry window gives the same successor again.
//
// req: REFRESH-17, FIX-6, STORE-7
func TestRefreshFailingAtEachStoreCallLosesNothing(t *testing.T) {
	// The predecessor is presented in the second row: its repeat writes too.
	for _, row := range []struct {
		name   string
		tokens int
		moved  bool
	}{{"current", 1, false}, {"predecessor that moved", 2, true}} {
		t.Run(row.name, func(t *testing.T) {
			for n := 1; n < 100; n++ {
				c := newChain(newWorld(t))
				c.rotate(row.tokens - 1)
				if row.moved {
					c.at.IP = trainIP
				}
				c.store.arm(failAt(n))
				_, err := c.Renew(t.Context(), c.tokens[0], c.at)
				c.store.arm(nil)
				if err == nil {
					if n < 3 {
						t.Fatalf("a refresh takes %d calls, fewer than a read and a write", n-1)
					}
					return
				}
				wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
				if strings.Contains(publicMessage(err), "10.1.2.3") {
					t.Error("the answer shows the engine's words")
				}
				if _, err := c.Renew(t.Context(), c.tokens[0], c.at); err != nil {
					t.Fatalf("call %d failed, and then: %v", n, err)
				}
			}
		})
	}
}

func publicMessage(err error) string {
	refused, _ := errors.AsType[*lanyard.Refused](err)
	_, code, message := refused.Public()
	return code + message
}

// The engine may have done what it said it could not.
//
// req: REFRESH-17, FIX-6
func TestRefreshWhoseWriteWasDoneButNotAnsweredIsRetried(t *testing.T) {
	c := newChain(newWorld(t))
	inner := c.store.Store
	c.store.Store = &mute{Store: inner}
	_, err := c.renew(c.tokens[0])
	wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
	c.store.Store = inner
	if got := c.record(c.sid).Refresh.Counter; got != 1 {
		t.Fatalf("the family is at %d; the test wants a write that was done", got)
	}
	g := c.mustRenew(c.tokens[0])
	c.mustRenew(g.Refresh.Reveal())
}

// mute does what it is told and says that it failed.
type mute struct{ lanyard.Store }

func (m *mute) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	if err := m.Store.Update(ctx, rec, announce...); err != nil {
		return err
	}
	return errEngine
}

// A family whose end could not be written is not reported as ended: the client
// is told to come back, and the next presentation ends it.
//
// req: REFRESH-2, STORE-7
func TestReuseWhileTheStoreCannotEndTheFamilyAnswers503(t *testing.T) {
	c := newChain(newWorld(t))
	c.rotate(3)
	c.events.take()
	c.store.arm(func(call string, _ int) error {
		if call == "Revoke" {
			return errEngine
		}
		return nil
	})
	_, err := c.renew(c.tokens[0])
	wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
	wantNames(t, c.events.take())
	c.store.arm(nil)
	_, err = c.renew(c.tokens[0])
	wantCause(t, err, lanyard.CauseReuse)
	wantNames(t, c.events.take(), "session_ended:refresh_reuse", "refresh_reused:reused-stale")
}

// A signing key that cannot be used must not cost a client its session: nothing
// is consumed for an answer that cannot be given.
//
// req: REFRESH-17
func TestRefreshThatCannotBeSignedConsumesNothing(t *testing.T) {
	for _, name := range []string{"standard", "strict"} {
		keys := &fickleKeys{}
		w := newWorld(t, profile(name), func(c *lanyard.Config) {
			keys.TokenKeys = c.TokenKeys
			c.TokenKeys = keys
		})
		g := w.startToken()
		keys.fail = errors.New("the key service is away")
		if _, err := w.renew(g.Refresh.Reveal()); err == nil {
			t.Fatalf("%s: a token was signed without a key", name)
		}
		keys.fail = nil
		if _, err := w.renew(g.Refresh.Reveal()); err != nil {
			t.Errorf("%s: the next try: %v", name, err)
		}
	}
}

// fickleKeys cannot always sign.
type fickleKeys struct {
	lanyard.TokenKeys
	fail error
}

func (k *fickleKeys) Signing(now time.Time) (*token.Key, error) {
	if k.fail != nil {
		return nil, k.fail
	}
	return k.TokenKeys.Signing(now)
}
