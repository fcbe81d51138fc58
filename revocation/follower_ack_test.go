package revocation

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// spy notes when acknowledgements come. Times count from the first.
type spy struct {
	node   *fakeNode
	times  []time.Time
	flying int
	most   int // under way at once
}

func newSpy(node *fakeNode, change func(a map[string]any)) *spy {
	s := &spy{node: node}
	node.onAck = func(_ *followerAck, a map[string]any) string {
		s.times = append(s.times, time.Now())
		s.flying++
		s.most = max(s.most, s.flying)
		time.AfterFunc(node.delay, func() { node.change(func() { s.flying-- }) })
		if change != nil {
			change(a)
		}
		return ""
	}
	return s
}

func (s *spy) gaps() (shortest, longest time.Duration) {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	shortest = time.Hour
	for i := 1; i < len(s.times); i++ {
		gap := s.times[i].Sub(s.times[i-1])
		shortest, longest = min(shortest, gap), max(longest, gap)
	}
	s.times = s.times[:0]
	return shortest, longest
}

func TestAcknowledgementsComeEveryQuarterOfTheLease(t *testing.T) {
	for _, c := range []struct {
		name           string
		lease, pause   int
		delay          time.Duration
		shortest, most time.Duration
	}{
		{"of the lease given", 1000, 0, 0, 250 * time.Millisecond, 250 * time.Millisecond},
		{"of the bound where none is given", 0, 0, 0, 500 * time.Millisecond, 500 * time.Millisecond},
		{"counted from sending", 2000, 0, 100 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond},
		{"never more often than makes sense", 1, 0, 0, leastEvery, leastEvery},
		{"whatever pause the node asks for", 2000, 60_000, 0, 500 * time.Millisecond, 500 * time.Millisecond},
		{"at once where answers take longer", 2000, 0, 700 * time.Millisecond, 700 * time.Millisecond, 700 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := newFakeNode("one")
				node.delay = c.delay
				s := newSpy(node, func(a map[string]any) { a["lease_ms"], a["ack_ms"] = c.lease, c.pause })
				w := newFeedWorld(t, FollowerConfig{}, node).start()
				defer w.end()
				w.after(20 * time.Second)
				if shortest, longest := s.gaps(); shortest != c.shortest || longest != c.most {
					t.Errorf("%v to %v apart, want %v to %v", shortest, longest, c.shortest, c.most)
				}
			})
		})
	}
}

func TestBatchesAreAcknowledgedAtOnceButSpacedAsToldAndOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		pause := 0
		s := newSpy(node, func(a map[string]any) { a["ack_ms"] = pause })
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		w.after(250 * time.Millisecond)
		node.change(func() { pause, node.delay = 100, 20*time.Millisecond })
		node.end("c1", sessionEntry(1))
		synctest.Wait()
		node.mu.Lock()
		if n := len(s.times); n == 0 || !s.times[n-1].Equal(time.Now()) || node.acks[len(node.acks)-1].Cursor != "c1" {
			t.Error("the batch was not acknowledged at once")
		}
		s.times = s.times[:0]
		node.mu.Unlock()
		for i := range byte(100) {
			node.end("d"+testSID(i).String(), sessionEntry(i))
			w.after(9 * time.Millisecond)
		}
		if shortest, longest := s.gaps(); shortest != 100*time.Millisecond || longest != 100*time.Millisecond {
			t.Errorf("%v to %v apart, want 100ms", shortest, longest)
		}
		if s.most != 1 {
			t.Errorf("%d under way at once", s.most)
		}
		w.want(Fresh)
	})
}

func TestAcknowledgementsTellTheLagsUntilSomebodyHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		w := newFeedWorld(t, FollowerConfig{Local: true}, node).start()
		defer w.end()
		w.after(100 * time.Millisecond)
		at := func(e Entry, ago time.Duration, reason string) Entry {
			e.At, e.Reason = time.Now().Add(-ago).UnixMilli(), reason
			return e
		}
		node.change(func() { node.acks, node.respond["ack"] = nil, http.StatusServiceUnavailable })
		node.end("c1", at(sessionEntry(1), 7*time.Millisecond, "logout"), at(sessionEntry(2), 7*time.Millisecond, "logout"),
			at(sessionEntry(3), 40*time.Millisecond, canaryReason), at(sessionEntry(4), -time.Hour, "logout"))
		synctest.Wait()
		node.change(func() { delete(node.respond, "ack") })
		w.after(time.Second)
		node.mu.Lock()
		defer node.mu.Unlock()
		if len(node.acks) < 2 {
			t.Fatal("no acknowledgements")
		}
		a := node.acks[0]
		if len(a.Lags) != 2 || a.Lags[0] != [2]uint64{0, 1} || a.Lags[1] != [2]uint64{7, 2} || len(a.CanaryMS) != 1 || a.CanaryMS[0] != 40 || !a.Local {
			t.Errorf("the first that was answered: %+v", a)
		}
		for _, a := range node.acks[1:] {
			if len(a.Lags)+len(a.CanaryMS) != 0 {
				t.Errorf("told twice: %+v", a)
			}
		}
		if lag := w.f.Lag(); lag.Count() != 4 || lag[LagBucket(40)] != 1 {
			t.Errorf("Lag counts %d", lag.Count())
		}
	})
}

