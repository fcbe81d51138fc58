package lanyard_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
)

// occasion is something that must be reported once.
type occasion struct {
	name  string
	cause func(t *testing.T, w *world, g *lanyard.Grant)
	want  []string
}

var occasions = []occasion{
	{"a login", func(_ *testing.T, w *world, _ *lanyard.Grant) { w.startCookie() }, []string{"session_created"}},
	{"a refresh", func(_ *testing.T, w *world, g *lanyard.Grant) { w.mustRenew(g.Refresh.Reveal()) }, []string{"token_refreshed:rotated", "session_rotated:rotated"}},
	{"a repeated refresh", func(_ *testing.T, w *world, g *lanyard.Grant) {
		w.mustRenew(g.Refresh.Reveal())
		w.events.take()
		w.mustRenew(g.Refresh.Reveal())
	}, []string{"refresh_retried:retried"}},
	{"a reused refresh token", func(_ *testing.T, w *world, g *lanyard.Grant) {
		w.mustRenew(w.mustRenew(g.Refresh.Reveal()).Refresh.Reveal())
		w.events.take()
		w.renew(g.Refresh.Reveal())
	}, []string{"session_ended:refresh_reuse", "refresh_reused:reused-stale"}},
	{"a step-up", func(t *testing.T, w *world, g *lanyard.Grant) {
		if _, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}}); err != nil {
			t.Fatal(err)
		}
	}, []string{"session_elevated", "session_rotated:elevated"}},
	{"a token drawn", func(t *testing.T, w *world, g *lanyard.Grant) {
		if _, err := w.AccessToken(t.Context(), g.Session, ""); err != nil {
			t.Fatal(err)
		}
	}, []string{"token_issued"}},
	{"a program's token", func(t *testing.T, w *world, _ *lanyard.Grant) {
		if _, err := w.ProgramToken(t.Context(), "robot", nil, ""); err != nil {
			t.Fatal(err)
		}
	}, []string{"token_issued"}},
	{"a code made", func(_ *testing.T, w *world, g *lanyard.Grant) { w.code(g, lanyard.ChannelToken, true) }, []string{"code_issued"}},
	{"a code redeemed", func(_ *testing.T, w *world, g *lanyard.Grant) {
		w.handoff(g, lanyard.ChannelCookie, true)
	}, []string{"code_issued", "session_created", "code_redeemed"}},
	{"a suspected forgery", func(_ *testing.T, w *world, _ *lanyard.Grant) {
		c := w.startCookie()
		w.events.take()
		w.send(w.withCookie(bare("POST"), c.Handle.Reveal()))
	}, []string{"csrf_refused:no_headers"}},
	{"a cookie sent twice", func(_ *testing.T, w *world, _ *lanyard.Grant) {
		w.send(withRaw(get("/"), w.CookieName()+"=a; "+w.CookieName()+"=b"))
	}, []string{"cookie_ambiguous:ambiguous"}},
	{"a token after the end", func(_ *testing.T, w *world, g *lanyard.Grant) {
		w.end(g.Session.SID())
		w.events.take()
		for range 5 { // within a minute it is one event
			w.send(bearer(get("/"), g.Access.Reveal()))
		}
	}, []string{"session_used_after_end:ended"}},
	{"a cookie of before a step-up", func(t *testing.T, w *world, _ *lanyard.Grant) {
		c := w.startCookie()
		if _, err := w.Elevate(t.Context(), c.Session, lanyard.Elevation{Methods: []string{"otp"}}); err != nil {
			t.Fatal(err)
		}
		w.events.take()
		for range 200 { // it is ours, so presenting it is no guessing
			w.send(w.withCookie(get("/"), c.Handle.Reveal()))
		}
	}, []string{"session_used_after_end:old_generation"}},
	{"a cookie after the end", func(_ *testing.T, w *world, _ *lanyard.Grant) {
		c := w.startCookie()
		w.end(c.Session.SID())
		w.events.take()
		for range 5 {
			w.send(w.withCookie(get("/"), c.Handle.Reveal()))
		}
	}, []string{"session_used_after_end:ended"}},
}

// req: LOG-3
func TestEachOccasionIsReportedOnceAndInFull(t *testing.T) {
	for _, o := range occasions {
		t.Run(o.name, func(t *testing.T) {
			w := newWorld(t)
			g := w.startToken()
			w.events.take()
			o.cause(t, w, g)
			events := w.events.take()
			wantNames(t, events, o.want...)
			for _, e := range events {
				if !e.Time.Equal(w.clock.Now()) || e.Time.Location().String() != "UTC" {
					t.Errorf("%s: time %v", e.Name, e.Time)
				}
			}
		})
	}
}

