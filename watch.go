package lanyard

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrSessionOver is the cause with which a context of [Manager.Watch] ends when
// its session does.
var ErrSessionOver = errors.New("lanyard: the session is over")

// watches are the open connections of this process.
type watches struct {
	mu  sync.Mutex
	all map[*watch]struct{}
}

// watch is one connection and the badge it was opened with.
type watch struct {
	rec    *Record
	key    string // that signed its access token, if it was one
	cancel context.CancelCauseFunc
}

// dead reports whether an entry of the feed ends the connection.
func (w *watch) dead(e *Entry) bool {
	switch e.Kind {
	case EntrySession:
		return w.rec.SID == e.SID
	case EntryGeneration:
		return w.rec.SID == e.SID && w.rec.Generation < e.Generation
	case EntrySubject:
		return w.rec.Subject == e.Subject && w.rec.SubjectEpoch < e.Epoch
	case EntryAll:
		return w.rec.GlobalEpoch < e.Epoch
	case EntryKey:
		return w.key != "" && w.key == e.Key
	}
	return false
}

func (ws *watches) apply(e *Entry) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		if w.dead(e) {
			w.cancel(ErrSessionOver)
		}
	}
}

func (ws *watches) add(w *watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.all == nil {
		ws.all = make(map[*watch]struct{})
	}
	ws.all[w] = struct{}{}
}

func (ws *watches) remove(w *watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.all, w)
}

// recheck is how often a watched session is read again where no feed is
// followed, and for limits that activity moves.
const recheck = 15 * time.Second

// Watch returns a context for a connection that stays open, such as a WebSocket
// or a stream of events. It ends with the cause [ErrSessionOver] when the
// request's session does, by whatever reason, or when its badge is replaced by a
// new authentication: at once where the manager runs ([Manager.Run]) and the
// store's feed can be followed, within [Policy.RevocationBound] if the feed cannot be
// read, and never later than the session's limits. Call cancel when the
// connection is closed. For nobody the context has ended already.
func (m *Manager) Watch(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	s := From(ctx)
	watched, end := context.WithCancelCause(ctx)
	if s.rec == nil {
		end(ErrSessionOver)
		return watched, func() {}
	}
	w := &watch{rec: s.rec, cancel: end}
	if s.claims != nil {
		w.key = s.claims.KeyID
	}
	m.watchSession(watched, s, w)
	return watched, func() { end(context.Canceled) }
}

// watchSession ends w when its session is over.
func (m *Manager) watchSession(ctx context.Context, s *Session, w *watch) {
	every := m.cfg.RevocationBound
	if m.node != nil {
		m.node.watches.add(w)
	} else {
		every = recheck
	}
	go func() {
		if m.node != nil {
			defer m.node.watches.remove(w)
		}
		t := time.NewTimer(0) // at once: it may have ended since the request was checked
		defer t.Stop()
		latest := w.rec
		known := false // whether the feed has been followed since the last reading
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			now := m.now()
			due := latest.Expired(now) != ""
			if !known || due || m.node == nil || !m.node.fresh() {
				rec, err := m.store.Get(ctx, w.rec.SID)
				if err != nil || usable(rec, m.now()) != nil || rec.Generation != s.rec.Generation {
					w.cancel(ErrSessionOver)
					return
				}
				latest = rec
				known = m.node != nil && m.node.fresh()
			}
			left := min(latest.ExpiresAt, latest.IdleExpiresAt).Sub(now)
			t.Reset(min(every, max(left, time.Millisecond)))
		}
	}()
}
