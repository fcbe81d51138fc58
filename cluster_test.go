package lanyard_test

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
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

const nodeBound = 2 * time.Second

// far is a store in another process, as nodes see it: shared by several, and
// reached over a line that can break.
type far struct {
	*memory.Store
	gets  atomic.Int64
	life  atomic.Int64 // the engine's incarnation
	stale atomic.Bool  // cursors of earlier lives are refused

	hidden atomic.Bool // the feed says nothing

	local bool // it is in the process of its node
	sets  atomic.Int64
}

func (f *far) Volatile() bool { return false }
func (f *far) Distant() bool  { return !f.local }

func (f *far) Leases(ctx context.Context) (map[string]string, string, error) {
	l, word, err := f.Store.Leases(ctx)
	return l, word + string(rune('0'+f.life.Load())), err
}

// line is one node's way to a far store.
type line struct {
	*far
	cut  atomic.Bool
	lose atomic.Bool // the next end is acknowledged, and lost in a failover
	// skew is added to the node's clock.
	skew atomic.Int64
}

var errCut = errors.New("the line is cut")

func (l *line) broken() error {
	if l.cut.Load() {
		return errCut
	}
	return nil
}

func (l *line) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	if err := l.broken(); err != nil {
		return nil, err
	}
	l.gets.Add(1)
	return l.Store.Get(ctx, sid)
}

func (l *line) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	if err := l.broken(); err != nil {
		return err
	}
	return l.Store.Update(ctx, rec, announce...)
}

func (l *line) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	if err := l.broken(); err != nil {
		return lanyard.Ended{}, err
	}
	if l.lose.CompareAndSwap(true, false) {
		l.life.Add(1)
		return lanyard.Ended{}, nil
	}
	return l.Store.Revoke(ctx, e)
}

func (l *line) Revocations(ctx context.Context, after string, limit int) ([]lanyard.Entry, string, error) {
	if err := l.broken(); err != nil {
		return nil, "", err
	}
	if after != "" && l.stale.CompareAndSwap(true, false) {
		return nil, "", lanyard.ErrBadCursor
	}
	if l.hidden.Load() {
		return nil, after, nil
	}
	return l.Store.Revocations(ctx, after, limit)
}

func (l *line) SetLease(ctx context.Context, node, value string) error {
	if err := l.broken(); err != nil {
		return err
	}
	l.sets.Add(1)
	return l.Store.SetLease(ctx, node, value)
}

func (l *line) Leases(ctx context.Context) (map[string]string, string, error) {
	if err := l.broken(); err != nil {
		return nil, "", err
	}
	return l.far.Leases(ctx)
}

// cluster is some nodes on one far store.
type cluster struct {
	t     *testing.T
	far   *far
	keys  *lanyard.Keys
	set   *token.KeySet
	nodes []*member
}

// member is one node.
type member struct {
	*lanyard.Manager
	line   *line
	events *eventLog
	stop   func()
}

// newCluster runs n nodes until the test ends. Call it in a bubble of synctest.
func newCluster(t *testing.T, n int) *cluster { return newClusterOn(t, &far{Store: memory.New()}, n) }

func newClusterOn(t *testing.T, f *far, n int) *cluster {
	c := &cluster{t: t, far: f}
	var err error
	if c.keys, err = lanyard.RandomKeys(); err != nil {
		t.Fatal(err)
	}
	key, err := token.GenerateKey(token.EdDSA, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if c.set, err = token.NewKeySet(token.KeysConfig{}, key); err != nil {
		t.Fatal(err)
	}
	for range n {
		c.start(nil)
	}
	time.Sleep(2 * nodeBound)
	return c
}

func (c *cluster) start(feed lanyard.Feed) *member {
	c.t.Helper()
	l, events := &line{far: c.far}, &eventLog{}
	m, err := lanyard.New(l, lanyard.Config{
		Issuer: site, Keys: c.keys, TokenKeys: c.set, RevocationBound: nodeBound, Feed: feed, Audit: events, AllowLocal: true,
		Now: func() time.Time { return time.Now().Add(time.Duration(l.skew.Load())) },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	node := &member{m, l, events, func() { cancel(); running.Wait() }}
	c.t.Cleanup(node.stop)
	c.nodes = append(c.nodes, node)
	return node
}

// login signs somebody in at the first node and returns the cookie.
func (c *cluster) login(subject string) (cookie string, sid lanyard.SID) {
	c.t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", site+"/login", nil)
	g, err := c.nodes[0].Start(c.t.Context(), lanyard.Login{Subject: subject, Methods: []string{"pwd"}, Request: r})
	if err == nil {
		err = c.nodes[0].Write(w, r, g)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	for _, k := range w.Result().Cookies() {
		if k.MaxAge >= 0 {
			cookie = k.Name + "=" + k.Value
		}
	}
	return cookie, g.Session.SID()
}

// token signs somebody in at the first node and returns an access token.
func (c *cluster) token(subject string) string {
	c.t.Helper()
	g, err := c.nodes[0].Start(c.t.Context(), lanyard.Login{Subject: subject, Methods: []string{"pwd"}, Channel: lanyard.ChannelToken})
	if err != nil {
		c.t.Fatal(err)
	}
	return g.Access.Reveal()
}

// visitor is a request inside a node's handler.
type visitor struct {
	w http.ResponseWriter
	r *http.Request
}

// serve has a node serve one request by do.
func (n *member) serve(t *testing.T, cookie string, do func(*visitor)) {
	t.Helper()
	served := false
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", site+"/", nil)
	r.Header.Set("Cookie", cookie)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	n.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served = true
		do(&visitor{w, r})
	})).ServeHTTP(w, r)
	if !served {
		t.Fatalf("the request was not served: %d %s", w.Code, w.Body)
	}
}

// check asks a node whether it lets a request in.
func (n *member) check(cookie string) error {
	r := httptest.NewRequest("GET", site+"/me", nil)
	r.Header.Set("Cookie", cookie)
	_, err := n.Check(r)
	return err
}
