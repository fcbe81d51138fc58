package lanyard_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// remote is a store that is reached over a line: it says nothing of being
// volatile, and it can be away.
type remote struct {
	lanyard.Store
	away  atomic.Pointer[func(context.Context) error]
	only  func(lanyard.SID) bool // whose calls fail; nil: all
	calls atomic.Int64
}

func (r *remote) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	r.calls.Add(1)
	if away := r.away.Load(); away != nil && (r.only == nil || r.only(sid)) {
		return nil, (*away)(ctx)
	}
	return r.Store.Get(ctx, sid)
}

// hang answers nothing until the caller gives up.
func hang(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func refuseAll(context.Context) error { return errors.New("connection refused") }

func (r *remote) goAway(how func(context.Context) error) { r.away.Store(&how) }
func (r *remote) comeBack()                              { r.away.Store(nil) }

// onRemote is a manager over a remote store, and a request of a cookie session.
func onRemote(t *testing.T) (*remote, *world, *http.Request) {
	t.Helper()
	store := &remote{Store: memory.New()}
	w := newWorldOn(t, store, newClock(), func(c *lanyard.Config) { c.Now = time.Now })
	return store, w, w.withCookie(get("/"), w.startCookie().Handle.Reveal())
}

// req: STORE-7, REVOKE-12
func TestAHungStoreIsAnsweredFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, w, r := onRemote(t)
		store.goAway(hang)
		// A hundred requests at once wait for their limit and are refused.
		start := time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if a := w.send(r).answer; a.Code != http.StatusServiceUnavailable || a.Header().Get("Retry-After") == "" || len(a.Result().Cookies()) > 0 {
					t.Errorf("a hung store: %d, Retry-After %q, cookies %v", a.Code, a.Header().Get("Retry-After"), a.Result().Cookies())
				}
			})
		}
		all.Wait()
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("waited %v for a hung store, want the limit of 2s", waited)
		}
		// From then on nobody waits and the store is left alone, but for one try.
		before := store.calls.Load()
		start = time.Now()
		for range 1000 {
			if a := w.send(r).answer; a.Code != http.StatusServiceUnavailable {
				t.Fatalf("while the store is left alone: %d", a.Code)
			}
		}
		if waited, tries := time.Since(start), store.calls.Load()-before; waited != 0 || tries != 0 {
			t.Errorf("a thousand requests waited %v and asked %d times, want none", waited, tries)
		}
		// Of those that come after the pause, one tries.
		time.Sleep(time.Second)
		for range 100 {
			all.Go(func() { w.send(r) })
		}
		all.Wait()
		if tries := store.calls.Load() - before; tries != 1 {
			t.Errorf("%d tries after the pause, want 1", tries)
		}
		store.comeBack()
		time.Sleep(time.Second)
		for range 3 {
			if a := w.send(r).answer; a.Code != http.StatusOK || a.Body.String() != "ann" {
				t.Fatalf("the store is back: %d %q", a.Code, a.Body)
			}
		}
	})
}

func TestAFailureNowAndThenIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, w, r := onRemote(t)
		for range 50 {
			store.goAway(refuseAll)
			for range 4 {
				if a := w.send(r).answer; a.Code != http.StatusServiceUnavailable {
					t.Fatalf("%d while it fails", a.Code)
				}
			}
			store.comeBack()
			if a := w.send(r).answer; a.Code != http.StatusOK {
				t.Fatalf("four failures and a success: %d, want the store to be asked", a.Code)
			}
		}
	})
}

func TestClientsThatGoAwayBreakNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, w, r := onRemote(t)
		store.goAway(hang)
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			w.send(r.WithContext(ctx))
			cancel()
		}
		store.comeBack()
		if a := w.send(r).answer; a.Code != http.StatusOK {
			t.Errorf("after fifty clients gave up: %d, want the store to be asked", a.Code)
		}
	})
}

func TestRefusalsOfTheStoreAreNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, w, r := onRemote(t)
		store.goAway(func(context.Context) error { return lanyard.ErrNotFound })
		for range 50 {
			if a := w.send(r).answer; a.Code != http.StatusOK || a.Body.String() != "" {
				t.Fatalf("an unknown session: %d %q, want to go on as nobody", a.Code, a.Body)
			}
		}
		store.comeBack()
		if a := w.send(r).answer; a.Body.String() != "ann" {
			t.Errorf("after fifty unknown sessions: %q", a.Body)
		}
	})
}

func TestAClockThatIsSetBackDoesNotProlongAnOutage(t *testing.T) {
	c := newClock()
	store := &remote{Store: memory.New()}
	w := newWorldOn(t, store, c)
	r := w.withCookie(get("/"), w.startCookie().Handle.Reveal())
	store.goAway(refuseAll)
	for range 10 {
		w.send(r)
	}
	c.advance(-time.Hour)
	store.comeBack()
	if a := w.send(r).answer; a.Code != http.StatusOK {
		t.Errorf("an hour was set back: %d, want the store to be asked", a.Code)
	}
}

// One damaged record is the trouble of its owner alone.
func TestADamagedRecordIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, w, r := onRemote(t)
		store.goAway(func(context.Context) error { return lanyard.ErrBadRecord })
		for range 50 {
			w.send(r)
		}
		store.comeBack()
		if a := w.send(r).answer; a.Code != http.StatusOK {
			t.Errorf("after fifty reads of a damaged record: %d, want the store to be asked", a.Code)
		}
	})
}

// A store on several machines may lose one: sessions on the others go on.
func TestAnOutageOfOnePartitionIsNoneOfTheOthers(t *testing.T) {
	store := &remote{Store: memory.New()}
	w := newWorldOn(t, store, newClock())
	first := w.start(lanyard.Login{Subject: "ann"})
	second := first
	for i := 0; second.Session.SID().Partition() == first.Session.SID().Partition(); i++ {
		second = w.start(lanyard.Login{Subject: strings.Repeat("b", i+1)})
	}
	ill := first.Session.SID().Partition()
	store.only = func(sid lanyard.SID) bool { return sid.Partition() == ill }
	store.goAway(refuseAll)
	for range 20 {
		if a := w.send(w.withCookie(get("/"), first.Handle.Reveal())).answer; a.Code != http.StatusServiceUnavailable {
			t.Fatalf("the partition that is away: %d", a.Code)
		}
	}
	if a := w.send(w.withCookie(get("/"), second.Handle.Reveal())).answer; a.Code != http.StatusOK {
		t.Errorf("another partition: %d", a.Code)
	}
}

// Clients with less patience than we have do not hide that the store hangs.
func TestImpatientClientsDoNotHideAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, w, r := onRemote(t)
		store.goAway(hang)
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			w.send(r.WithContext(ctx))
			cancel()
		}
		if before := store.calls.Load(); before > 8 {
			t.Errorf("%d requests were let through to a store that hangs", before)
		}
	})
}
