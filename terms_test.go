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
	"github.com/lanyard-go/lanyard/token"
)

// What the application adds to tokens has bounds. A hook that oversteps them costs
// nobody a session: the refresh token works again as soon as the hook is right.
func TestClaimsOfTheApplicationHaveBounds(t *testing.T) {
	claims := map[string]any{"role": "editor"}
	w := newWorld(t, func(c *lanyard.Config) {
		c.Subject = func(context.Context, string) (lanyard.SubjectState, error) {
			return lanyard.SubjectState{Claims: claims}, nil
		}
	})
	g, cookie := w.startToken(), w.startCookie()
	for name, bad := range map[string]map[string]any{
		"a registered name":         {"sub": "root"},
		"one in another case":       {"AUD": "billing"},
		"the session's id":          {"sid": "x"},
		"the place of a binding":    {"cnf": map[string]any{"jkt": "x"}},
		"another kind of token's":   {"events": map[string]any{}},
		"an empty name":             {"": 1},
		"too much":                  {"list": strings.Repeat("x", token.MaxExtra)},
		"too deep":                  {"a": [][][][][][][][][]int{{{{{{{{{1}}}}}}}}}},
		"what JSON has no form for": {"f": func() {}},
	} {
		claims = bad
		if _, err := w.renew(g.Refresh.Reveal()); !errors.Is(err, token.ErrClaims) {
			t.Errorf("%s, at a refresh: %v", name, err)
		}
		if _, err := w.AccessToken(t.Context(), cookie.Session, ""); !errors.Is(err, token.ErrClaims) {
			t.Errorf("%s, drawn: %v", name, err)
		}
	}
	claims = map[string]any{"role": "reader", "list": strings.Repeat("x", token.MaxExtra-100)}
	g = w.mustRenew(g.Refresh.Reveal())
	_, c, err := w.CheckAccess(t.Context(), g.Access.Reveal())
	if err != nil || c.Extra["role"] != "reader" || c.Subject != "ann" {
		t.Errorf("%+v, %v", c, err)
	}
}

// req: REFRESH-6
func TestClientsLimitsAreAskedWheneverTokensAreSigned(t *testing.T) {
	limits := lanyard.ClientLimits{AccessTokenTTL: time.Minute, RefreshIdle: time.Hour}
	var fail error
	var asked []string
	w := newWorld(t, func(c *lanyard.Config) {
		c.Client = func(_ context.Context, id string) (lanyard.ClientLimits, error) {
			asked = append(asked, id)
			return limits, fail
		}
	})
	short := func(what string, g *lanyard.Grant, err error) {
		t.Helper()
		if err != nil || g.ExpiresIn > limits.AccessTokenTTL || g.ExpiresIn < limits.AccessTokenTTL*95/100-time.Second {
			t.Fatalf("%s: %v, %v", what, g, err)
		}
	}
	ofShop := lanyard.Renewal{Client: "shop", UserAgent: phone, IP: homeIP}
	g := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Client: "shop"})
	short("a login", g, nil)
	for range 3 {
		w.clock.advance(59 * time.Minute)
		next, err := w.Renew(t.Context(), g.Refresh.Reveal(), ofShop)
		short("a refresh", next, err)
		g = next
	}
	lifted, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}})
	short("a step-up", lifted, err)
	drawn, err := w.AccessToken(t.Context(), w.start(lanyard.Login{Client: "shop"}).Session, "")
	short("a drawn one", drawn, err)
	own, err := w.ProgramToken(t.Context(), "shop", nil, "")
	short("a program's own", own, err)

	// While the application cannot be asked, nothing is signed and nothing used up.
	fail = errors.New("directory away")
	_, err = w.Renew(t.Context(), lifted.Refresh.Reveal(), ofShop)
	wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
	_, err = w.ProgramToken(t.Context(), "shop", nil, "")
	wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
	fail = nil
	// A wider limit is none.
	limits.AccessTokenTTL = time.Hour
	next, err := w.Renew(t.Context(), lifted.Refresh.Reveal(), ofShop)
	if err != nil || next.ExpiresIn > w.Policy().AccessTokenTTL {
		t.Fatalf("a wider limit: %v, %v", next, err)
	}
	// A token that was not used in time ends its session.
	w.events.take()
	w.clock.advance(time.Hour)
	_, err = w.Renew(t.Context(), next.Refresh.Reveal(), ofShop)
	wantPublic(t, err, http.StatusBadRequest, "invalid_grant")
	if got := names(w.events.take()); !slices.Contains(got, "session_ended:idle_timeout") {
		t.Errorf("events %v", got)
	}
	// The built-in client has the policy's limits, and nobody is asked about it.
	if asked = nil; w.startToken().ExpiresIn < 4*time.Minute || asked != nil {
		t.Errorf("asked about %v", asked)
	}
}

func TestAnInternalTokenIsForOneServiceAndAMinute(t *testing.T) {
	w := newWorld(t)
	g := w.start(lanyard.Login{Methods: []string{"pwd", "otp"}, Class: "aal2", Scope: "read"})
	w.events.take()
	drawn, err := w.InternalToken(t.Context(), g.Session, "stock")
	if err != nil {
		t.Fatal(err)
	}
	_, c, err := w.CheckAccess(t.Context(), drawn.Access.Reveal())
	if err != nil || !slices.Equal(c.Audience, []string{"stock"}) || c.SID != g.Session.SID().String() || c.Generation != 1 || c.ACR != "aal2" || c.Scope != "read" ||
		!slices.Equal(c.AMR, []string{"pwd", "otp"}) || drawn.ExpiresIn > lanyard.InternalTokenTTL || drawn.Refresh.Reveal() != "" || drawn.Handle.Reveal() != "" {
		t.Errorf("%+v, %v", c, err)
	}
	if got := w.events.take(); len(got) != 0 {
		t.Errorf("events %v", names(got))
	}
	if n := w.counts.take("internal_token"); n["issued"] != 1 {
		t.Errorf("counts %v", n)
	}
	for _, audience := range []string{"", site} {
		_, err := w.InternalToken(t.Context(), g.Session, audience)
		wantCause(t, err, lanyard.CauseAudience)
	}
	w.end(g.Session.SID())
	_, err = w.InternalToken(t.Context(), g.Session, "stock")
	wantCause(t, err, lanyard.CauseEnded)
	if _, _, err := w.CheckAccess(t.Context(), drawn.Access.Reveal()); lanyard.CauseOf(err) != lanyard.CauseEnded {
		t.Errorf("it outlives its session: %v", err)
	}
}

func TestResourceMetadataMustBeAnAddress(t *testing.T) {
	for _, bad := range []string{"metadata", "/metadata", "https://app.example/\"x", "https://app.example/\n", ":"} {
		m := lanyard.Config{Issuer: site, ResourceMetadata: bad}
		if _, err := lanyard.New(newWorld(t).store, m); err == nil || !strings.Contains(err.Error(), "Config.ResourceMetadata") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
