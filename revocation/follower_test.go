package revocation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestColdFollowerTakesASnapshotAndThenFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		node.set.Apply(0, sessionEntry(1))
		node.newest = "c1"
		var calls []string
		var w *feedWorld
		w = newFeedWorld(t, FollowerConfig{
			Name: "billing",
			Apply: func(e []Entry, cursor string) {
				calls = append(calls, fmt.Sprintf("apply %d %s behind %s", len(e), cursor, w.f.Status().Cursor))
			},
			Restart: func(s *Snapshot) { calls = append(calls, fmt.Sprintf("restart %d %s", s.Len(), s.Cursor)) },
		}, node)
		w.want(Blind)
		w.wantCheck(badge(2), ErrBlind)
		w.start()
		defer w.end()
		w.want(Fresh)
		w.wantCheck(badge(1), ErrRevoked)
		w.wantCheck(badge(2), nil)
		if tap := node.last(); tap.after != "c1" {
			t.Errorf("the stream was opened behind %q", tap.after)
		}
		node.end("c2", sessionEntry(2), Entry{Kind: KindKey, Key: "k1", Keep: time.Hour})
		synctest.Wait()
		w.wantCheck(badge(2), ErrRevoked)
		if e, ok := errors.AsType[RevokedError](w.f.Check(&Badge{Key: "k1"})); !ok || e.Kind != KindKey {
			t.Errorf("a withdrawn key: %v", e)
		}
		if got, want := strings.Join(calls, "; "), "restart 1 c1; apply 2 c2 behind c1"; got != want {
			t.Errorf("calls: %s, want %s", got, want)
		}
		node.mu.Lock()
		defer node.mu.Unlock()
		if a := node.acks[len(node.acks)-1]; a.Cursor != "c2" || a.Follower != "billing" || a.Instance != "one" || a.Local {
			t.Errorf("the batch was acknowledged at once with %+v", a)
		}
		if s := w.f.Status(); s.Endpoint != "https://node0.example/v1/revocations" || s.Instance != "one" || s.Entries != 3 || s.Snapshots != 1 || s.Received != 2 || s.Bound != feedBound {
			t.Errorf("status %+v", s)
		}
	})
}

// req: REVOKE-12
// attack: H4
func TestBlindWhenTheNodeStopsAnsweringAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		w.after(10*time.Second + 10*time.Millisecond) // an acknowledgement was answered 10 ms ago
		node.change(func() {
			node.hang, node.quiet = true, true
		})
		_, age, left := w.f.State()
		if age+left != feedBound || age > feedBound/4 {
			t.Fatalf("age %v, left %v", age, left)
		}
		w.after(feedBound/2 - age)
		w.want(Fresh)
		w.after(time.Millisecond)
		w.want(Stale)
		w.wantCheck(badge(1), nil)
		w.after(feedBound/2 - 2*time.Millisecond)
		w.want(Stale)
		w.after(time.Millisecond)
		w.want(Blind)
		w.wantCheck(badge(1), ErrBlind)
		w.after(time.Hour)
		w.want(Blind)
		node.change(func() { node.hang, node.quiet = false, false })
		w.after(time.Minute)
		w.want(Fresh)
		if log := w.log.String(); strings.Count(log, "blind") != 1 || strings.Count(log, "in step") != 2 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Heartbeats may have waited in a buffer for as long as the process was stopped.
func TestHeartbeatsAloneNeverMakeFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		node.onAck = func(_ *followerAck, a map[string]any) string {
			a["lease_ms"] = 0
			return ""
		}
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		for range 20 {
			w.want(Blind)
			w.after(feedBound / 4)
		}
		if s := w.f.Status(); s.Connections != 1 || s.Acks < 10 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestLeaseCountsFromTheSendingOfTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		node.delay = 700 * time.Millisecond
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		w.want(Blind)
		w.after(node.delay)
		if _, age, left := w.f.State(); age != node.delay || left != feedBound-node.delay {
			t.Errorf("age %v, left %v", age, left)
		}
	})
}