// req: REVOKE-23
func TestEachCauseOfAnEndHasOneEventWithItsReason(t *testing.T) {
	end := func(reason lanyard.Reason) func(*testing.T, *world, *lanyard.Grant) {
		return func(t *testing.T, w *world, g *lanyard.Grant) {
			if err := w.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: reason, By: "root"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for reason, cause := range map[lanyard.Reason]func(*testing.T, *world, *lanyard.Grant){
		lanyard.ReasonLogout: end(lanyard.ReasonLogout), lanyard.ReasonUser: end(lanyard.ReasonUser), lanyard.ReasonAdmin: end(lanyard.ReasonAdmin),
		lanyard.ReasonIdle: func(_ *testing.T, w *world, g *lanyard.Grant) {
			w.clock.set(g.Session.IdleExpiresAt())
			w.renew(g.Refresh.Reveal())
		},
		lanyard.ReasonExpired: func(_ *testing.T, w *world, g *lanyard.Grant) {
			w.clock.set(g.Session.ExpiresAt())
			w.renew(g.Refresh.Reveal())
		},
		lanyard.ReasonRefreshReuse: func(_ *testing.T, w *world, g *lanyard.Grant) {
			w.mustRenew(w.mustRenew(g.Refresh.Reveal()).Refresh.Reveal())
			w.renew(g.Refresh.Reveal())
		},
		lanyard.ReasonTakenOver: func(_ *testing.T, w *world, g *lanyard.Grant) { w.handoff(g, lanyard.ChannelToken, false) },
		lanyard.ReasonLinked: func(_ *testing.T, w *world, g *lanyard.Grant) {
			w.end(g.Session.SID()) // of the linked one, see below
		},
		lanyard.ReasonPasswordChanged: func(t *testing.T, w *world, _ *lanyard.Grant) {
			if _, err := w.EndAll(t.Context(), "ann", lanyard.EndOptions{Reason: lanyard.ReasonPasswordChanged, By: "ann"}); err != nil {
				t.Fatal(err)
			}
		},
		lanyard.ReasonDisabled: func(t *testing.T, w *world, _ *lanyard.Grant) {
			if _, err := w.EndAll(t.Context(), "ann", lanyard.EndOptions{Reason: lanyard.ReasonDisabled, By: "root"}); err != nil {
				t.Fatal(err)
			}
		},
		lanyard.ReasonRevokedAll: func(t *testing.T, w *world, g *lanyard.Grant) {
			if _, err := w.EndEverything(t.Context(), 0, lanyard.EndOptions{Reason: lanyard.ReasonRevokedAll, By: "root"}); err != nil {
				t.Fatal(err)
			}
			w.renew(g.Refresh.Reveal()) // it is met
		},
		lanyard.ReasonTokenRevoked: func(t *testing.T, w *world, g *lanyard.Grant) {
			if err := w.RevokeToken(t.Context(), g.Refresh.Reveal(), lanyard.BuiltinClient); err != nil {
				t.Fatal(err)
			}
		},
		lanyard.ReasonLimit: func(_ *testing.T, w *world, _ *lanyard.Grant) {
			for range 9 {
				w.clock.advance(time.Second)
				w.startCookie()
			}
		},
	} {
		t.Run(string(reason), func(t *testing.T) {
			w := newWorld(t, func(c *lanyard.Config) { c.Policy.MaxSessions = 9 })
			g := w.startToken()
			sid := g.Session.SID().String()
			if reason == lanyard.ReasonLinked {
				sid = w.handoff(g, lanyard.ChannelCookie, true).Session.SID().String()
			}
			w.events.take()
			cause(t, w, g)
			// Whatever comes later, nothing is reported a second time.
			w.bearerWorks(g)
			w.renew(g.Refresh.Reveal())
			w.end(g.Session.SID())
			if err := w.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			var ends []audit.Event
			for _, e := range w.events.take() {
				if e.Name == audit.SessionEnded && e.SID == sid {
					ends = append(ends, e)
				}
			}
			if len(ends) != 1 || ends[0].Reason != string(reason) || ends[0].Subject != "ann" || ends[0].Actor == "" {
				t.Errorf("%d events: %+v", len(ends), ends)
			}
		})
	}
}

// What happens in a request is reported with that request's address and name,
// not with those of the login long ago.
//
// req: LOG-2, LOG-12
func TestEventsOfARequestNameItsSourceAndItself(t *testing.T) {
	w := newWorld(t)
	victim := w.start(lanyard.Login{Subject: "bob", IP: hotelIP})
	admin := w.start(lanyard.Login{Subject: "root"})
	w.events.take()
	r := w.withCookie(post("/end"), admin.Handle.Reveal())
	r.RemoteAddr = trainIP + ":4711"
	r = r.WithContext(lanyard.WithRequestID(r.Context(), "req-9"))
	w.within(r, func(_ http.ResponseWriter, r *http.Request) {
		if err := w.End(r.Context(), victim.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonAdmin, By: "root"}); err != nil {
			t.Error(err)
		}
	})
	events := w.events.take()
	wantNames(t, events, "session_ended:admin")
	if e := events[0]; e.Source != trainIP || e.RequestID != "req-9" || e.Actor != "root" || e.Subject != "bob" || e.SID != victim.Session.SID().String() {
		t.Errorf("%+v", e)
	}
	// A source named by the program itself stands.
	named := lanyard.WithSource(context.Background(), "192.0.2.1")
	if err := w.End(named, admin.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonAdmin, By: "root"}); err != nil {
		t.Fatal(err)
	}
	if e := w.events.take()[0]; e.Source != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
}

