package lanyard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// tokensUsed returns the tokens that have reached the service since it was last
// asked.
func (f *frontend) tokensUsed() (used []string) {
	for _, r := range f.arrived() {
		used = append(used, r.Header.Get("Authorization"))
	}
	return used
}

func (f *frontend) drawn() int { return f.counts.take("access_token")["issued"] }

func TestBFFUsesATokenUntilShortlyBeforeItExpires(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	for range 3 {
		f.get("/api/x", g).want(t, 200, "")
	}
	used := f.tokensUsed()
	if n := f.drawn(); n != 1 || len(slices.Compact(used)) != 1 {
		t.Fatalf("%d tokens drawn for three calls", n)
	}
	f.get("/me", g).want(t, 200, "")
	if n := f.drawn(); n != 0 {
		t.Errorf("%d more drawn for the same audience on another route", n)
	}
	f.get("/api/read/x", g).want(t, 200, "")
	if n := f.drawn(); n != 1 {
		t.Errorf("%d drawn for another audience, want 1", n)
	}
	f.arrived()
	// Whatever the life of a token is, none that has less than ten seconds left is
	// sent.
	for range 200 {
		f.clock.advance(5 * time.Second)
		f.get("/api/x", g).want(t, 200, "")
		for _, r := range f.arrived() {
			_, claims, err := f.CheckAccess(t.Context(), r.Header.Get("Authorization")[len("Bearer "):])
			if err != nil || claims.Expiry.Sub(f.clock.Now()) < 10*time.Second {
				t.Fatalf("a token with %v left: %v", claims.Expiry.Sub(f.clock.Now()), err)
			}
		}
	}
	if n := f.drawn(); n < 3 || n > 6 {
		t.Errorf("%d tokens drawn in 1000 seconds", n)
	}
}

func TestBFFDrawsOneTokenForAllWhoWait(t *testing.T) {
	const callers = 32
	gate, asked := make(chan struct{}), make(chan struct{}, callers+1)
	var closed atomic.Bool
	f := newFrontendOn(t, newWorld(t, func(c *lanyard.Config) {
		c.Subject = func(context.Context, string) (lanyard.SubjectState, error) {
			if closed.Load() {
				asked <- struct{}{}
				<-gate
			}
			return lanyard.SubjectState{}, nil
		}
	}))
	g := f.startCookie()
	closed.Store(true)
	f.store.arm(nil)
	var wait sync.WaitGroup
	var bad atomic.Int32
	for range callers {
		wait.Go(func() {
			res, err := f.app.Client().Transport.RoundTrip(f.ask("GET", "/api/x", g, nil))
			if err != nil || res.StatusCode != 200 {
				bad.Add(1)
				return
			}
			res.Body.Close()
		})
	}
	<-asked
	// Each has been recognised, by a reading of the store, before it wants a token.
	for begun := time.Now(); len(f.store.made()) < callers && time.Since(begun) < 30*time.Second; {
		time.Sleep(time.Millisecond)
	}
	// The first to come draws. One who comes later and leaves again disturbs nobody.
	impatient, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := f.app.Client().Transport.RoundTrip(f.ask("GET", "/api/x", g, nil).WithContext(impatient))
		gone <- err
	}()
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(gate)
	wait.Wait()
	if n := f.drawn(); n != 1 || bad.Load() != 0 || len(f.tokensUsed()) != callers {
		t.Errorf("%d tokens drawn for %d callers, %d of whom failed", n, callers, bad.Load())
	}
}

func TestBFFDrawsAgainAfterAFailureOrAPanic(t *testing.T) {
	var asked, from atomic.Int32
	f := newFrontendOn(t, newWorld(t, func(c *lanyard.Config) {
		c.Subject = func(context.Context, string) (lanyard.SubjectState, error) {
			switch asked.Add(1) - from.Load() {
			case 1:
				return lanyard.SubjectState{}, errors.New("the directory is away")
			case 2:
				panic(http.ErrAbortHandler)
			}
			return lanyard.SubjectState{}, nil
		}
	}))
	from.Store(100)
	g := f.startCookie()
	from.Store(asked.Load())
	f.get("/api/x", g).want(t, 503, "temporarily_unavailable")
	if _, err := f.app.Client().Transport.RoundTrip(f.ask("POST", "/api/x", g, nil)); err == nil {
		t.Error("a panic was answered")
	}
	f.get("/api/x", g).want(t, 200, "")
}

func TestBFFGivesANewAuthenticationItsOwnToken(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	f.get("/api/x", g).want(t, 200, "")
	lifted, err := f.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}, Class: "aal2"})
	if err != nil {
		t.Fatal(err)
	}
	f.get("/api/x", lifted).want(t, 200, "")
	used := f.tokensUsed()
	_, claims, err := f.CheckAccess(t.Context(), used[1][len("Bearer "):])
	if err != nil || claims.ACR != "aal2" || claims.Generation != lifted.Session.Generation() {
		t.Errorf("after the step-up the service sees %+v, %v", claims, err)
	}
}

