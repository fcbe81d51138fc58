package lanyard_test

import (
	"context"
	"errors"
	"sync"

	"github.com/lanyard-go/lanyard"
)

// errEngine is what a failing engine says. Nothing of it may reach a client.
var errEngine = errors.New("dial tcp 10.1.2.3:5432: secret-host refused")

// brittle is a store that can fail, lose acknowledged writes and count calls.
type brittle struct {
	lanyard.Store

	mu    sync.Mutex
	calls []string
	fail  func(call string, n int) error // n counts calls from 1 since arm
	lose  int                            // so many updates are acknowledged and forgotten
	late  func(call string)              // runs after the engine did its step
}

// arm sets what the next calls do and forgets those made.
func (b *brittle) arm(fail func(call string, n int) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail, b.calls = fail, nil
}

func (b *brittle) loseNext(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose = n
}

// after sets what runs behind each step.
func (b *brittle) after(late func(call string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late = late
}

// made returns the calls since the last arm.
func (b *brittle) made() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.calls...)
}

func (b *brittle) enter(call string) (after func(), err error) {
	b.mu.Lock()
	b.calls = append(b.calls, call)
	n, fail, late := len(b.calls), b.fail, b.late
	b.mu.Unlock()
	if fail != nil {
		err = fail(call, n)
	}
	return func() {
		if late != nil {
			late(call)
		}
	}, err
}

func (b *brittle) Create(ctx context.Context, rec *lanyard.Record, limit lanyard.Limit) ([]*lanyard.Record, error) {
	after, err := b.enter("Create")
	if err != nil {
		return nil, err
	}
	defer after()
	return b.Store.Create(ctx, rec, limit)
}

func (b *brittle) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	after, err := b.enter("Get")
	if err != nil {
		return nil, err
	}
	defer after()
	return b.Store.Get(ctx, sid)
}

func (b *brittle) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	after, err := b.enter("Update")
	if err != nil {
		return err
	}
	defer after()
	b.mu.Lock()
	lost := b.lose > 0
	if lost {
		b.lose--
	}
	b.mu.Unlock()
	if lost {
		rec.Version++
		return nil
	}
	return b.Store.Update(ctx, rec, announce...)
}

func (b *brittle) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	after, err := b.enter("List")
	if err != nil {
		return lanyard.Page{}, err
	}
	defer after()
	return b.Store.List(ctx, q)
}

func (b *brittle) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	after, err := b.enter("Revoke")
	if err != nil {
		return lanyard.Ended{}, err
	}
	defer after()
	return b.Store.Revoke(ctx, e)
}

func (b *brittle) Once(ctx context.Context, key string, now, until lanyard.Time) (bool, error) {
	after, err := b.enter("Once")
	if err != nil {
		return false, err
	}
	defer after()
	return b.Store.Once(ctx, key, now, until)
}

func (b *brittle) Prune(ctx context.Context, p lanyard.Prune) (lanyard.Ended, error) {
	after, err := b.enter("Prune")
	if err != nil {
		return lanyard.Ended{}, err
	}
	defer after()
	return b.Store.Prune(ctx, p)
}

// failAll fails every call.
func failAll(string, int) error { return errEngine }

// failAt fails the nth call and those after it, as an engine that went away.
func failAt(n int) func(string, int) error {
	return func(_ string, call int) error {
		if call >= n {
			return errEngine
		}
		return nil
	}
}

// failOnce fails the nth call only, as a network that blinked.
func failOnce(n int) func(string, int) error {
	return func(_ string, call int) error {
		if call == n {
			return errEngine
		}
		return nil
	}
}

// hungStore answers reads only when the caller's patience is over.
type hungStore struct {
	lanyard.Store
	hang bool
}

func (h *hungStore) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	if h.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.Store.Get(ctx, sid)
}
