package lanyard_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// cart is application data of tests.
var cart = lanyard.NewData[[]string]("cart")

// attempt is something a client does with its session while somebody ends it.
type attempt struct {
	name    string
	channel lanyard.Channel
	// prepare returns what is done; that returns what was issued, if anything.
	prepare func(w *world, g *lanyard.Grant) (do func() *lanyard.Grant)
	// detaches: what is issued is no longer of the session once it has taken
	// over, so an end of that session alone that came later leaves it.
	detaches bool
}

var attempts = []attempt{
	{"touch by cookie", lanyard.ChannelCookie, func(w *world, g *lanyard.Grant) func() *lanyard.Grant {
		r := w.withCookie(get("/"), g.Handle.Reveal())
		return func() *lanyard.Grant { w.send(r); return nil }
	}, false},
	{"touch by token", lanyard.ChannelToken, func(w *world, g *lanyard.Grant) func() *lanyard.Grant {
		r := bearer(get("/"), g.Access.Reveal())
		return func() *lanyard.Grant { w.send(r); return nil }
	}, false},
	{"renew", lanyard.ChannelToken, func(w *world, g *lanyard.Grant) func() *lanyard.Grant {
		return func() *lanyard.Grant { return granted(w.renew(g.Refresh.Reveal())) }
	}, false},
	{"renew a predecessor that moved", lanyard.ChannelToken, func(w *world, g *lanyard.Grant) func() *lanyard.Grant {
		w.mustRenew(g.Refresh.Reveal())
		return func() *lanyard.Grant {
			return granted(w.Renew(context.Background(), g.Refresh.Reveal(), lanyard.Renewal{UserAgent: phone, IP: trainIP}))
		}
	}, false},
	{"step up a cookie", lanyard.ChannelCookie, stepUp, false},
	{"step up a token", lanyard.ChannelToken, stepUp, false},
	{"write data", lanyard.ChannelCookie, func(w *world, g *lanyard.Grant) func() *lanyard.Grant {
		r := w.withCookie(post("/cart"), g.Handle.Reveal())
		return func() *lanyard.Grant {
			w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if lanyard.From(r.Context()).SignedIn() {
					cart.Update(rw, r, func(c *[]string) error { *c = append(*c, "hat"); return nil })
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
			return nil
		}
	}, false},
	{"draw an access token", lanyard.ChannelCookie, func(w *world, g *lanyard.Grant) func() *lanyard.Grant {
		return func() *lanyard.Grant { return granted(w.AccessToken(context.Background(), g.Session, "")) }
	}, false},
	{"redeem beside, as a token", lanyard.ChannelCookie, redeem(lanyard.ChannelToken, true), false},
	{"redeem beside, as a cookie", lanyard.ChannelToken, redeem(lanyard.ChannelCookie, true), false},
	{"redeem to take over", lanyard.ChannelCookie, redeem(lanyard.ChannelToken, false), true},
}

func granted(g *lanyard.Grant, err error) *lanyard.Grant {
	if err != nil {
		return nil
	}
	return g
}

func stepUp(w *world, g *lanyard.Grant) func() *lanyard.Grant {
	return func() *lanyard.Grant {
		return granted(w.Elevate(context.Background(), g.Session, lanyard.Elevation{Methods: []string{"otp"}}))
	}
}

func redeem(channel lanyard.Channel, keep bool) func(w *world, g *lanyard.Grant) func() *lanyard.Grant {
	return func(w *world, g *lanyard.Grant) func() *lanyard.Grant {
		code, _, err := w.Handoff(context.Background(), g.Session, lanyard.Handoff{Channel: channel, Keep: keep})
		if err != nil {
			w.t.Error(err)
		}
		return func() *lanyard.Grant {
			return granted(w.Redeem(context.Background(), code.Reveal(), lanyard.Redemption{}))
		}
	}
}

// tookOver reports whether what was issued had left the session before the end.
func (a *attempt) tookOver(w *world, g *lanyard.Grant, e ending) bool {
	return a.detaches && e.alone && w.record(g.Session.SID()).EndReason == lanyard.ReasonTakenOver
}

// ending is a way to end a session that must be final.
type ending struct {
	name  string
	do    func(m *world, g *lanyard.Grant) error
	alone bool // no other session of the subject ends
}

var endings = []ending{
	{"its own end", func(m *world, g *lanyard.Grant) error {
		return m.End(context.Background(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ann"})
	}, true},
	{"the end of all of its subject", func(m *world, g *lanyard.Grant) error {
		_, err := m.EndAll(context.Background(), g.Session.Subject(), lanyard.EndOptions{Reason: lanyard.ReasonAdmin, By: "system"})
		return err
	}, false},
	{"the end of everything", func(m *world, _ *lanyard.Grant) error {
		_, err := m.EndEverything(context.Background(), 0, lanyard.EndOptions{Reason: lanyard.ReasonRevokedAll, By: "system"})
		return err
	}, false},
}

// wantDead checks that nothing of a session that was ended works, nor anything
// that an attempt was granted in the meantime.
func wantDead(t *testing.T, w *world, old, issued *lanyard.Grant) {
	t.Helper()
	rec := w.record(old.Session.SID())
	if !rec.Ended() {
		t.Fatal("the record lives")
	}
	for _, g := range []*lanyard.Grant{old, issued} {
		if g == nil {
			continue
		}
		if !g.Handle.IsZero() && w.cookieWorks(g) {
			t.Fatal("a handle works")
		}
		if !g.Access.IsZero() && w.bearerWorks(g) {
			t.Fatal("an access token works")
		}
		if !g.Refresh.IsZero() {
			if _, err := w.renew(g.Refresh.Reveal()); err == nil {
				t.Fatal("a refresh token works")
			}
		}
	}
}

// startFor makes a session, also outside of the test's own goroutine.
func (w *world) startFor(channel lanyard.Channel, subject string) *lanyard.Grant {
	w.t.Helper()
	g, err := w.Start(context.Background(), lanyard.Login{Subject: subject, Methods: []string{"pwd"}, Channel: channel, UserAgent: phone, IP: homeIP})
	if err != nil {
		w.t.Error(err)
		return nil
	}
	return g
}

// Each end is put before and after each store call that an attempt makes, one
// after the other, so that every interleaving at this grain is met.
//
// req: LIFE-20, REVOKE-1, REVOKE-2, REVOKE-14
func TestEndBetweenAnyTwoStoreCallsIsFinal(t *testing.T) {
	for _, a := range attempts {
		for _, e := range endings {
			t.Run(a.name+"/"+e.name, func(t *testing.T) {
				calls := 1
				for n := 1; n <= calls; n++ {
					for _, behind := range []bool{false, true} {
						calls = max(calls, endAt(t, a, e, n, behind))
					}
				}
				t.Logf("%d store calls", calls)
			})
		}
	}
}

// endAt runs one attempt with an end at its nth store call and returns how many
// calls it made.
func endAt(t *testing.T, a attempt, e ending, n int, behind bool) int {
	t.Helper()
	store, c := memory.New(), newClock()
	w, admin := newWorldOn(t, store, c), newWorldOn(t, store, c)
	g := w.startFor(a.channel, "ann")
	c.advance(2 * time.Minute) // so that a touch is written
	do := a.prepare(w, g)

	ended := false
	end := func() {
		if err := e.do(admin, g); err != nil {
			t.Error(err)
		}
		ended = true
	}
	w.store.arm(func(_ string, call int) error {
		if call == n && !behind {
			end()
		}
		return nil
	})
	w.store.after(func(string) {
		if behind && !ended && len(w.store.made()) == n {
			end()
		}
	})
	issued := do()
	calls := len(w.store.made())
	w.store.arm(nil)
	w.store.after(nil)
	if !ended {
		end()
	}
	if a.tookOver(w, g, e) {
		issued = nil
	}
	wantDead(t, w, g, issued)
	// A restart, later requests and the pruning of what is due revive nothing.
	c.advance(time.Minute)
	if err := w.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantDead(t, newWorldOn(t, store, c), g, issued)
	return calls
}

// soak multiplies the rounds of races where LANYARD_SOAK=1 is set.
func soak() int {
	if os.Getenv("LANYARD_SOAK") == "1" {
		return 10
	}
	return 1
}

// req: LIFE-20, REVOKE-1, REVOKE-2, REVOKE-14
func TestEndRacesWithWhateverAClientDoes(t *testing.T) {
	rounds := 10_000
	if testing.Short() {
		rounds = 1_000
	}
	raceEnds(t, func(*testing.T) lanyard.Store { return memory.New() }, rounds*soak())
}

// req: LIFE-20, REVOKE-1, REVOKE-2, REVOKE-14
func TestEndRacesWithWhateverAClientDoesOnSQLite(t *testing.T) {
	rounds := 1_000
	if testing.Short() {
		rounds = 100
	}
	raceEnds(t, openSQLite, rounds*soak())
}

func openSQLite(t *testing.T) lanyard.Store {
	t.Helper()
	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(t.TempDir(), "sessions.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := sqlite.New(t.Context(), db, sqlite.Config{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// raceEnds spreads rounds over attempts, ending each session while its client is
// at work.
func raceEnds(t *testing.T, open func(*testing.T) lanyard.Store, rounds int) {
	for _, a := range attempts {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, open(t), newClock())
			won := 0
			for i := range rounds / len(attempts) {
				subject := "s" + strconv.Itoa(i)
				g := w.startFor(a.channel, subject)
				w.clock.advance(2 * time.Minute)
				do := a.prepare(w, g)
				e := endings[i%2] // ending everything would end the other rounds
				var issued *lanyard.Grant
				together(2, func(i int) {
					if i == 0 {
						issued = do()
					} else if err := e.do(w, g); err != nil {
						t.Error(err)
					}
				})
				if issued != nil {
					won++
				}
				if a.tookOver(w, g, e) {
					issued = nil
				}
				wantDead(t, w, g, issued)
			}
			t.Logf("%d of %d attempts were granted something before the end", won, rounds/len(attempts))
		})
	}
}
