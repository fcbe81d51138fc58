package lanyard_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

func TestACheckOfADistantStoreCostsNoRoundTripOnceTheRecordIsNear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		cookie, _ := c.login("ada")
		for _, n := range c.nodes {
			if err := n.check(cookie); err != nil {
				t.Fatal(err)
			}
			before := c.far.gets.Load()
			for range 100 {
				if err := n.check(cookie); err != nil {
					t.Fatal(err)
				}
			}
			if asked := c.far.gets.Load() - before; asked != 0 {
				t.Errorf("100 checks asked the store %d times", asked)
			}
		}
	})
}

func TestLogoutAtOneNodeIsLogoutAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		ends := map[string]func(lanyard.SID) error{
			"one session": func(sid lanyard.SID) error {
				return c.nodes[0].End(t.Context(), sid, lanyard.EndOptions{Reason: lanyard.ReasonLogout})
			},
			"a subject": func(lanyard.SID) error {
				_, err := c.nodes[1].EndAll(t.Context(), "ada", lanyard.EndOptions{Reason: lanyard.ReasonAdmin})
				return err
			},
			"everything": func(lanyard.SID) error {
				_, err := c.nodes[2].EndEverything(t.Context(), 0, lanyard.EndOptions{Reason: lanyard.ReasonRevokedAll})
				return err
			},
		}
		for name, end := range ends {
			cookie, sid := c.login("ada")
			for _, n := range c.nodes {
				if err := n.check(cookie); err != nil {
					t.Fatalf("%s: before: %v", name, err)
				}
			}
			begun := time.Now()
			if err := end(sid); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i, n := range c.nodes {
				if n.check(cookie) == nil {
					t.Errorf("%s: node %d lets it in after the end has returned", name, i)
				}
			}
			if took := time.Since(begun); took > nodeBound {
				t.Errorf("%s: it took %v", name, took)
			}
		}
	})
}

// A node that cannot reach the store goes on for the bound, and no longer; and an
// end waits for it that long.
//
// req: REVOKE-12
func TestANodeThatIsCutOffAnswersNoLongerThanTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		cookie, sid := c.login("ada")
		for _, n := range c.nodes {
			n.check(cookie)
		}
		lone := c.nodes[1]
		lone.line.cut.Store(true)
		if err := lone.check(cookie); err != nil {
			t.Errorf("just after it was cut off: %v", err)
		}
		begun := time.Now()
		done, err := c.nodes[0].Revoke(t.Context(), lanyard.End{SID: sid, Reason: lanyard.ReasonLogout}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := lone.check(cookie); lanyard.CauseOf(err) != lanyard.CauseStore {
			t.Errorf("after the end has returned: %v", err)
		}
		if took := time.Since(begun); took > nodeBound+nodeBound/50+200*time.Millisecond || took < nodeBound/2 {
			t.Errorf("the end took %v, the bound is %v", took, nodeBound)
		}
		if len(done.Waited.Who) != 1 {
			t.Errorf("it says that it waited for %q", done.Waited.Who)
		}
		time.Sleep(nodeBound)
		if got := names(lone.events.take()); !slices.Contains(got, "feed_stale") {
			t.Errorf("its events are %q", got)
		}
		lone.line.cut.Store(false)
		time.Sleep(nodeBound)
		if err := lone.check(cookie); lanyard.CauseOf(err) != lanyard.CauseNone {
			t.Errorf("when it is back: %v", err)
		}
	})
}

// A process that was stopped, or a machine that was asleep, must not answer from
// what it knew before. Only the wall clock sees the sleep.
func TestANodeThatWasAsleepAsksTheStoreFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		cookie, sid := c.login("ada")
		sleeper := c.nodes[1]
		sleeper.check(cookie)
		// Its line is cut for the others' sake: no wake reaches it.
		sleeper.line.cut.Store(true)
		if err := c.nodes[0].End(t.Context(), sid, lanyard.EndOptions{Reason: lanyard.ReasonLogout}); err != nil {
			t.Fatal(err)
		}
		sleeper.line.cut.Store(false)
		sleeper.line.skew.Store(int64(time.Hour))
		if sleeper.check(cookie) == nil {
			t.Error("it let an ended session in on waking")
		}
	})
}

func TestAStoreThatWentBackIsFollowedAnew(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(*far)
	}{
		{"its cursors are refused", func(f *far) { f.stale.Store(true) }},
		{"its incarnation is another", func(f *far) { f.life.Add(1) }},
	} {
		synctest.Test(t, func(t *testing.T) {
			x := newCluster(t, 1)
			cookie, _ := x.login("ada")
			n := x.nodes[0]
			n.check(cookie)
			before := x.far.gets.Load()
			c.do(x.far)
			time.Sleep(nodeBound)
			if err := n.check(cookie); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			if x.far.gets.Load() == before {
				t.Errorf("%s: the record was still taken for good", c.what)
			}
		})
	}
}

