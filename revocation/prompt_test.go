package revocation

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wire takes requests to a hub without a network, so that it works in a bubble.
// A message takes as long as way.
type wire struct {
	hub  *Hub
	stop context.Context // ends the streams
	way  time.Duration
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	read, write := io.Pipe()
	context.AfterFunc(r.Context(), func() { read.CloseWithError(context.Cause(r.Context())) })
	a := &answer{header: http.Header{}, w: write, begun: make(chan int, 1)}
	go func() {
		time.Sleep(w.way)
		switch {
		case strings.HasSuffix(r.URL.Path, "/snapshot"):
			w.hub.ServeSnapshot(a, r)
		case strings.HasSuffix(r.URL.Path, "/ack"):
			w.hub.ServeAck(a, r, "owner")
		default:
			w.hub.ServeStream(w.stop, a, r)
		}
		write.Close()
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case status := <-a.begun:
		time.Sleep(w.way)
		return &http.Response{StatusCode: status, Header: a.header, Body: read, ContentLength: -1}, nil
	}
}

// answer is what a handler writes on a wire.
type answer struct {
	header http.Header
	w      *io.PipeWriter
	sent   bool
	begun  chan int // the status
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) Flush()              {}

func (a *answer) WriteHeader(status int) {
	if !a.sent {
		a.sent = true
		a.begun <- status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.w.Write(b)
}

// crowded is a node with some followers of ours among a thousand and more that
// hold no lease. Call it in a bubble.
type crowded struct {
	*testing.T
	hub  *Hub
	stop context.Context
	at   int
}

const wireWay = 3 * time.Millisecond

func newCrowded(t *testing.T) *crowded {
	stop, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		time.Sleep(2 * wireWay) // what is under way arrives
	})
	hub, err := NewHub(HubConfig{Source: memorySource{feedBound}, Issuer: feedIssuer, Bound: feedBound})
	if err != nil {
		t.Fatal(err)
	}
	c := &crowded{T: t, hub: hub, stop: stop, at: 1000}
	if err := hub.Append(nil, "1000"); err != nil {
		t.Fatal(err)
	}
	for i := range 1500 {
		hub.followers[fmt.Sprintf("owner\x00crowd\x00%d", i)] = &member{name: "crowd", seen: hub.now().Add(time.Hour)}
	}
	return c
}

func (c *crowded) config(hub *Hub, name string) FollowerConfig {
	return FollowerConfig{Endpoints: []string{"https://node.example/feed"}, Issuer: feedIssuer, Name: name, Transport: &wire{hub, c.stop, wireWay}}
}

func (c *crowded) follow(hub *Hub, name string) *Follower {
	f, err := NewFollower(c.config(hub, name))
	if err != nil {
		c.Fatal(err)
	}
	runUntilEnd(c.T, f.Run)
	return f
}

// end appends an entry and returns the cursor behind it.
func (c *crowded) end() string {
	c.at++
	cursor := strconv.Itoa(c.at)
	if err := c.hub.Append([]Entry{{Kind: KindSession, SID: nth(c.at).SID, At: time.Now().UnixMilli(), Keep: time.Hour}}, cursor); err != nil {
		c.Error(err)
	}
	return cursor
}

// covered ends something and returns how long it took until the hub knew that
// all of its followers have it.
func (c *crowded) covered() time.Duration {
	begun, cursor := time.Now(), c.end()
	for synctest.Wait(); c.hub.Covered().Cursor != cursor; synctest.Wait() {
		if time.Since(begun) > 2*feedBound {
			c.Fatalf("not covered; behind are %q", c.hub.Covered().Behind)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begun)
}

// Followers of a node that has many acknowledge what is new at once, whenever
// they have said last that nothing was.
//
// req: REVOKE-3
func TestAnEndWaitsForNoAcknowledgementThatTellsOfNothing(t *testing.T) {
	for _, relayed := range []bool{false, true} {
		t.Run(fmt.Sprintf("relayed %t", relayed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowded(t)
				// A way there and back. An acknowledgement that is under way when the end
				// comes is waited for first: there is one at a time.
				hub, most := c.hub, 2*wireWay+time.Millisecond
				if relayed {
					r, err := NewRelay(RelayConfig{Upstream: c.config(hub, "relay"), Bound: feedBound})
					if err != nil {
						t.Fatal(err)
					}
					runUntilEnd(t, r.Run)
					hub, most = r.Hub(), 2*most
					time.Sleep(time.Second)
				}
				for i := range 3 {
					c.follow(hub, fmt.Sprint("f", i))
				}
				time.Sleep(5 * time.Second)
				if p := c.hub.pause(); p != feedBound/beats {
					t.Fatalf("the node asks for %v", p)
				}
				waited := 0
				for i := range 20 {
					// At every place between two acknowledgements that are due.
					time.Sleep(feedBound + time.Duration(i)*feedBound/beats/20)
					switch took := c.covered(); {
					case took > 2*most:
						t.Errorf("end %d: %v, want %v at most", i, took, 2*most)
					case took > most:
						waited++
					}
				}
				if waited > 5 {
					t.Errorf("%d of 20 ends took more than %v", waited, most)
				}
			})
		})
	}
}

func TestAFollowerAcknowledgesNoOftenerThanItIsAskedToHoweverMuchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowded(t)
		f := c.follow(c.hub, "f")
		time.Sleep(5 * time.Second)
		before, begun := f.Status().Acks, time.Now()
		for range 50 * 20 {
			c.end()
			time.Sleep(time.Second / 50)
		}
		acks, gap := f.Status().Acks-before, feedBound/beats
		if most := uint64(time.Since(begun)/(gap*3/4)) + 2; acks > most {
			t.Errorf("%d acknowledgements in %v, want %d at most", acks, time.Since(begun), most)
		}
		if took := c.covered(); took > gap+2*wireWay+time.Millisecond {
			t.Errorf("the last end took %v", took)
		}
	})
}

// All acknowledge an end at the same moment. If each went on from there in the
// same steps, the node would get all acknowledgements at the same moments from
// then on.
func TestFollowersThatHaveAcknowledgedTogetherPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		s := newSpy(node, func(a map[string]any) { a["ack_ms"] = 500 })
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		steps := map[time.Duration]bool{}
		for i := range byte(8) {
			w.after(5*time.Second + 100*time.Millisecond)
			node.change(func() { s.times = nil })
			node.end(fmt.Sprint("c", i), sessionEntry(i))
			w.after(900 * time.Millisecond)
			node.mu.Lock()
			if len(s.times) < 2 {
				t.Fatalf("%d acknowledgements", len(s.times))
			}
			step := s.times[1].Sub(s.times[0])
			node.mu.Unlock()
			if steps[step] = true; step < 375*time.Millisecond || step > 500*time.Millisecond {
				t.Errorf("the next one came after %v", step)
			}
		}
		if len(steps) < 8 {
			t.Errorf("steps are %v", steps)
		}
	})
}