func TestBFFForgetsATokenThatTheServiceRefuses(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	f.serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) })
	f.get("/api/x", g).want(t, 502, "bad_gateway")
	f.serve(nil)
	f.get("/api/x", g).want(t, 200, "")
	if used := f.tokensUsed(); used[0] == used[1] {
		t.Error("the refused token was sent again")
	}
}

func TestBFFForgetsTheTokensOfASessionThatEnds(t *testing.T) {
	var cfg lanyard.Config
	w := newWorld(t, func(c *lanyard.Config) { cfg = *c })
	m, err := lanyard.New(memory.New(), cfg) // with what a store can do, so that its feed is followed
	if err != nil {
		t.Fatal(err)
	}
	w.Manager = m
	f := newFrontendOn(t, w)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { f.Run(ctx); close(ran) }()
	t.Cleanup(func() { stop(); <-ran })
	g, other := f.startCookie(), f.start(lanyard.Login{Subject: "bob"})
	for _, path := range []string{"/api/x", "/api/read/x"} {
		f.get(path, g).want(t, 200, "")
		f.get(path, other).want(t, 200, "")
	}
	f.end(g.Session.SID())
	forgotten := 0
	for waited := time.Now(); forgotten < 2 && time.Since(waited) < 30*time.Second; time.Sleep(time.Millisecond) {
		forgotten += f.counts.take("bff_token")["forgotten"]
	}
	f.drawn()
	f.get("/api/x", other).want(t, 200, "")
	if n := f.drawn(); forgotten != 2 || n != 0 {
		t.Errorf("%d tokens forgotten, want 2; %d drawn anew for another session", forgotten, n)
	}
}

func TestBFFKeepsSoManyTokensAndNoMore(t *testing.T) {
	f := newFrontend(t, func(cfg *lanyard.BFFConfig, _ string) { cfg.MaxTokens = 2 })
	var all []*lanyard.Grant
	for range 4 {
		all = append(all, f.startCookie())
	}
	for range 3 {
		for _, g := range all {
			f.get("/api/x", g).want(t, 200, "")
		}
	}
	if n := f.counts.take("bff_token")["evicted"]; n != f.drawn()-2 || n < 2 {
		t.Errorf("%d tokens made room for others", n)
	}
	// What has expired goes before what is in use.
	f.clock.advance(time.Hour)
	for _, g := range []*lanyard.Grant{f.startCookie(), f.startCookie()} {
		f.get("/api/x", g).want(t, 200, "")
	}
	if n := f.counts.take("bff_token")["evicted"]; n != 0 {
		t.Errorf("%d tokens made room though two had expired", n)
	}
}

func TestBFFStreamsAndEndsStreamsWithTheSession(t *testing.T) {
	f := newFrontend(t)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { f.Run(ctx); close(ran) }()
	t.Cleanup(func() { stop(); <-ran })
	left := make(chan struct{})
	f.serve(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			if _, err := fmt.Fprint(w, "data: 1\n\n"); err != nil {
				return
			}
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	g := f.startCookie()
	res, err := f.app.Client().Transport.RoundTrip(f.ask("GET", "/api/events", g, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	// The first events come while the service is still writing.
	if _, err := io.ReadFull(res.Body, make([]byte, 18)); err != nil {
		t.Fatal(err)
	}
	f.end(g.Session.SID())
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("the stream came to an end of its own after %d bytes", n)
	}
	<-left
}

// newFrontendOn is newFrontend in a given world.
func newFrontendOn(t testing.TB, w *world) *frontend {
	t.Helper()
	f := &frontend{world: w}
	f.listen(t)
	return f
}

// atOnce is a service that answers without a network.
type atOnce struct{}

func (atOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}, "Content-Length": {"2"}, "Date": {"Sun, 01 Mar 2026 12:00:00 GMT"}}
	return &http.Response{StatusCode: 200, Header: h, ContentLength: 2, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// BenchmarkBFF compares a call through a BFF with the same call through a bare
// reverse proxy, without the network before and behind them, and with the
// manager's own handler around that proxy.
func BenchmarkBFF(b *testing.B) {
	w := newWorld(b)
	bff, err := lanyard.NewBFF(w.Manager, lanyard.BFFConfig{
		Routes:    []lanyard.BFFRoute{{Path: "/api/", Upstream: "https://orders.example/v1/", Audience: "orders"}},
		Transport: atOnce{},
	})
	if err != nil {
		b.Fatal(err)
	}
	target := &url.URL{Scheme: "https", Host: "orders.example"}
	bare := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }, Transport: atOnce{}}
	handle := w.startCookie().Handle.Reveal()
	for _, row := range []struct {
		name string
		h    http.Handler
	}{{"bare", bare}, {"guarded", w.Handler(w.Require(lanyard.Need{}, bare))}, {"bff", w.Handler(bff)}} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			r := w.withCookie(get("/api/orders"), handle)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r = r.WithContext(b.Context())
			for b.Loop() {
				a := httptest.NewRecorder()
				if row.h.ServeHTTP(a, r); a.Code != 200 {
					b.Fatal(a.Code, a.Body)
				}
			}
		})
	}
}
