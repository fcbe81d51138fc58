package lanyard_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// backlog is a store with work for so many calls of Prune, each of which takes
// its time.
type backlog struct {
	lanyard.Store
	calls, most int
	takes       time.Duration
	began       []time.Time
}

func (b *backlog) Prune(ctx context.Context, p lanyard.Prune) (lanyard.Ended, error) {
	b.began = append(b.began, time.Now())
	time.Sleep(b.takes)
	b.calls++
	return lanyard.Ended{More: b.calls < b.most}, ctx.Err()
}

func TestPruningLeavesTheStoreToOthersBetweenBatches(t *testing.T) {
	for _, row := range []struct {
		name        string
		takes, rest time.Duration
	}{
		{"as long as a batch took", 4 * time.Millisecond, 4 * time.Millisecond},
		{"not at all after one that took no time", 0, 0},
		{"no longer than its limit when the store is slow", time.Second, 50 * time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &backlog{Store: memory.New(), most: 20, takes: row.takes}
				w := newWorldOn(t, store, newClock(), func(c *lanyard.Config) { c.Now = time.Now })
				if err := w.Prune(t.Context()); err != nil {
					t.Fatal(err)
				}
				if store.calls != store.most {
					t.Fatalf("%d calls, want all %d", store.calls, store.most)
				}
				for i, began := range store.began[1:] {
					if rest := began.Sub(store.began[i]) - row.takes; rest != row.rest {
						t.Errorf("after call %d it rested for %v, want %v", i+1, rest, row.rest)
					}
				}
				if rest := time.Since(store.began[store.most-1]) - row.takes; rest != 0 {
					t.Errorf("it rested for %v with nothing left to do", rest)
				}
			})
		})
	}
}

func TestPruningStopsAtOnceWhenItIsNotWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &backlog{Store: memory.New(), most: 1000, takes: 40 * time.Millisecond}
		w := newWorldOn(t, store, newClock(), func(c *lanyard.Config) { c.Now = time.Now })
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond) // in the first rest
		defer cancel()
		if err := w.Prune(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if took := time.Since(start); store.calls != 1 || took != 60*time.Millisecond {
			t.Errorf("%d calls in %v, want 1 in 60ms", store.calls, took)
		}
	})
}

// A clock that goes back while a batch runs must not end the work.
func TestPruningFinishesWhenTheClockIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &backlog{Store: memory.New(), most: 20}
		c := newClock()
		w := newWorldOn(t, store, c, func(cfg *lanyard.Config) {
			cfg.Now = func() time.Time { c.advance(-time.Hour); return c.Now() }
		})
		if err := w.Prune(t.Context()); err != nil || store.calls != store.most {
			t.Errorf("%d calls, want %d; %v", store.calls, store.most, err)
		}
	})
}
