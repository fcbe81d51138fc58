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
// do again. Calls that name a record are counted for its partition alone, since
// of a store on several machines one can be away.
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

	breakers [Partitions + 1]breaker // the last is for calls that name no record
}

// breaker counts failures in a row.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // Unix nanoseconds of the next try; 0: the store answers
}

func (o *outageStore) of(sid SID) *breaker { return &o.breakers[sid.Partition()] }
func (o *outageStore) general() *breaker   { return &o.breakers[Partitions] }

// enter reports whether a call may be tried now.
func (b *breaker) enter(now time.Time) bool {
	until := b.until.Load()
	if until == 0 {
		return true
	}
	// A pause that seems longer than any is one that a clock set back made.
	if left := until - now.UnixNano(); left > 0 && left <= int64(breakFor) {
		return false
	}
	// Only one of those who find the pause over goes on.
	return b.until.CompareAndSwap(until, now.Add(breakFor).UnixNano())
}

// leave judges the outcome of a call that parent asked for and that began at the
// time begun.
func (o *outageStore) leave(b *breaker, parent context.Context, begun time.Time, err error) {
	switch {
	case err == nil, answered(err):
		// Read first: these words are shared by all requests and seldom change.
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		if b.until.Load() != 0 && b.until.Swap(0) != 0 {
			o.log.LogAttrs(parent, slog.LevelInfo, "the session store answers again")
			o.count("store", "back")
		}
	case parent.Err() != nil && o.now().Sub(begun) < o.timeout/2:
		// Whoever asked went away at once: that says nothing about the store.
	case b.failures.Add(1) >= breakAfter:
		if b.until.Swap(o.now().Add(breakFor).UnixNano()) == 0 {
			o.log.LogAttrs(parent, slog.LevelError, "the session store does not answer; requests are refused until it does", slog.Any("error", err))
			o.count("store", "away")
		}
	}
}

// answered reports whether an error is an engine's answer and not its failure.
func answered(err error) bool {
	for _, e := range [...]error{ErrNotFound, ErrConflict, ErrEnded, ErrExists, ErrLimit, ErrBadCursor, ErrBadRecord} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// outage runs one call under the policy.
func outage[T any](o *outageStore, b *breaker, parent context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	begun := o.now()
	if !b.enter(begun) {
		var none T
		return none, errAway
	}
	ctx := within(parent, limit)
	defer ctx.end()
	v, err := call(ctx)
	o.leave(b, parent, begun, err)
	return v, err
}

// Create implements [Store].
func (o *outageStore) Create(ctx context.Context, rec *Record, limit Limit) ([]*Record, error) {
	return outage(o, o.of(rec.SID), ctx, o.timeout, func(ctx context.Context) ([]*Record, error) { return o.Store.Create(ctx, rec, limit) })
}

// Get implements [Store].
func (o *outageStore) Get(ctx context.Context, sid SID) (*Record, error) {
	return outage(o, o.of(sid), ctx, o.timeout, func(ctx context.Context) (*Record, error) { return o.Store.Get(ctx, sid) })
}

// Update implements [Store].
func (o *outageStore) Update(ctx context.Context, rec *Record, announce ...Entry) error {
	_, err := outage(o, o.of(rec.SID), ctx, o.timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, o.Store.Update(ctx, rec, announce...)
	})
	return err
}

// List implements [Store].
func (o *outageStore) List(ctx context.Context, q Query) (Page, error) {
	return outage(o, o.general(), ctx, o.timeout, func(ctx context.Context) (Page, error) { return o.Store.List(ctx, q) })
}

// Revoke implements [Store].
func (o *outageStore) Revoke(ctx context.Context, e End) (Ended, error) {
	b := o.general()
	if !e.SID.IsZero() {
		b = o.of(e.SID)
	}
	return outage(o, b, ctx, o.timeout, func(ctx context.Context) (Ended, error) { return o.Store.Revoke(ctx, e) })
}

// Once implements [Store].
func (o *outageStore) Once(ctx context.Context, key string, now, until Time) (bool, error) {
	return outage(o, o.general(), ctx, o.timeout, func(ctx context.Context) (bool, error) { return o.Store.Once(ctx, key, now, until) })
}

// Revocations implements [Store].
func (o *outageStore) Revocations(ctx context.Context, after string, limit int) (entries []Entry, next string, err error) {
	entries, err = outage(o, o.general(), ctx, o.timeout, func(ctx context.Context) (e []Entry, err error) {
		e, next, err = o.Store.Revocations(ctx, after, limit)
		return e, err
	})
	return entries, next, err
}

// Prune implements [Store].
func (o *outageStore) Prune(ctx context.Context, p Prune) (Ended, error) {
	return outage(o, o.general(), ctx, pruneTimeout, func(ctx context.Context) (Ended, error) { return o.Store.Prune(ctx, p) })
}
