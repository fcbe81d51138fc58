package publish_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/revocation/publish"
	"github.com/lanyard-go/lanyard/store/memory"
)

const bound = 400 * time.Millisecond

// site is an issuer with a feed.
type site struct {
	t    *testing.T
	m    *lanyard.Manager
	feed *publish.Feed
	srv  *httptest.Server
	cut  atomic.Bool // lines of followers drop everything
}

func newSite(t *testing.T) *site {
	x := &site{t: t}
	mux := http.NewServeMux()
	x.srv = httptest.NewServer(mux)
	var err error
	if x.feed, err = publish.New(publish.Config{Issuer: x.srv.URL, Bound: bound}); err != nil {
		t.Fatal(err)
	}
	x.m, err = lanyard.New(memory.New(), lanyard.Config{Issuer: x.srv.URL, RevocationBound: bound, Feed: x.feed})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	mux.HandleFunc("GET /v1/revocations", func(w http.ResponseWriter, r *http.Request) { x.feed.Stream(ctx, w, r) })
	mux.HandleFunc("GET /v1/revocations/snapshot", x.feed.Snapshot)
	mux.HandleFunc("POST /v1/revocations/ack", func(w http.ResponseWriter, r *http.Request) { x.feed.Ack(w, r, "tests") })
	var running sync.WaitGroup
	running.Go(func() { x.m.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait(); x.srv.CloseClientConnections(); x.srv.Close() })
	return x
}

// RoundTrip carries a follower's requests until the line is cut.
func (x *site) RoundTrip(r *http.Request) (*http.Response, error) {
	if x.cut.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (x *site) follow(name string) *revocation.Follower {
	x.t.Helper()
	f, err := revocation.NewFollower(revocation.FollowerConfig{
		Endpoints: []string{x.srv.URL + "/v1/revocations"}, Issuer: x.srv.URL, Name: name, Transport: x,
	})
	if err != nil {
		x.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	x.t.Cleanup(func() { stop(); running.Wait() })
	x.until("the follower is in step", func() bool { s, _, _ := f.State(); return s == revocation.Fresh })
	return f
}

func (x *site) until(what string, ok func() bool) {
	x.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			x.t.Fatalf("not seen in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (x *site) login(subject string) *revocation.Badge {
	x.t.Helper()
	g, err := x.m.Start(x.t.Context(), lanyard.Login{Subject: subject, Methods: []string{"pwd"}})
	if err != nil {
		x.t.Fatal(err)
	}
	s := g.Session
	return &revocation.Badge{SID: revocation.SID(s.SID()), Generation: 1, Subject: subject}
}

func (x *site) strictly(e lanyard.End) lanyard.Revoked {
	x.t.Helper()
	e.Reason = lanyard.ReasonAdmin
	done, err := x.m.Revoke(x.t.Context(), e, true)
	if err != nil {
		x.t.Fatal(err)
	}
	return done
}

// settled waits until the node has known its store for as long as any lease.
func (x *site) settled() { time.Sleep(bound + bound/8) }

// req: REVOKE-3
func TestAStrictRevocationReturnsWhenNoFollowerAccepts(t *testing.T) {
	x := newSite(t)
	var all []*revocation.Follower
	for _, name := range []string{"orders", "stock", "mail"} {
		all = append(all, x.follow(name))
	}
	x.settled()
	for range 200 {
		b := x.login("ada")
		for _, f := range all {
			if err := f.Check(b); err != nil {
				t.Fatalf("before: %v", err)
			}
		}
		done := x.strictly(lanyard.End{SID: lanyard.SID(b.SID)})
		for _, f := range all {
			if err := f.Check(b); !errors.Is(err, revocation.ErrRevoked) {
				t.Fatalf("after a strict revocation that waited %v: %v", done.Waited, err)
			}
		}
		if done.Waited.For > bound/2 {
			t.Errorf("with everybody well it took %v for %v", done.Waited.For, done.Waited.Who)
		}
	}
}

// req: REVOKE-3, REVOKE-12
func TestAFollowerThatIsCutOffGoesBlindBeforeAStrictRevocationReturns(t *testing.T) {
	x := newSite(t)
	f := x.follow("orders")
	x.settled()
	b := x.login("ada")
	x.cut.Store(true)
	x.srv.CloseClientConnections()
	done := x.strictly(lanyard.End{SID: lanyard.SID(b.SID)})
	if err := f.Check(b); err == nil {
		t.Fatalf("accepted after a strict revocation that waited %v", done.Waited)
	}
	if done.Waited.For > bound+bound/50+200*time.Millisecond {
		t.Errorf("it took %v, the bound is %v", done.Waited.For, bound)
	}
	x.cut.Store(false)
	x.until("the revocation is heard of", func() bool { return errors.Is(f.Check(b), revocation.ErrRevoked) })
	x.until("the follower sees again", func() bool { return f.Check(&revocation.Badge{Subject: "eve"}) == nil })
}

func TestEachKindOfEndReachesAFollower(t *testing.T) {
	x := newSite(t)
	f := x.follow("orders")
	ada, bob := x.login("ada"), x.login("bob")
	ada.Key, bob.Key = "k1", "k2"
	x.strictly(lanyard.End{Key: "k1"})
	if !errors.Is(f.Check(ada), revocation.ErrRevoked) || f.Check(bob) != nil {
		t.Errorf("a key withdrawn: %v, another: %v", f.Check(ada), f.Check(bob))
	}
	ada.Key = "k2"
	x.strictly(lanyard.End{Subject: "ada"})
	if !errors.Is(f.Check(ada), revocation.ErrRevoked) || f.Check(bob) != nil {
		t.Errorf("a subject ended: %v, another: %v", f.Check(ada), f.Check(bob))
	}
	x.strictly(lanyard.End{All: true})
	if !errors.Is(f.Check(bob), revocation.ErrRevoked) {
		t.Errorf("everything ended: %v", f.Check(bob))
	}
}
