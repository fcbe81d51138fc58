package revocation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	feedIssuer = "https://app.example"
	feedBound  = 2 * time.Second
)

// fakeNode is a node that does what the test says, by default what it should.
type fakeNode struct {
	instance string

	mu     sync.Mutex
	set    *Set
	newest string
	log    []Event // what was sent, for those who come back
	taps   []*tap
	acks   []followerAck
	asked  []string // paths, in order
	auth   []string
	opened []time.Time

	// What it does otherwise; the zero value of each is the proper thing.
	down         bool                                      // the address does not answer
	hang         bool                                      // nor does it refuse
	respond      map[string]int                            // status by last part of the path: "revocations", "snapshot", "ack"
	onAck        func(*followerAck, map[string]any) string // changes the answer, or returns another
	delay        time.Duration                             // of answers to acknowledgements
	noHello      bool
	quiet        bool                // sends no heartbeats
	head         *SnapshotHead       // of snapshots
	snapshot     func([]byte) []byte // changes them
	hangSnapshot bool
}

// tap is a stream that a follower has opened.
type tap struct {
	node  *fakeNode
	after string
	w     *io.PipeWriter
	mu    sync.Mutex
	n     uint64
	gone  chan struct{}
}

func newFakeNode(instance string) *fakeNode {
	return &fakeNode{instance: instance, set: NewSet(), newest: "c0", respond: map[string]int{}}
}

// send sends an event with the next number.
func (p *tap) send(e Event) { p.sendAs(e, 0) }

// sendAs sends an event with a number that is off.
func (p *tap) sendAs(e Event, off int) {
	frame, err := e.Frame()
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := frame.Append(nil, p.n+uint64(off))
	p.n++
	p.w.Write(b)
}

func (p *tap) raw(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	io.WriteString(p.w, text)
}

// beat sends heartbeats until the follower goes.
func (p *tap) beat() {
	tick := time.NewTicker(feedBound / 4)
	defer tick.Stop()
	for {
		p.node.mu.Lock()
		quiet, newest := p.node.quiet, p.node.newest
		p.node.mu.Unlock()
		if !quiet {
			p.send(Event{Name: EventHeartbeat, Cursor: newest, Issuer: feedIssuer, Instance: p.node.instance})
		}
		select {
		case <-p.gone:
			return
		case <-tick.C:
		}
	}
}

// end appends an entry to the feed and sends it to everybody.
func (n *fakeNode) end(cursor string, entries ...Entry) {
	n.mu.Lock()
	n.newest = cursor
	n.set.Apply(0, entries...)
	e := Event{Name: EventRevoked, Cursor: cursor, Entries: entries}
	n.log = append(n.log, e)
	taps := n.taps
	n.mu.Unlock()
	for _, p := range taps {
		p.send(e)
	}
}

// last is the newest stream.
func (n *fakeNode) last() *tap {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.taps[len(n.taps)-1]
}

func (n *fakeNode) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *fakeNode) count(part string) (c int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.asked {
		if p == part {
			c++
		}
	}
	return c
}

func answerWith(status int, kind string, body io.ReadCloser) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: body, ContentLength: -1}
}

