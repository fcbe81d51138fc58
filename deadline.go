package lanyard

import (
	"context"
	"sync"
	"time"
)

// deadline is a context with a time limit that costs a timer only once somebody
// waits for its end. Most calls of a store are answered from memory, or by a
// client that bounds each command itself and looks no further.
type deadline struct {
	context.Context // of whoever asked
	at              time.Time

	mu     sync.Mutex
	timed  context.Context // with the timer, once somebody asked for it
	cancel context.CancelFunc
}

// within limits parent to a time from now. The caller calls end when it is done.
func within(parent context.Context, limit time.Duration) *deadline {
	at := time.Now().Add(limit)
	if earlier, ok := parent.Deadline(); ok && earlier.Before(at) {
		at = earlier
	}
	return &deadline{Context: parent, at: at}
}

// started makes the timer if there is none yet.
func (d *deadline) started() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.cancel = context.WithDeadline(d.Context, d.at)
	}
	return d.timed
}

// end stops the timer if there is one.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cancel != nil {
		d.cancel()
	}
}

// Deadline implements [context.Context].
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} { return d.started().Done() }

// Err implements [context.Context].
func (d *deadline) Err() error {
	if timed := d.begun(); timed != nil {
		return timed.Err()
	}
	if err := d.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at) {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements [context.Context]. Of the context with the timer package
// context asks for itself, so that one derived from d needs no goroutine.
func (d *deadline) Value(key any) any {
	if timed := d.begun(); timed != nil {
		return timed.Value(key)
	}
	return d.Context.Value(key)
}

// begun is the context with the timer, nil if there is none yet.
func (d *deadline) begun() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.timed
}
