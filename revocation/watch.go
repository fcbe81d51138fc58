package revocation

import (
	"context"
	"errors"
	"sync"
)

// watcher is somebody who wants to know when a badge dies.
type watcher struct {
	badge  Badge
	local  bool // a blind follower is no reason to end
	cancel context.CancelCauseFunc
}

// watchers are all of them, found by session, since most entries are about one.
// It is safe for concurrent use.
type watchers struct {
	mu    sync.Mutex
	bySID map[SID]map[*watcher]struct{}
	n     int
}

func (ws *watchers) add(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	of := ws.bySID[w.badge.SID]
	if of == nil {
		of = make(map[*watcher]struct{}, 1)
		if ws.bySID == nil {
			ws.bySID = make(map[SID]map[*watcher]struct{})
		}
		ws.bySID[w.badge.SID] = of
	}
	of[w] = struct{}{}
	ws.n++
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	of := ws.bySID[w.badge.SID]
	if _, here := of[w]; !here {
		return
	}
	ws.n--
	if delete(of, w); len(of) == 0 {
		delete(ws.bySID, w.badge.SID)
	}
}

func (ws *watchers) len() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.n
}

// touched returns those whom entries may concern.
func (ws *watchers) touched(entries []Entry) (found []*watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.n == 0 {
		return nil
	}
	for i := range entries {
		switch e := &entries[i]; e.Kind {
		case KindSession, KindGeneration:
			for w := range ws.bySID[e.SID] {
				found = append(found, w)
			}
		default:
			return ws.all()
		}
	}
	return found
}

// bounded returns those who must not outlive a blind follower.
func (ws *watchers) bounded() (found []*watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, of := range ws.bySID {
		for w := range of {
			if !w.local {
				found = append(found, w)
			}
		}
	}
	return found
}

// every returns all of them.
func (ws *watchers) every() []*watcher {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.all()
}

// all is every with the lock held.
func (ws *watchers) all() []*watcher {
	found := make([]*watcher, 0, ws.n)
	for _, of := range ws.bySID {
		for w := range of {
			found = append(found, w)
		}
	}
	return found
}

// Watch returns a context that ends with ctx, and when the badge dies: its cause
// (see [context.Cause]) is then a [RevokedError]. It also ends, with the cause
// [ErrBlind], when the follower can no longer tell, so that an open connection
// does not outlive the bound. A badge that is dead, or a follower that is blind,
// gives a context that has ended.
//
// The context is for connections that stay open. Whoever is done with it calls
// the function returned.
func (f *Follower) Watch(ctx context.Context, b *Badge) (context.Context, context.CancelFunc) {
	return f.watch(ctx, b, false)
}

// WatchLocal is [Follower.Watch] for routes that go on while the follower is
// blind: such a context ends as soon as the news has come, however late.
func (f *Follower) WatchLocal(ctx context.Context, b *Badge) (context.Context, context.CancelFunc) {
	return f.watch(ctx, b, true)
}

func (f *Follower) watch(ctx context.Context, b *Badge, local bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watcher{badge: *b, local: local, cancel: cancel}
	// In this order: an entry that comes between the two meets the watcher.
	f.watchers.add(w)
	context.AfterFunc(ctx, func() { f.watchers.remove(w) })
	if err := f.Check(b); err != nil && !(local && errors.Is(err, ErrBlind)) {
		cancel(err)
	}
	return ctx, func() { cancel(context.Canceled) }
}

// bury ends those whose badges are dead.
func (f *Follower) bury(ws []*watcher) {
	for _, w := range ws {
		if kind, dead := f.set.Dead(&w.badge); dead {
			w.cancel(RevokedError{kind})
		}
	}
}
