package lanyard_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// req: REVOKE-2, REVOKE-17
func TestRevokingATokenEndsItsSessionForItsOwnClientOnly(t *testing.T) {
	for name, of := range map[string]func(*lanyard.Grant) string{
		"refresh token": func(g *lanyard.Grant) string { return g.Refresh.Reveal() },
		"access token":  func(g *lanyard.Grant) string { return g.Access.Reveal() },
	} {
		w := newWorld(t)
		g := w.startToken()
		err := w.RevokeToken(t.Context(), of(g), "other")
		wantCause(t, err, lanyard.CauseClient)
		if !w.bearerWorks(g) {
			t.Fatalf("%s: another client ended the session", name)
		}
		w.store.arm(failAll)
		err = w.RevokeToken(t.Context(), of(g), lanyard.BuiltinClient)
		wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
		w.store.arm(nil)
		w.events.take()
		for range 2 { // a dead token is no error
			if err := w.RevokeToken(t.Context(), of(g), lanyard.BuiltinClient); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantNames(t, w.events.take(), "session_ended:token_revoked", "token_revoked")
		if w.bearerWorks(g) {
			t.Errorf("%s: the access token works", name)
		}
		_, err = w.renew(g.Refresh.Reveal())
		wantCause(t, err, lanyard.CauseEnded)
	}
	w := newWorld(t)
	for _, text := range []string{"", "garbage", newWorld(t).startToken().Refresh.Reveal()} {
		if err := w.RevokeToken(t.Context(), text, lanyard.BuiltinClient); err != nil {
			t.Errorf("%.8q: %v", text, err)
		}
	}
}

func TestFindRefreshKnowsTheCurrentTokenAndConsumesNothing(t *testing.T) {
	w := newWorld(t)
	first := w.startToken()
	second := w.mustRenew(first.Refresh.Reveal())
	for range 3 {
		s, err := w.FindRefresh(t.Context(), second.Refresh.Reveal())
		if err != nil || s.SID() != first.Session.SID() {
			t.Fatalf("%v", err)
		}
	}
	if _, err := w.FindRefresh(t.Context(), first.Refresh.Reveal()); err == nil {
		t.Error("a used token is current")
	}
	w.mustRenew(second.Refresh.Reveal())
	w.end(first.Session.SID())
	if _, err := w.FindRefresh(t.Context(), second.Refresh.Reveal()); err == nil {
		t.Error("a dead token is current")
	}
}

// req: JWT-13
func TestProgramIsNoPerson(t *testing.T) {
	w := newWorld(t)
	g, err := w.ProgramToken(t.Context(), "ann", nil, "read")
	if err != nil {
		t.Fatal(err)
	}
	s := w.send(bearer(get("/"), g.Access.Reveal()))
	if !s.ran || s.session.SignedIn() || !s.session.Program() || s.session.Client() != "ann" || s.session.Subject() != "" || s.session.Scope() != "read" || !s.session.SID().IsZero() {
		t.Errorf("signed in %v, program %v, client %q, subject %q", s.session.SignedIn(), s.session.Program(), s.session.Client(), s.session.Subject())
	}
	_, claims, err := w.CheckAccess(t.Context(), g.Access.Reveal())
	if err != nil || claims.Subject != "client:ann" || !slices.Equal(claims.Audience, []string{site}) {
		t.Errorf("%+v, %v", claims, err)
	}
	for name, do := range map[string]func() error{
		"step up": func() error {
			_, err := w.Elevate(t.Context(), s.session, lanyard.Elevation{Methods: []string{"otp"}})
			return err
		},
		"draw": func() error { _, err := w.AccessToken(t.Context(), s.session, ""); return err },
		"hand off": func() error {
			_, _, err := w.Handoff(t.Context(), s.session, lanyard.Handoff{Channel: lanyard.ChannelToken})
			return err
		},
	} {
		if err := do(); lanyard.CauseOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A token drawn from a cookie session is of that session: the same sid, the same
// end, and no refresh token.
//
// req: REVOKE-2, CSRF-14
func TestTokenDrawnFromACookieSessionEndsWithIt(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	drawn, err := w.AccessToken(t.Context(), g.Session, "")
	if err != nil {
		t.Fatal(err)
	}
	if !drawn.Refresh.IsZero() || !drawn.Handle.IsZero() || drawn.Session.SID() != g.Session.SID() {
		t.Errorf("it came with more than an access token")
	}
	s := w.send(bearer(get("/"), drawn.Access.Reveal()))
	if !s.ran || s.session.Channel() != lanyard.ChannelCookie || s.session.Via() != lanyard.ChannelToken {
		t.Errorf("channel %v via %v", s.session.Channel(), s.session.Via())
	}
	// The route that draws is an unsafe one, so a page of another site is refused
	// before it draws.
	r := w.withCookie(bare("POST"), g.Handle.Reveal())
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if s := w.send(r); s.ran {
		t.Error("a page of another site may draw")
	}
	w.end(g.Session.SID())
	if w.bearerWorks(drawn) {
		t.Error("it outlived its session")
	}
	_, err = w.AccessToken(t.Context(), g.Session, "")
	wantCause(t, err, lanyard.CauseEnded)
}

// req: LIFE-17
func TestEndingOnesSessionsNeedsARecentSignInWhereTheRouteSaysSo(t *testing.T) {
	w := newWorld(t)
	mine := w.startCookie()
	w.clock.advance(w.Policy().RecentAuth)
	need := lanyard.Need{MaxAge: lanyard.RecentAuth}
	if s := w.sendNeed(w.withCookie(post("/sessions/revoke"), mine.Handle.Reveal()), need); s.ran || s.answer.Code != http.StatusUnauthorized {
		t.Errorf("without: %d", s.answer.Code)
	}
	up, err := w.Elevate(t.Context(), mine.Session, lanyard.Elevation{Methods: []string{"pwd"}})
	if err != nil {
		t.Fatal(err)
	}
	if s := w.sendNeed(w.withCookie(post("/sessions/revoke"), up.Handle.Reveal()), need); !s.ran {
		t.Errorf("after a factor: %d", s.answer.Code)
	}
}

// A token made for one service must not open another, nor the issuer.
// req: JWT-10
func TestTokensDrawnForOneAudienceOpenNothingElse(t *testing.T) {
	w := newWorld(t, func(c *lanyard.Config) { c.Audiences = []string{"orders"} })
	session := w.startCookie().Session
	drawn, err := w.AccessToken(t.Context(), session, "orders")
	if err != nil {
		t.Fatal(err)
	}
	program, err := w.ProgramToken(t.Context(), "reports", []string{"orders"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]*lanyard.Grant{"drawn": drawn, "program": program} {
		if got := w.send(bearer(get("/"), g.Access.Reveal())); got.ran {
			t.Errorf("%s: a token for orders opened the issuer", name)
		}
		_, claims, err := w.CheckAccess(t.Context(), g.Access.Reveal())
		if err != nil || !slices.Equal(claims.Audience, []string{"orders"}) {
			t.Errorf("%s: audience %q, %v; want orders alone", name, claims.Audience, err)
		}
	}
}

// A short token drawn from a cookie session does not hold the session.
func TestADrawnTokenGivesNoShareOfItsSessionAway(t *testing.T) {
	w := newWorld(t)
	drawn, err := w.AccessToken(t.Context(), w.startCookie().Session, "")
	if err != nil {
		t.Fatal(err)
	}
	s := w.send(bearer(get("/"), drawn.Access.Reveal())).session
	if !s.SignedIn() {
		t.Fatal("the drawn token is not recognised")
	}
	_, _, err = w.Handoff(t.Context(), s, lanyard.Handoff{Channel: lanyard.ChannelToken, Keep: true})
	wantCause(t, err, lanyard.CauseChannel)
	_, err = w.Elevate(t.Context(), s, lanyard.Elevation{Methods: []string{"pwd"}})
	wantCause(t, err, lanyard.CauseChannel)
}