func text(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

// serve answers one request.
func (n *fakeNode) serve(r *http.Request) (*http.Response, error) {
	part := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	n.mu.Lock()
	n.asked, n.auth = append(n.asked, part), append(n.auth, r.Header.Get("Authorization"))
	n.opened = append(n.opened, time.Now())
	down, hang, status := n.down, n.hang || n.hangSnapshot && part == "snapshot", n.respond[part]
	n.mu.Unlock()
	switch {
	case down:
		return nil, errors.New("connection refused")
	case hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case status != 0:
		res := answerWith(status, "text/plain", text("no"))
		res.Header.Set("Location", "https://elsewhere.example/v1/revocations")
		return res, nil
	}
	switch part {
	case "snapshot":
		var b bytes.Buffer
		n.mu.Lock()
		defer n.mu.Unlock()
		head := SnapshotHead{feedIssuer, n.instance, n.newest}
		if n.head != nil {
			head = *n.head
		}
		if err := n.set.WriteSnapshot(&b, 0, head); err != nil {
			return nil, err
		}
		whole := b.Bytes()
		if n.snapshot != nil {
			whole = n.snapshot(whole)
		}
		return answerWith(200, "application/octet-stream", io.NopCloser(bytes.NewReader(whole))), nil
	case "ack":
		return n.serveAck(r)
	}
	return n.serveStream(r), nil
}

func (n *fakeNode) serveStream(r *http.Request) *http.Response {
	read, write := io.Pipe()
	p := &tap{node: n, after: r.Header.Get("Last-Event-ID"), w: write, gone: make(chan struct{})}
	context.AfterFunc(r.Context(), func() {
		read.CloseWithError(r.Context().Err())
		close(p.gone)
	})
	n.mu.Lock()
	n.taps = append(n.taps, p)
	hello := Event{Name: EventHello, Issuer: feedIssuer, Instance: n.instance, Bound: feedBound}
	silent := n.noHello
	missed := n.log[1+slices.IndexFunc(n.log, func(e Event) bool { return e.Cursor == p.after }):]
	n.mu.Unlock()
	if !silent {
		go func() {
			p.send(hello)
			for _, e := range missed {
				p.send(e)
			}
			p.beat()
		}()
	}
	return answerWith(200, "text/event-stream; charset=utf-8", read)
}

func (n *fakeNode) serveAck(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	ack, err := parseAck(body)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.acks = append(n.acks, *ack)
	answer := map[string]any{"newest": n.newest, "lease_ms": feedBound.Milliseconds(), "ack_ms": 0, "now": time.Now().UnixMilli(), "instance": n.instance}
	instead, delay := "", n.delay
	if n.onAck != nil {
		instead = n.onAck(ack, answer)
	}
	n.mu.Unlock()
	if !sleep(r.Context(), delay) {
		return nil, r.Context().Err()
	}
	if instead == "" {
		b, _ := json.Marshal(answer)
		instead = string(b)
	}
	return answerWith(200, "application/json", text(instead)), nil
}

// feedWorld is some nodes behind addresses, and a follower of them.
type feedWorld struct {
	*testing.T
	nodes []*fakeNode
	f     *Follower
	log   syncBuffer
	stop  context.CancelFunc
	done  chan error
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (w *feedWorld) RoundTrip(r *http.Request) (*http.Response, error) {
	var i int
	if _, err := fmt.Sscanf(r.URL.Host, "node%d.example", &i); err != nil {
		return nil, fmt.Errorf("unexpected host %s", r.URL.Host)
	}
	return w.nodes[i].serve(r)
}

// newFeedWorld makes the nodes' follower; start runs it.
func newFeedWorld(t *testing.T, cfg FollowerConfig, nodes ...*fakeNode) *feedWorld {
	t.Helper()
	w := &feedWorld{T: t, nodes: nodes}
	for i := range nodes {
		cfg.Endpoints = append(cfg.Endpoints, fmt.Sprintf("https://node%d.example/v1/revocations", i))
	}
	cfg.Issuer, cfg.Transport = feedIssuer, w
	cfg.Logger = slog.New(slog.NewTextHandler(&w.log, nil))
	f, err := NewFollower(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.f = f
	return w
}

func (w *feedWorld) start() *feedWorld {
	ctx, stop := context.WithCancel(w.Context())
	w.stop, w.done = stop, make(chan error, 1)
	go func() { w.done <- w.f.Run(ctx) }()
	synctest.Wait()
	return w
}

// end stops the follower, as each test in a bubble must.
func (w *feedWorld) end() {
	w.stop()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		w.Errorf("Run returned %v", err)
	}
	synctest.Wait()
}

// after lets time pass, to the end of everything that it sets off.
func (w *feedWorld) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *feedWorld) want(s State) {
	w.Helper()
	if got, age, left := w.f.State(); got != s {
		w.Errorf("the follower is %v (age %v, left %v), want %v; %v", got, age, left, s, w.f.Status().Troubles)
	}
}

func (w *feedWorld) wantCheck(b *Badge, want error) {
	w.Helper()
	if err := w.f.Check(b); !errors.Is(err, want) {
		w.Errorf("Check returned %v, want %v", err, want)
	}
}

func testSID(i byte) SID { return SID{1, 2, 3, 15: i} }

// session is an entry that ends the session i.
func sessionEntry(i byte) Entry {
	return Entry{Kind: KindSession, SID: testSID(i), Reason: "logout", At: time.Now().UnixMilli(), Keep: time.Hour}
}

func badge(i byte) *Badge { return &Badge{SID: testSID(i), Generation: 1, Subject: "ann"} }
