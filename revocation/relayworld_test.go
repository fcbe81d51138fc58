package revocation

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mount serves a hub at a fresh address until the test or stop ends it.
type mount struct {
	*httptest.Server
	cut atomic.Bool // answers nothing, as behind a line that is cut
	end context.CancelFunc
}

func serveHub(t *testing.T, h *Hub) *mount {
	ctx, cancel := context.WithCancel(t.Context())
	m := &mount{end: cancel}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feed", func(w http.ResponseWriter, r *http.Request) { h.ServeStream(ctx, w, r) })
	mux.HandleFunc("GET /feed/snapshot", h.ServeSnapshot)
	mux.HandleFunc("POST /feed/ack", func(w http.ResponseWriter, r *http.Request) { h.ServeAck(w, r, "owner") })
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(m.kill)
	return m
}

func (m *mount) feed() string { return m.URL + "/feed" }

// kill is the end of the process.
func (m *mount) kill() {
	m.end()
	m.CloseClientConnections()
	m.Close()
}

// sever cuts the lines to everybody who follows here, and those to come.
func (m *mount) sever(cut bool) {
	m.cut.Store(cut)
	m.CloseClientConnections()
}

// steady is a node that always has a lease and whose feed has numbers for
// cursors.
type steady struct{ memorySource }

// trunk is a node, and who revokes there strictly.
type trunk struct {
	*testing.T
	*mount
	hub   *Hub
	bound time.Duration

	mu       sync.Mutex
	last     int
	returned atomic.Int64 // everything up to here has been reported as ended
}

func newTrunk(t *testing.T, bound time.Duration) *trunk {
	hub, err := NewHub(HubConfig{Source: steady{memorySource{bound}}, Issuer: feedIssuer, Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Append(nil, "1000"); err != nil {
		t.Fatal(err)
	}
	return &trunk{T: t, mount: serveHub(t, hub), hub: hub, bound: bound}
}

// nth is the badge of the session that the nth end is about.
func nth(n int) *Badge {
	return &Badge{SID: SID{7, 7, byte(n >> 16), byte(n >> 8), byte(n)}, Generation: 1}
}

// end ends a session strictly and returns how long that took. It waits for as
// long as the node says that somebody might not know.
func (k *trunk) end() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last++
	begun := time.Now()
	e := Entry{Kind: KindSession, SID: nth(k.last).SID, At: begun.UnixMilli(), Keep: time.Hour}
	goal := strconv.Itoa(1000 + k.last)
	if err := k.hub.Append([]Entry{e}, goal); err != nil {
		k.Error(err)
	}
	for k.hub.Covered().Cursor != goal {
		if time.Since(begun) > 10*k.bound {
			k.Errorf("the end of %d was not covered within %v; behind are %q", k.last, 10*k.bound, k.hub.Covered().Behind)
			break
		}
		time.Sleep(200 * time.Microsecond)
	}
	k.returned.Store(int64(k.last))
	return time.Since(begun)
}

// relayAt runs a relay that follows the feeds, and serves it.
func relayAt(t *testing.T, name string, bound time.Duration, feeds ...string) (*Relay, *mount) {
	t.Helper()
	r, err := NewRelay(RelayConfig{Upstream: FollowerConfig{Endpoints: feeds, Issuer: feedIssuer, Name: name}, Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, r.Run)
	return r, serveHub(t, r.Hub())
}

// followerAt runs a follower of the feeds.
func followerAt(t *testing.T, name string, feeds ...string) *Follower {
	t.Helper()
	f, err := NewFollower(FollowerConfig{Endpoints: feeds, Issuer: feedIssuer, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, f.Run)
	return f
}

func runUntilEnd(t *testing.T, run func(context.Context) error) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
}

func inStep(f *Follower) bool { s, _, _ := f.State(); return s != Blind }

// hammer checks at f, until stop is called, the session that was reported as
// ended last, and one from before. It reports how often f was sure enough to
// refuse for that reason.
func (k *trunk) hammer(f *Follower) (stop func() (refused int)) {
	var over atomic.Bool
	result := make(chan int)
	go func() {
		refused := 0
		for i := 1; !over.Load(); i++ {
			last := int(k.returned.Load()) // before the check begins
			for _, n := range []int{last, last - i%(last+1)} {
				if n == 0 {
					continue
				}
				switch err := f.Check(nth(n)); err {
				case nil:
					k.Errorf("%s accepts session %d, whose end has been reported", f.cfg.Name, n)
					over.Store(true)
				case ErrBlind:
				default:
					refused++
				}
			}
			time.Sleep(20 * time.Microsecond)
		}
		result <- refused
	}()
	return func() int { over.Store(true); return <-result }
}
