package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

const (
	// maxBatch bounds the calls that share a transaction, and with them how many
	// locks it takes.
	maxBatch = 128
	// maxTries bounds how often a transaction is tried that lost against others.
	maxTries = 5
	// A second transaction starts beside the first when so many calls wait that
	// it is worth its price: the server works on one while the other is synced.
	maxTrips  = 2
	manyCalls = 24
)

// lane carries calls of one kind to the server. While a transaction is on its
// way, calls gather for the next one: nobody waits on purpose, a lone caller
// pays for its own transaction and nothing else.
type lane[T any] struct {
	store *Store
	run   func(ctx context.Context, batch []*op[T]) error

	mu    sync.Mutex
	queue []*op[T]
	trips int // transactions under way
}

// op is a call in a lane. Its outcome belongs to the transaction until done is
// closed, and to the caller afterwards.
type op[T any] struct {
	key  string // of two ops with the same key, one waits for the next transaction
	what T
	err  error // a refusal of this op alone, or what the engine said
	done chan struct{}
	trip *trip // nil while it is in the queue
}

// trip is a transaction under way. When all of its callers have given up it is
// called off.
type trip struct {
	waiting int // guarded by the lane's mu
	cancel  context.CancelFunc
}

func newLane[T any](s *Store, run func(context.Context, []*op[T]) error) *lane[T] {
	return &lane[T]{store: s, run: run}
}

// do runs one call. A caller whose ctx ends is answered at once: if the call was
// still in the queue nothing happens, else nobody knows.
func (l *lane[T]) do(ctx context.Context, doing, key string, what T) (T, error) {
	o := &op[T]{key: key, what: what, done: make(chan struct{})}
	if err := ctx.Err(); err != nil {
		return o.what, fmt.Errorf("%s: %w", doing, err)
	}
	if err := l.store.enter(); err != nil {
		return o.what, fmt.Errorf("%s: %w", doing, err)
	}
	defer l.store.calls.Done()
	l.mu.Lock()
	l.queue = append(l.queue, o)
	if l.trips == 0 || l.trips < maxTrips && len(l.queue) >= manyCalls {
		l.trips++
		l.store.calls.Add(1)
		go l.lead()
	}
	l.mu.Unlock()
	select {
	case <-o.done:
	case <-ctx.Done():
		if known, err := l.giveUp(o, ctx); !known {
			var none T
			return none, fmt.Errorf("%s: %w", doing, err)
		}
	}
	if o.err != nil {
		return o.what, fmt.Errorf("%s: %w", doing, explain(o.err))
	}
	return o.what, nil
}

// giveUp takes o out. It reports true if the outcome is there after all.
func (l *lane[T]) giveUp(o *op[T], ctx context.Context) (known bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue, o); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
		return false, ctx.Err()
	}
	select {
	case <-o.done:
		return true, nil
	default:
	}
	if o.trip.waiting--; o.trip.waiting == 0 {
		o.trip.cancel()
	}
	return false, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
}

// lead runs transactions until nobody waits.
func (l *lane[T]) lead() {
	defer l.store.calls.Done()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), l.store.timeout)
		batch := l.take(cancel)
		if len(batch) == 0 {
			cancel()
			return
		}
		l.attempt(ctx, batch)
		cancel()
		l.mu.Lock()
		for _, o := range batch {
			close(o.done)
		}
		l.mu.Unlock()
	}
}

// take removes calls from the queue, in their order. Two with the same key never
// share a transaction, so that a step may treat all of its rows at once.
func (l *lane[T]) take(cancel context.CancelFunc) []*op[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 || l.trips > 1 && len(l.queue) < manyCalls {
		l.trips--
		return nil
	}
	t := &trip{cancel: cancel}
	var batch, left []*op[T]
	seen := make(map[string]bool, len(l.queue))
	for _, o := range l.queue {
		if len(batch) == maxBatch || seen[o.key] {
			left = append(left, o)
			continue
		}
		seen[o.key] = true
		o.trip = t
		batch = append(batch, o)
	}
	l.queue = left
	t.waiting = len(batch)
	return batch
}

// attempt runs a batch, and again where it left no trace: all of it when it lost
// against another transaction, and one by one when something in it was refused
// by the server, so that the others do not fail with it.
func (l *lane[T]) attempt(ctx context.Context, batch []*op[T]) {
	err := l.try(ctx, batch)
	if err == nil {
		return
	}
	if len(batch) > 1 && rolledBack(err) && single(sqlState(err)) {
		for i := range batch {
			l.attempt(ctx, batch[i:i+1])
		}
		return
	}
	for _, o := range batch {
		o.err = err
	}
}

// single reports whether the error may be due to one op: bad data, a constraint,
// a size.
func single(state string) bool {
	return state[:2] == "22" || state[:2] == "23" || state[:2] == "54"
}

func (l *lane[T]) try(ctx context.Context, batch []*op[T]) (err error) {
	for range maxTries {
		for _, o := range batch {
			o.err = nil
		}
		if err = l.run(ctx, batch); err == nil || !repeatable(err) {
			return err
		}
	}
	return err
}
