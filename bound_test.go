package lanyard_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// forgetful is a node's way to a store that has lost the leases for so many
// readings, and may be one that gives no hints when its feed grows.
type forgetful struct {
	*line
	lost atomic.Int64
	dumb bool
}

func (f *forgetful) Leases(ctx context.Context) (map[string]string, string, error) {
	l, word, err := f.line.Leases(ctx)
	if f.lost.Add(-1) >= 0 {
		l = nil
	}
	return l, word, err
}

func (f *forgetful) Watch(ctx context.Context, wake func()) error {
	hint := time.NewTicker(nodeBound / 50) // whether the feed has grown or not
	defer hint.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hint.C:
			if !f.dumb {
				wake()
			}
		}
	}
}

// minded is a node that goes by a bound of its own.
type minded struct {
	*member
	way *forgetful
	log *lockedBuffer
}

// listener is a feed with one follower, who hears all and acknowledges nothing.
type listener struct{ heard atomic.Int64 }

func (l *listener) Attach(lanyard.FeedSource)           {}
func (l *listener) Append(e []lanyard.Entry, at string) { l.heard.Add(int64(len(e))) }
func (l *listener) Restart()                            {}
func (l *listener) Covered() lanyard.FeedState          { return lanyard.FeedState{Followers: 1} }
func (l *listener) Moved() <-chan struct{}              { return nil }

func (c *cluster) minded(bound time.Duration, way *forgetful, feed lanyard.Feed) *minded {
	c.t.Helper()
	way.line = &line{far: c.far}
	n := &minded{way: way, log: &lockedBuffer{}}
	m, err := lanyard.New(n.way, lanyard.Config{
		Issuer: site, Keys: c.keys, TokenKeys: c.set, RevocationBound: bound, Feed: feed, Logger: slog.New(slog.NewTextHandler(n.log, nil)),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	n.member = &member{Manager: m, line: n.way.line, stop: func() { cancel(); running.Wait() }}
	c.t.Cleanup(n.stop)
	c.nodes = append(c.nodes, n.member)
	return n
}

// leased reports whether the node may answer from what it knows.
func (n *minded) leased() bool {
	s, _ := n.Node()
	return s.Lease > 0
}

// complaints is how often the node has said that bounds differ.
func (n *minded) complaints() (count int) {
	for line := range strings.Lines(n.log.String()) {
		if strings.Contains(line, "level=ERROR") && strings.Contains(line, "--revocation-bound") {
			count++
		}
	}
	return count
}

func TestANodeWithAnotherBoundTakesNoLeaseBesideOthers(t *testing.T) {
	for _, other := range []time.Duration{nodeBound / 4, 3 * nodeBound} {
		synctest.Test(t, func(t *testing.T) {
			c := newClusterOn(t, &far{Store: memory.New()}, 0)
			first := c.minded(nodeBound, &forgetful{}, nil)
			time.Sleep(nodeBound)
			cookie, sid := c.login("ada")
			feed := &listener{}
			second := c.minded(other, &forgetful{dumb: other > nodeBound}, feed)
			alone := func() {
				t.Helper()
				if leases, _, _ := c.far.Leases(t.Context()); len(leases) != 1 || second.leased() || !first.leased() {
					t.Fatalf("%d leases; first %t, second %t", len(leases), first.leased(), second.leased())
				}
			}
			for range 100 {
				time.Sleep(nodeBound / 10)
				alone()
			}
			if first.complaints() != 0 || second.complaints() != 1 {
				t.Errorf("complaints: %d and %d; the second says:\n%s", first.complaints(), second.complaints(), second.log)
			}
			before := c.far.gets.Load()
			if err := second.check(cookie); err != nil || c.far.gets.Load() == before {
				t.Errorf("a check at the second: %v, it asked the store %d times", err, c.far.gets.Load()-before)
			}
			done, err := first.Revoke(t.Context(), lanyard.End{SID: sid, Reason: lanyard.ReasonAdmin}, true)
			if err != nil || done.Waited.For > nodeBound/10 || second.check(cookie) == nil {
				t.Errorf("a strict end waited %v, %v", done.Waited.For, err)
			}
			time.Sleep(other)
			alone()
			if feed.heard.Load() == 0 {
				t.Error("followers of the second were told of nothing")
			}
			first.stop()
			time.Sleep(2*nodeBound + other)
			if !second.leased() {
				t.Errorf("the second has no lease though the first is gone:\n%s", second.log)
			}
		})
	}
}

func TestOfTwoNodesThatStartTogetherWithDifferentBoundsOneTakesALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClusterOn(t, &far{Store: memory.New()}, 0)
		// Both look before either has written.
		a, b := &forgetful{}, &forgetful{}
		a.lost.Store(1)
		b.lost.Store(1)
		one, other := c.minded(nodeBound, a, nil), c.minded(2*nodeBound, b, nil)
		for range 1000 {
			time.Sleep(nodeBound / 50)
			if one.leased() && other.leased() {
				t.Fatal("both have a lease")
			}
		}
		if one.leased() == other.leased() || one.complaints()+other.complaints() == 0 {
			t.Errorf("leases: %t and %t, complaints: %d and %d", one.leased(), other.leased(), one.complaints(), other.complaints())
		}
	})
}

// Where nodes with different bounds have leases all the same, because the engine
// had lost those of the others when they came, they say so, and a strict end waits
// for the longer lease.
//
// req: REVOKE-1
func TestAStrictEndWaitsForTheLongerLeaseOfANodeWithAnotherBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClusterOn(t, &far{Store: memory.New()}, 0)
		const longer = 3 * nodeBound
		first := c.minded(nodeBound, &forgetful{}, nil)
		time.Sleep(nodeBound)
		lost := &forgetful{}
		lost.lost.Store(2) // before and after it has written its own
		second := c.minded(longer, lost, nil)
		time.Sleep(2 * longer)
		if !first.leased() || !second.leased() || first.complaints() != 1 || second.complaints() != 1 {
			t.Fatalf("leases: %t and %t, complaints: %d and %d", first.leased(), second.leased(), first.complaints(), second.complaints())
		}
		cookie, sid := c.login("ada")
		if err := second.check(cookie); err != nil { // it keeps the session near
			t.Fatal(err)
		}
		second.line.cut.Store(true)
		begun := time.Now()
		done, err := first.Revoke(t.Context(), lanyard.End{SID: sid, Reason: lanyard.ReasonAdmin}, true)
		if err != nil {
			t.Fatal(err)
		}
		if second.check(cookie) == nil {
			t.Errorf("the second lets the session in after a strict end that took %v", time.Since(begun))
		}
		if done.Waited.For < nodeBound+nodeBound/2 {
			t.Errorf("it waited %v only, so this shows nothing", done.Waited.For)
		}
	})
}