// req: LOG-2
func TestLoginEventTellsWhoAndHow(t *testing.T) {
	w := newWorld(t)
	r := post("/login")
	r.RemoteAddr = trainIP + ":1"
	g, err := w.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd", "otp"}, Channel: lanyard.ChannelToken, Request: r})
	if err != nil {
		t.Fatal(err)
	}
	e := w.events.take()[0]
	if e.Subject != "ann" || e.Actor != "ann" || e.SID != g.Session.SID().String() || e.Source != trainIP || strings.Join(e.Methods, " ") != "pwd otp" || e.Attrs["channel"] != "token" {
		t.Errorf("%+v", e)
	}
}

// A dead refresh token presented again and again is one event a minute, like a
// dead cookie: an attacker must not be able to fill the audit trail.
func TestDeadRefreshTokenCannotFloodTheAuditTrail(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	w.end(g.Session.SID())
	w.events.take()
	for range 100 {
		w.renew(g.Refresh.Reveal())
	}
	wantNames(t, w.events.take(), "session_used_after_end:ended")
}

// A sink that fails is reported, and the request goes on.
func TestFailingSinkIsReported(t *testing.T) {
	broken := sinkFunc(func(context.Context, audit.Event) error { return errEngine })
	w := newWorld(t, func(c *lanyard.Config) { c.Audit = broken })
	if !w.cookieWorks(w.startCookie()) {
		t.Error("refused")
	}
	if !strings.Contains(w.logs.String(), "writing an audit event failed") {
		t.Error("nothing in the log")
	}
	wantCounts(t, w.counts.take("audit"), map[string]int{"failed": 1})
}

type sinkFunc func(context.Context, audit.Event) error

func (f sinkFunc) Record(ctx context.Context, e audit.Event) error { return f(ctx, e) }

// Activity that moves the idle limit has an event in each hour that has any, and
// not one for every write.
func TestActivityHasAnEventAnHour(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	w.events.take()
	count := func() (n int) {
		for _, name := range names(w.events.take()) {
			if name == "session_renewed" {
				n++
			}
		}
		return n
	}
	visit := func() { w.send(w.withCookie(get("/"), g.Handle.Reveal())) }
	policy := w.Policy()
	lag := policy.ActivityLag(lanyard.ChannelCookie)
	w.clock.set(w.clock.Now().Truncate(time.Hour).Add(time.Hour))
	for range 5 { // writes, all in the first minutes of one hour
		visit()
		w.clock.advance(lag)
	}
	if n := count(); n != 1 {
		t.Errorf("five writes in an hour have %d events, want 1", n)
	}
	for range 2 { // nothing is written, so nothing is told
		visit()
	}
	if n := count(); n != 0 {
		t.Errorf("activity within the lag has %d events", n)
	}
	w.clock.set(w.clock.Now().Truncate(time.Hour).Add(time.Hour))
	visit()
	if n := count(); n != 1 {
		t.Errorf("the first write of the next hour has %d events, want 1", n)
	}
}
