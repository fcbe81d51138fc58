package password

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// req: LOGIN-12
func TestABurstNeverHashesMoreThanTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots, callers = 3, 100
		g := newGate(slots, 2*time.Second)
		var running, most, done, busy atomic.Int64
		start := time.Now()
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				err := g.do(t.Context(), func() {
					n := running.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					time.Sleep(300 * time.Millisecond) // the bubble's clock
					running.Add(-1)
					done.Add(1)
				})
				switch {
				case errors.Is(err, ErrBusy):
					busy.Add(1)
					if waited := time.Since(start); waited != 2*time.Second {
						t.Errorf("refused after %v, want exactly MaxWait", waited)
					}
				case err != nil:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if most.Load() != slots {
			t.Errorf("%d at a time, want %d", most.Load(), slots)
		}
		// Seven rounds begin before two seconds are over.
		if done.Load() != 7*slots || busy.Load() != callers-7*slots {
			t.Errorf("%d hashed and %d refused, want %d and %d", done.Load(), busy.Load(), 7*slots, callers-7*slots)
		}
		if err := g.do(t.Context(), func() {}); err != nil {
			t.Errorf("after the burst: %v", err)
		}
	})
}

// operations is everything that computes a hash.
var operations = map[string]func(context.Context, *Hasher) error{
	"Hash":     func(ctx context.Context, h *Hasher) error { _, err := h.Hash(ctx, "pw"); return err },
	"Equalize": func(ctx context.Context, h *Hasher) error { return h.Equalize(ctx, "pw") },
	"Verify argon2id": func(ctx context.Context, h *Hasher) error {
		_, _, err := h.Verify(ctx, argonReference, "pw")
		return err
	},
	"Verify bcrypt": func(ctx context.Context, h *Hasher) error {
		_, _, err := h.Verify(ctx, "$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG", "pw")
		return err
	},
}

// req: LOGIN-12
func TestEveryOperationWaitsForItsTurn(t *testing.T) {
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, err := New(Config{MaxConcurrent: 1, MaxWait: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				h.gate.slots <- struct{}{} // someone else's hash
				start := time.Now()
				if err := operation(t.Context(), h); !errors.Is(err, ErrBusy) || time.Since(start) != time.Second {
					t.Errorf("%v after %v, want ErrBusy after one second", err, time.Since(start))
				}

				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				start = time.Now()
				if err := operation(ctx, h); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
					t.Errorf("%v after %v, want the caller's deadline", err, time.Since(start))
				}

				time.AfterFunc(500*time.Millisecond, func() { <-h.gate.slots })
				start = time.Now()
				if err := operation(t.Context(), h); err != nil || time.Since(start) != 500*time.Millisecond {
					t.Errorf("%v after %v, want success when the turn comes", err, time.Since(start))
				}
			})
		})
	}
}

func TestAnEndedContextStartsNoWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := newGate(1, time.Second).do(ctx, func() { t.Error("the work was done") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestAPanicGivesTheTurnBack(t *testing.T) {
	g := newGate(1, time.Second)
	func() {
		defer func() { recover() }()
		g.do(t.Context(), func() { panic("boom") })
	}()
	if err := g.do(t.Context(), func() {}); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

func TestZeroConfigTakesDefaults(t *testing.T) {
	h, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if h.gate.wait != 2*time.Second || cap(h.gate.slots) < 1 {
		t.Errorf("wait %v, slots %d", h.gate.wait, cap(h.gate.slots))
	}
}