func TestAStrictRevocationAfterAFailoverWaitsTheWholeBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		strictly := func() time.Duration {
			_, sid := c.login("ada")
			done, err := c.nodes[0].Revoke(t.Context(), lanyard.End{SID: sid, Reason: lanyard.ReasonAdmin}, true)
			if err != nil {
				t.Fatal(err)
			}
			return done.Waited.For
		}
		if took := strictly(); took > nodeBound/10 {
			t.Errorf("on a steady store it took %v", took)
		}
		c.far.life.Add(1)
		if took := strictly(); took < nodeBound {
			t.Errorf("after a failover it took %v only", took)
		}
		time.Sleep(2 * nodeBound)
		if took := strictly(); took > nodeBound/10 {
			t.Errorf("some time later it took %v", took)
		}
	})
}

// An engine that is replaced while a strict revocation waits may have lost the
// end, so it is asked for again.
func TestAStrictRevocationEndsAgainWhatAFailoverLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		cookie, sid := c.login("ada")
		c.nodes[0].line.lose.Store(true)
		done, err := c.nodes[0].Revoke(t.Context(), lanyard.End{SID: sid, Reason: lanyard.ReasonAdmin}, true)
		if err != nil {
			t.Fatal(err)
		}
		if c.nodes[0].check(cookie) == nil {
			t.Errorf("the session lives after a strict revocation that waited %v", done.Waited)
		}
	})
}

func TestAStrictRevocationPromisesNothingWhenTheLeasesCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		cookie, sid := c.login("ada")
		c.nodes[0].line.cut.Store(true)
		_, err := c.nodes[0].Revoke(t.Context(), lanyard.End{SID: sid, Reason: lanyard.ReasonAdmin}, true)
		if lanyard.CauseOf(err) != lanyard.CauseStore {
			t.Fatalf("the store was away: %v", err)
		}
		c.nodes[0].line.cut.Store(false)
		time.Sleep(nodeBound)
		if err := c.nodes[0].check(cookie); err != nil {
			t.Errorf("nothing was appended, and yet: %v", err)
		}
	})
}

// While the store is away a route says itself whether it takes what was last
// known. Nobody else does.
//
// req: REVOKE-12
func TestRoutesSayHowFreshTheirSessionsMustBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		cookie, _ := c.login("ada")
		token := c.token("ada")
		n := c.nodes[1]
		ask := func(method string, badge func(*http.Request), f lanyard.Freshness) int {
			w, r := httptest.NewRecorder(), httptest.NewRequest(method, site+"/", nil)
			badge(r)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			n.Handler(n.Require(lanyard.Need{Freshness: f}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := lanyard.From(r.Context()).Subject(); got != "ada" {
					t.Errorf("let in as %q", got)
				}
			}))).ServeHTTP(w, r)
			if w.Code == 503 && w.Header().Get("Retry-After") == "" {
				t.Error("503 does not say when to come again")
			}
			return w.Code
		}
		want := func(step string, bounded, local, live int) {
			t.Helper()
			for name, badge := range map[string]func(*http.Request){
				"cookie": func(r *http.Request) { r.Header.Set("Cookie", cookie) },
				"token":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
			} {
				for f, code := range map[lanyard.Freshness]int{lanyard.Bounded: bounded, lanyard.Local: local, lanyard.Live: live} {
					if got := ask("GET", badge, f); got != code {
						t.Errorf("%s, %s, %v: %d, want %d", step, name, f, got, code)
					}
				}
			}
		}
		want("all is well", 200, 200, 200)
		n.line.cut.Store(true)
		want("just cut off", 200, 200, 503)
		time.Sleep(2 * nodeBound)
		want("cut off for longer than the bound", 503, 200, 503)
		forged := func(r *http.Request) { r.Header.Set("Cookie", cookie); r.Header.Set("Origin", "https://evil.example") }
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", site+"/", nil)
		forged(r)
		n.Handler(n.Require(lanyard.Need{Freshness: lanyard.Local}, http.NotFoundHandler())).ServeHTTP(w, r)
		if w.Code != 403 {
			t.Errorf("a forged request on a Local route: %d", w.Code)
		}
		n.serve(t, cookie, func(v *visitor) {
			if lanyard.From(v.r.Context()).SignedIn() {
				t.Error("signed in where no route said what it takes")
			}
		})
		if _, err := c.nodes[0].EndAll(t.Context(), "ada", lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
			t.Fatal(err)
		}
		n.line.cut.Store(false)
		want("back, and ended meanwhile", 401, 401, 401)
	})
}