func TestLeaseHoldsOnlyOnceItsNewestCursorWasApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		first := true
		node.onAck = func(_ *followerAck, a map[string]any) string {
			if !first { // only one answer is of use
				a["lease_ms"] = 0
			}
			first, a["newest"] = false, "c5"
			return ""
		}
		w := newFeedWorld(t, FollowerConfig{}, node).start()
		defer w.end()
		w.want(Blind)
		node.end("c4", sessionEntry(4))
		w.after(300 * time.Millisecond)
		w.want(Blind)
		node.end("c5", sessionEntry(5))
		synctest.Wait()
		w.want(Fresh)
		if _, age, _ := w.f.State(); age != 300*time.Millisecond {
			t.Errorf("age %v: the lease has to count from its own sending", age)
		}
	})
}

func TestLeasesAreBelievedUpToMaxLease(t *testing.T) {
	for _, c := range []struct {
		name  string
		lease any
		want  time.Duration
	}{
		{"as told", 2000, 2 * time.Second},
		{"longer than MaxLease", 60_000, 3 * time.Second},
		{"285 years", int64(9_000_000_000_000), 3 * time.Second},
		{"none", 0, 0},
		{"negative", -5, 0},
		{"text", "2000", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := newFakeNode("one")
				node.onAck = func(_ *followerAck, a map[string]any) string {
					a["lease_ms"] = c.lease
					return ""
				}
				w := newFeedWorld(t, FollowerConfig{MaxLease: 3 * time.Second}, node).start()
				defer w.end()
				if _, _, left := w.f.State(); left != c.want {
					t.Errorf("left %v, want %v", left, c.want)
				}
			})
		})
	}
}

// req: REVOKE-12
func TestFollowerGoesToTheNextNodeAndMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeNode("a"), newFakeNode("b")
		w := newFeedWorld(t, FollowerConfig{}, a, b).start()
		defer w.end()
		w.after(3 * time.Second)
		a.end("c1", sessionEntry(1))
		synctest.Wait()
		a.change(func() { a.down = true })
		a.last().w.Close()
		b.change(func() { b.newest = "c1" })
		synctest.Wait()
		w.want(Fresh)
		if tap := b.last(); tap.after != "c1" || w.f.Status().Instance != "b" {
			t.Fatalf("after %q, %+v", tap.after, w.f.Status())
		}
		b.end("c1", sessionEntry(1)) // once more: it was not late
		b.end("c2", sessionEntry(2))
		synctest.Wait()
		w.wantCheck(badge(1), ErrRevoked)
		w.wantCheck(badge(2), ErrRevoked)
		if lag := w.f.Lag(); lag.Count() != 2 {
			t.Errorf("%d lags counted", lag.Count())
		}
		if n := a.count("snapshot") + b.count("snapshot"); n != 1 {
			t.Errorf("%d snapshots", n)
		}
	})
}

// A node that only streams, or has stopped without closing its connections, is
// left while the lease still runs.
func TestNodeThatStopsAnsweringIsLeftInTime(t *testing.T) {
	for name, stop := range map[string]func(*fakeNode){
		"acknowledgements hang": func(n *fakeNode) { n.delay = time.Hour },
		"everything hangs":      func(n *fakeNode) { n.hang, n.quiet = true, true },
		"it is overloaded":      func(n *fakeNode) { n.respond["ack"] = http.StatusServiceUnavailable },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newFakeNode("a"), newFakeNode("b")
				w := newFeedWorld(t, FollowerConfig{}, a, b).start()
				defer w.end()
				w.after(3 * time.Second)
				a.change(func() { stop(a) })
				for range 400 {
					w.after(10 * time.Millisecond)
					if s, _, _ := w.f.State(); s == Blind {
						t.Fatal("blind")
					}
				}
				if s := w.f.Status(); s.Instance != "b" {
					t.Errorf("still at %s", s.Instance)
				}
			})
		})
	}
}

func TestSecondRunIsRefusedAndTheEndOfRunIsBlind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFeedWorld(t, FollowerConfig{}, newFakeNode("one")).start()
		w.want(Fresh)
		if err := w.f.Run(t.Context()); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("second Run: %v", err)
		}
		w.end()
		w.want(Blind)
		w.start()
		w.want(Fresh)
		w.end()
	})
}
