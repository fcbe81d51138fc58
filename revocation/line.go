package revocation

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// line is one connection to a node: its stream, and the acknowledgements that
// belong to it.
type line struct {
	f        *Follower
	at       endpoint
	instance string
	bound    time.Duration
	opened   instant
	broken   context.CancelCauseFunc

	mu      sync.Mutex
	closed  bool
	proven  bool      // a lease was given on this line
	shown   []string  // ids since the last acknowledgement was sent, and the one before
	waiting []promise // leases that name what this line has not shown yet
}

// promise is a lease that holds once newest was applied.
type promise struct {
	q      question
	newest string
	length time.Duration
}

const (
	// maxPromises bounds those that wait; of more, the oldest is dropped.
	maxPromises = 16
	// maxShown bounds the ids remembered. An answer that names an older one is
	// worth nothing, and the next acknowledgement brings another.
	maxShown = 4096
)

// follow keeps up with one node until something is wrong, and says what. Lasted
// reports that the connection did well for a while.
func (f *Follower) follow(ctx context.Context, at endpoint, failures int) (lasted bool, err error) {
	ctx, broken := context.WithCancelCause(ctx)
	defer broken(nil)
	patience := f.patience(failures)
	if f.place() == "" {
		if err := f.restart(ctx, at, patience); err != nil {
			return false, err
		}
	}
	l := &line{f: f, at: at, opened: f.read(), broken: broken}
	err = because(ctx, l.run(ctx, patience))
	l.mu.Lock()
	l.closed = true
	lasted = l.proven && l.bound > 0 && f.read().since(l.opened) >= l.bound
	l.mu.Unlock()
	switch troubleOf(err) {
	case TroubleRegress:
		// What this follower has seen is not what the node has: no promise made
		// about the one says anything about the other.
		f.fresh.drop()
		f.forgetPlace()
	case TroubleResync:
		f.forgetPlace()
	}
	return lasted, err
}

// because returns why ctx was ended, if it was ended for a reason of ours, and
// otherwise err: the reason comes back from the network as a mere cancellation.
func because(ctx context.Context, err error) error {
	if f, ok := errors.AsType[*fault](context.Cause(ctx)); ok {
		return f
	}
	return err
}

const (
	leastPatience = 250 * time.Millisecond
	mostPatience  = 5 * time.Second
)

// patience is how long a node may take to begin an answer. A node that has
// stopped still accepts connections, so waiting long would cost the lease; but
// where all nodes are slow, each round waits longer.
func (f *Follower) patience(failures int) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return min(mostPatience, max(leastPatience, f.bound/2)<<min(failures, 8))
}

// run opens the stream and reads it to its end.
func (l *line) run(ctx context.Context, patience time.Duration) error {
	req, err := l.f.request(ctx, http.MethodGet, l.at.stream, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Last-Event-ID", l.f.place())
	silence := time.AfterFunc(patience, func() { l.broken(faultf(TroubleUnreachable, "no stream within %v", patience)) })
	defer func() { silence.Stop() }()
	res, err := l.f.send(req, "text/event-stream")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	r := NewReader(res.Body, 0)
	e, err := r.Next()
	if err != nil {
		return readFault(err)
	}
	if err := l.hello(&e); err != nil {
		return err
	}
	silence.Stop()
	// A heartbeat comes at least every quarter of the bound.
	quiet := l.bound / 4 * 3
	silence = time.AfterFunc(quiet, func() { l.broken(faultf(TroubleIdle, "nothing came for %v", quiet)) })

	var acks sync.WaitGroup
	defer func() {
		l.broken(nil) // keeps the first cause
		acks.Wait()
	}()
	for first := true; ; first = false {
		e, err := r.Next()
		if err != nil {
			return readFault(err)
		}
		silence.Reset(quiet)
		if err := l.take(&e); err != nil {
			// Before the acknowledgements end: so that this is the cause.
			l.broken(err)
			return err
		}
		if first {
			// Only now is it certain that the node knows the follower's cursor: it
			// would have sent a resync.
			acks.Go(func() {
				if err := l.acknowledge(ctx); err != nil {
					l.broken(err)
				}
			})
		}
	}
}

// readFault names what is wrong with what was read.
func readFault(err error) error {
	switch {
	case errors.Is(err, ErrOrder):
		return &fault{TroubleOrder, err}
	case errors.Is(err, ErrEvent), errors.Is(err, ErrEntry):
		return &fault{TroubleMalformed, err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return faultf(TroubleEnded, "the stream has ended: %w", err)
	}
	return &fault{TroubleUnreachable, err}
}

// hello takes in the first event.
func (l *line) hello(e *Event) error {
	if e.Issuer != l.f.cfg.Issuer {
		return faultf(TroubleIssuer, "the feed is that of %.200q, not of %q", e.Issuer, l.f.cfg.Issuer)
	}
	if l.f.cfg.exact && e.Cursor != l.f.place() {
		return faultf(TroubleResync, "the node does not go on right behind this place")
	}
	l.instance, l.bound = e.Instance, e.Bound
	f := l.f
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bound = e.Bound
	f.conn = connection{l.at.name, e.Instance, f.cfg.Now()}
	f.totals.connections++
	return nil
}

// take takes in a later event.
func (l *line) take(e *Event) error {
	switch e.Name {
	case EventRevoked:
		if err := l.f.apply(e.Entries, e.Cursor); err != nil {
			return err
		}
		l.show(e.Cursor)
		if l.f.cfg.Covered == nil { // else there is no news yet
			l.f.Acknowledge()
		}
	case EventHeartbeat:
		switch {
		case e.Issuer != l.f.cfg.Issuer:
			return faultf(TroubleIssuer, "a heartbeat is from %.200q, not from %q", e.Issuer, l.f.cfg.Issuer)
		case e.Instance != l.instance:
			return faultf(TroubleInstance, "a heartbeat is from the node %.64q, the stream from %.64q", e.Instance, l.instance)
		}
		l.f.advance(e.Cursor)
		l.show(e.Cursor)
	case EventResync:
		return faultf(TroubleResync, "the node says: %.200q", e.Reason)
	}
	return nil
}

// show notes that everything up to a cursor was applied, and redeems what was
// promised for that.
func (l *line) show(cursor string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown = append(l.shown, cursor); len(l.shown) > maxShown {
		l.shown = slices.Delete(l.shown, 0, 1)
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(p promise) bool {
		if p.newest != cursor {
			return false
		}
		l.redeem(p)
		return true
	})
}

// asked is called before an acknowledgement is sent. Its answer can name nothing
// that is older than what was shown last.
func (l *line) asked() question {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = slices.Delete(l.shown, 0, len(l.shown)-1)
	return l.f.fresh.ask()
}

// promised takes in the lease of an answer. Only what this line has shown counts
// as applied; own is the cursor that was acknowledged.
func (l *line) promised(p promise, own string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.newest == own || slices.Contains(l.shown, p.newest) {
		l.redeem(p)
		return
	}
	if len(l.waiting) == maxPromises {
		l.waiting = slices.Delete(l.waiting, 0, 1)
	}
	l.waiting = append(l.waiting, p)
}

// redeem makes a lease of a promise. The lock is held.
func (l *line) redeem(p promise) {
	if l.closed {
		return
	}
	if l.f.fresh.extend(p.q, p.length) {
		l.proven = true
	}
}

// forget drops all promises and the lease.
func (l *line) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = nil
	l.f.fresh.drop()
}
