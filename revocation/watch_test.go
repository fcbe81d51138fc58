package revocation

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wantEnded checks that a context has ended with a cause, nil for not at all.
func (w *feedWorld) wantEnded(name string, ctx context.Context, want error) {
	w.Helper()
	if got := context.Cause(ctx); !errors.Is(got, want) {
		w.Errorf("%s: %v, want %v", name, got, want)
	}
}

// req: CSRF-12
func TestWatchEndsWhenAnEntryKillsTheBadge(t *testing.T) {
	for _, c := range []struct {
		name  string
		entry Entry
	}{
		{"session", Entry{Kind: KindSession, SID: testSID(1), Keep: time.Hour}},
		{"generation", Entry{Kind: KindGeneration, SID: testSID(1), Generation: 5, Keep: time.Hour}},
		{"subject", Entry{Kind: KindSubject, Subject: "ann", Epoch: 8, Keep: time.Hour}},
		{"key", Entry{Kind: KindKey, Key: "k1", Keep: time.Hour}},
		{"all", Entry{Kind: KindAll, Epoch: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := newFakeNode("one")
				w := newFeedWorld(t, FollowerConfig{}, node).start()
				defer w.end()
				dies := &Badge{SID: testSID(1), Generation: 4, Subject: "ann", SubjectEpoch: 7, GlobalEpoch: 3, Key: "k1"}
				lives := &Badge{SID: testSID(2), Generation: 5, Subject: "ben", SubjectEpoch: 7, GlobalEpoch: 4, Key: "k2"}
				a, stopA := w.f.Watch(t.Context(), dies)
				defer stopA()
				b, stopB := w.f.WatchLocal(t.Context(), dies)
				defer stopB()
				other, stop := w.f.Watch(t.Context(), lives)
				w.after(time.Minute)
				w.wantEnded("before", a, nil)
				node.end("c1", c.entry)
				synctest.Wait()
				w.wantEnded("watch", a, ErrRevoked)
				w.wantEnded("local watch", b, ErrRevoked)
				w.wantEnded("another's", other, nil)
				if e, ok := errors.AsType[RevokedError](context.Cause(a)); !ok || e.Kind != c.entry.Kind {
					t.Errorf("kind %v", e.Kind)
				}
				late, stopLate := w.f.Watch(t.Context(), dies)
				defer stopLate()
				w.wantEnded("a badge that is dead already", late, ErrRevoked)
				stop()
				synctest.Wait()
				if n := w.f.Status().Watchers; n != 0 {
					t.Errorf("%d watchers are left", n)
				}
			})
		})
	}
}

// req: CSRF-12, REVOKE-12
func TestWatchEndsWithTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		w := newFeedWorld(t, FollowerConfig{}, node)
		early, stopEarly := w.f.Watch(t.Context(), badge(1))
		defer stopEarly()
		w.wantEnded("a follower that never ran", early, ErrBlind)
		w.start()
		defer w.end()
		ctx, stop := w.f.Watch(t.Context(), badge(1))
		defer stop()
		local, stopLocal := w.f.WatchLocal(t.Context(), badge(1))
		defer stopLocal()
		node.change(func() { node.hang, node.quiet = true, true })
		_, _, left := w.f.State()
		w.after(left - time.Millisecond)
		w.wantEnded("just before", ctx, nil)
		w.after(time.Millisecond)
		w.wantEnded("at the end of the lease", ctx, ErrBlind)
		w.wantEnded("local", local, nil)
		blind, stopBlind := w.f.WatchLocal(t.Context(), badge(2))
		defer stopBlind()
		w.wantEnded("local, begun blind", blind, nil)
		w.after(time.Hour)
		// What happened meanwhile comes by the snapshot.
		node.change(func() {
			node.set.Apply(0, sessionEntry(1))
			node.newest = "c1"
			node.hang, node.quiet = false, false
			node.respond["revocations"] = 410
		})
		w.after(time.Minute)
		w.wantEnded("local, by the snapshot", local, ErrRevoked)
		w.wantEnded("local, another's", blind, nil)
	})
}

// The timers of a machine that slept go on where they were.
func TestWatchEndsSoonAfterTheMachineWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		w := newFeedWorld(t, FollowerConfig{}, node)
		var slept atomic.Int64
		read := w.f.read
		w.setClock(func() instant { i := read(); i.wall += time.Duration(slept.Load()); return i })
		w.start()
		defer w.end()
		ctx, stop := w.f.Watch(t.Context(), badge(1))
		defer stop()
		w.after(50 * time.Millisecond)
		slept.Store(int64(time.Minute))
		w.after(100 * time.Millisecond)
		w.wantEnded("after waking", ctx, ErrBlind)
	})
}

func TestWatchEndsWithItsParentAndWithRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFeedWorld(t, FollowerConfig{}, newFakeNode("one")).start()
		parent, cancel := context.WithCancel(t.Context())
		ctx, stop := w.f.Watch(parent, badge(1))
		defer stop()
		cancel()
		w.wantEnded("its parent", ctx, context.Canceled)
		open, stopOpen := w.f.Watch(t.Context(), badge(1))
		defer stopOpen()
		w.end()
		w.wantEnded("Run", open, ErrBlind)
	})
}
