package lanyard

import (
	"context"
	"sync"
	"time"
)

// deadline is a context with a time limit that costs a timer only once somebody
// waits for its end, and counts from then. Most calls of a store are answered
// from memory, or by a client that bounds each command itself and looks no
// further.
type deadline struct {
	context.Context // of whoever asked
	limit           time.Duration

	mu     sync.Mutex
	timed  context.Context // with the timer, once somebody asked for it
	cancel context.CancelFunc
}

// within limits parent. The caller calls end when it is done.
func within(parent context.Context, limit time.Duration) *deadline {
	return &deadline{Context: parent, limit: limit}
}

// started makes the timer if there is none yet.
func (d *deadline) started() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.cancel = context.WithTimeout(d.Context, d.limit)
	}
	return d.timed
}

// begun is the context with the timer, or else the parent.
func (d *deadline) begun() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed != nil {
		return d.timed
	}
	return d.Context
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
func (d *deadline) Deadline() (time.Time, bool) { return d.started().Deadline() }

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} { return d.started().Done() }

// Err implements [context.Context].
func (d *deadline) Err() error { return d.begun().Err() }

// Value implements [context.Context]. Of the context with the timer package
// context asks for itself, so that one derived from d needs no goroutine.
func (d *deadline) Value(key any) any { return d.begun().Value(key) }
