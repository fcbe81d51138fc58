package lanyard

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// breakAfter is how many calls of a store must fail in a row before it is
	// left alone for a while.
	breakAfter = 5

	// breakFor is how long that is. Then one call tries again.
	breakFor = time.Second

	// pruneTimeout bounds a call of Prune, which nobody waits for.
	pruneTimeout = 10 * time.Second
)

// errAway is the answer in place of an engine that has not answered lately.
var errAway = errors.New("lanyard: the session store is not answering; not asked again for a moment")

// outageStore is the one place that knows what to do when an engine is away. It
// bounds each call, and after some failures in a row it answers in the engine's
// place for a second at a time, so that requests do not pile up behind a store
// that hangs. One call in each such second goes through; when it succeeds, all
// do again.
//
// Every failure is an error to the caller, who refuses with 503 and changes
// nothing at the client: cookies stay, and a refresh token that was not
// exchanged still works.
type outageStore struct {
	Store
	timeout time.Duration
	now     func() time.Time
	log     *slog.Logger
	count   func(name, outcome string)

	failures atomic.Int32 // in a row
	until    atomic.Int64 // Unix nanoseconds of the next try; 0: the store answers
}

// enter begins a call, or refuses it.
func (o *outageStore) enter(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc, error) {
	if until := o.until.Load(); until != 0 {
		now := o.now().UnixNano()
		// Only one of those who find the pause over goes on.
		if now < until || !o.until.CompareAndSwap(until, now+int64(breakFor)) {
			return nil, nil, errAway
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, cancel, nil
}

// leave judges the outcome of a call that parent asked for.
func (o *outageStore) leave(parent context.Context, err error) {
	switch {
	case err == nil, answered(err):
		// Read first: these words are shared by all requests and seldom change.
		if o.failures.Load() != 0 {
			o.failures.Store(0)
		}
		if o.until.Load() != 0 && o.until.Swap(0) != 0 {
			o.log.LogAttrs(parent, slog.LevelInfo, "the session store answers again")
			o.count("store", "back")
		}
	case parent.Err() != nil:
		// Whoever asked went away: that says nothing about the store.
	case o.failures.Add(1) >= breakAfter:
		if o.until.Swap(o.now().Add(breakFor).UnixNano()) == 0 {
			o.log.LogAttrs(parent, slog.LevelError, "the session store does not answer; requests are refused until it does", slog.Any("error", err))
			o.count("store", "away")
		}
	}
}

// answered reports whether an error is an engine's answer and not its failure.
func answered(err error) bool {
	for _, e := range [...]error{ErrNotFound, ErrConflict, ErrEnded, ErrExists, ErrLimit, ErrBadCursor} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// outage runs one call under the policy.
func outage[T any](o *outageStore, parent context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel, err := o.enter(parent, limit)
	if err != nil {
		var none T
		return none, err
	}
	defer cancel()
	v, err := call(ctx)
	o.leave(parent, err)
	return v, err
}

// Create implements [Store].
func (o *outageStore) Create(ctx context.Context, rec *Record, limit Limit) ([]*Record, error) {
	return outage(o, ctx, o.timeout, func(ctx context.Context) ([]*Record, error) { return o.Store.Create(ctx, rec, limit) })
}

// Get implements [Store].
func (o *outageStore) Get(ctx context.Context, sid SID) (*Record, error) {
	return outage(o, ctx, o.timeout, func(ctx context.Context) (*Record, error) { return o.Store.Get(ctx, sid) })
}

// Update implements [Store].
func (o *outageStore) Update(ctx context.Context, rec *Record, announce ...Entry) error {
	_, err := outage(o, ctx, o.timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, o.Store.Update(ctx, rec, announce...)
	})
	return err
}

// List implements [Store].
func (o *outageStore) List(ctx context.Context, q Query) (Page, error) {
	return outage(o, ctx, o.timeout, func(ctx context.Context) (Page, error) { return o.Store.List(ctx, q) })
}

// Revoke implements [Store].
func (o *outageStore) Revoke(ctx context.Context, e End) (Ended, error) {
	return outage(o, ctx, o.timeout, func(ctx context.Context) (Ended, error) { return o.Store.Revoke(ctx, e) })
}

// Once implements [Store].
func (o *outageStore) Once(ctx context.Context, key string, now, until Time) (bool, error) {
	return outage(o, ctx, o.timeout, func(ctx context.Context) (bool, error) { return o.Store.Once(ctx, key, now, until) })
}

// Revocations implements [Store].
func (o *outageStore) Revocations(ctx context.Context, after string, limit int) (entries []Entry, next string, err error) {
	entries, err = outage(o, ctx, o.timeout, func(ctx context.Context) (e []Entry, err error) {
		e, next, err = o.Store.Revocations(ctx, after, limit)
		return e, err
	})
	return entries, next, err
}

// Prune implements [Store].
func (o *outageStore) Prune(ctx context.Context, p Prune) (Ended, error) {
	return outage(o, ctx, pruneTimeout, func(ctx context.Context) (Ended, error) { return o.Store.Prune(ctx, p) })
}