func TestEntriesSentAgainAreNoNews(t *testing.T) {
	f, err := NewFollower(FollowerConfig{Endpoints: []string{"https://a.example"}, Issuer: feedIssuer})
	if err != nil {
		t.Fatal(err)
	}
	all := []Entry{
		{Kind: KindSession, SID: testSID(1), Keep: time.Hour},
		{Kind: KindGeneration, SID: testSID(2), Generation: 3, Keep: time.Hour},
		{Kind: KindSubject, Subject: "ann", Epoch: 3, Keep: time.Hour},
		{Kind: KindKey, Key: "k", Keep: time.Hour},
		{Kind: KindAll, Epoch: 3},
	}
	for i, e := range all {
		if len(f.news(all[i:i+1])) != 1 {
			t.Errorf("%v is no news at first", e.Kind)
		}
		if err := f.apply(all[i:i+1], "c"); err != nil {
			t.Fatal(err)
		}
		if len(f.news(all[i:i+1])) != 0 {
			t.Errorf("%v is news again", e.Kind)
		}
	}
	stronger := []Entry{
		{Kind: KindSession, SID: testSID(2)},
		{Kind: KindGeneration, SID: testSID(2), Generation: 4},
		{Kind: KindSubject, Subject: "ann", Epoch: 4},
		{Kind: KindAll, Epoch: 4},
	}
	if n := len(f.news(stronger)); n != len(stronger) {
		t.Errorf("%d of %d that kill more are news", n, len(stronger))
	}
}

// req: REVOKE-13
func TestEntriesOutliveTheTokensOfAMachineWhoseClockIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		node.end("c1", sessionEntry(1)) // matters for an hour by the issuer's clock
		w.after(time.Hour + clockTolerance)
		w.wantCheck(badge(1), ErrRevoked)
		w.after(5 * time.Minute)
		w.wantCheck(badge(1), nil)
		if n := w.f.Status().Entries; n != 0 {
			t.Errorf("%d entries are kept", n)
		}
	})
}

func TestRelayAcknowledgesWhatItsOwnFollowersHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		covered := ""
		w := newFeedWorld(t, FollowerConfig{Covered: func() string { node.mu.Lock(); defer node.mu.Unlock(); return covered }}, node).start()
		defer w.end()
		w.after(time.Second)
		w.want(Fresh) // what it applied itself makes it so
		node.change(func() {
			for _, a := range node.acks {
				if !a.Held {
					t.Errorf("acknowledged %q before anything was covered", a.Cursor)
				}
			}
			covered = "c0"
		})
		w.f.Acknowledge()
		synctest.Wait()
		node.end("c1", sessionEntry(1))
		synctest.Wait()
		last := func() string { node.mu.Lock(); defer node.mu.Unlock(); return node.acks[len(node.acks)-1].Cursor }
		if c := last(); c != "c0" {
			t.Errorf("acknowledged %q, which nobody behind it has", c)
		}
		w.after(10 * feedBound) // what it applied itself keeps it fresh
		w.want(Fresh)
		node.change(func() { covered = "c1" })
		w.f.Acknowledge()
		synctest.Wait()
		if c := last(); c != "c1" {
			t.Errorf("acknowledged %q", c)
		}
	})
}

// When a node hears of an entry, no check, no watcher and no near cache may go on
// without it.
//
// req: REVOKE-3
func TestAcknowledgedEntriesAreInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		var w *feedWorld
		var told, watching atomic.Int64
		w = newFeedWorld(t, FollowerConfig{Apply: func(e []Entry, _ string) { told.Add(int64(len(e))) }}, node)
		node.onAck = func(a *followerAck, _ map[string]any) string {
			var n int64
			fmt.Sscanf(a.Cursor, "c%d", &n)
			for i := byte(1); int64(i) <= n; i++ {
				w.wantCheck(badge(i), ErrRevoked)
			}
			if told.Load() < n || watching.Load() > 50-n {
				t.Errorf("%s was acknowledged when %d entries had been told and %d watched", a.Cursor, told.Load(), watching.Load())
			}
			return ""
		}
		w.start()
		defer w.end()
		for i := range byte(50) {
			ctx, stop := w.f.Watch(t.Context(), badge(i+1))
			defer stop()
			watching.Add(1)
			// Counted by the cancellation itself, which entries have to come before.
			w.f.watchers.mu.Lock()
			for one := range w.f.watchers.bySID[testSID(i+1)] {
				cancel := one.cancel
				one.cancel = func(err error) { cancel(err); watching.Add(-1) }
			}
			w.f.watchers.mu.Unlock()
			w.wantEnded("at first", ctx, nil)
		}
		for i := range byte(50) {
			node.end(fmt.Sprintf("c%d", i+1), sessionEntry(i+1))
			if i%7 == 0 {
				w.after(time.Millisecond)
			}
		}
		synctest.Wait()
		node.mu.Lock()
		defer node.mu.Unlock()
		if c := node.acks[len(node.acks)-1].Cursor; c != "c50" {
			t.Errorf("the last acknowledgement is of %s", c)
		}
	})
}