// A node that nobody goes by writes no lease: each would be a sync of the disk.
func TestANodeThatNobodyGoesByWritesNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClusterOn(t, &far{Store: memory.New(), local: true}, 1)
		_, sid := c.login("ada")
		time.Sleep(time.Minute)
		done, err := c.nodes[0].Revoke(t.Context(), lanyard.End{SID: sid, Reason: lanyard.ReasonAdmin}, true)
		if err != nil || done.Waited.For > nodeBound/10 {
			t.Errorf("a strict revocation waited %v, %v", done.Waited, err)
		}
		if n := c.far.sets.Load(); n != 0 {
			t.Errorf("%d leases were written", n)
		}
		if got := names(c.nodes[0].events.take()); slices.Contains(got, "feed_stale") {
			t.Errorf("its events are %q", got)
		}
	})
}

// What a Live route asks for is what the store says, not what is near.
func TestALiveRouteSeesWhatNobodyWasToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		cookie, sid := c.login("ada")
		n := c.nodes[0]
		n.check(cookie)
		// Ended behind the back of the feed, as by a hand in the database.
		c.far.hidden.Store(true)
		if _, err := c.far.Store.Revoke(t.Context(), lanyard.End{SID: sid, Reason: lanyard.ReasonAdmin, Now: lanyard.TimeOf(time.Now()), Until: lanyard.TimeOf(time.Now())}); err != nil {
			t.Fatal(err)
		}
		for _, route := range []struct {
			f    lanyard.Freshness
			want int
		}{{lanyard.Bounded, 200}, {lanyard.Live, 401}} {
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", site+"/", nil)
			r.Header.Set("Cookie", cookie)
			n.Handler(n.Require(lanyard.Need{Freshness: route.f}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))).ServeHTTP(w, r)
			if w.Code != route.want {
				t.Errorf("%v: %d, want %d", route.f, w.Code, route.want)
			}
		}
	})
}

// The near cache never has application data, which other nodes change.
func TestApplicationDataIsNeverReadFromTheNearCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		cookie, _ := c.login("ada")
		count := lanyard.NewData[int]("count")
		for i := 1; i <= 5; i++ {
			writer, reader := c.nodes[i%2], c.nodes[(i+1)%2]
			writer.serve(t, cookie, func(v *visitor) {
				if err := count.Update(v.w, v.r, func(n *int) error { *n = i; return nil }); err != nil {
					t.Error(err)
				}
				if got, err := count.Get(v.r.Context()); err != nil || got != i {
					t.Errorf("in the request that wrote %d: %d, %v", i, got, err)
				}
			})
			reader.serve(t, cookie, func(v *visitor) {
				if got, err := count.Get(v.r.Context()); err != nil || got != i {
					t.Errorf("on the other node: got %d, %v, want %d", got, err, i)
				}
			})
		}
	})
}

func TestAConnectionIsClosedWhenItsSessionEndsOnAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		cookie, sid := c.login("ada")
		other, _ := c.login("eve")
		watch := func(cookie string) (ctx context.Context) {
			c.nodes[1].serve(t, cookie, func(v *visitor) {
				ctx, _ = c.nodes[1].Watch(context.WithoutCancel(v.r.Context()))
			})
			return ctx
		}
		ada, eve := watch(cookie), watch(other)
		time.Sleep(time.Minute)
		if ada.Err() != nil || eve.Err() != nil {
			t.Fatalf("closed with live sessions: %v, %v", context.Cause(ada), context.Cause(eve))
		}
		if err := c.nodes[0].End(t.Context(), sid, lanyard.EndOptions{Reason: lanyard.ReasonLogout}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !errors.Is(context.Cause(ada), lanyard.ErrSessionOver) {
			t.Errorf("after the end: %v", context.Cause(ada))
		}
		if eve.Err() != nil {
			t.Errorf("another's connection: %v", context.Cause(eve))
		}
		time.Sleep(25 * time.Hour) // past the idle limit
		if !errors.Is(context.Cause(eve), lanyard.ErrSessionOver) {
			t.Errorf("after the idle limit: %v", context.Cause(eve))
		}
	})
}

func TestBoundsThatCannotBeKeptAreRefused(t *testing.T) {
	for _, bound := range []time.Duration{-time.Second, time.Millisecond, time.Hour} {
		_, err := lanyard.New(memory.New(), lanyard.Config{Issuer: site, RevocationBound: bound})
		if err == nil || !strings.Contains(err.Error(), "RevocationBound") {
			t.Errorf("%v: %v", bound, err)
		}
	}
}
