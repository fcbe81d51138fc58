package revocation

import (
	"sync/atomic"
	"time"
)

// State says how old a follower's news is.
type State uint8

const (
	// Blind means that no lease runs: whatever was revoked lately may be unknown
	// here.
	Blind State = iota
	// Stale means that more than half of the lease is over. It still holds.
	Stale
	// Fresh means that less than half of the lease is over.
	Fresh
)

// String returns "fresh", "stale" or "blind".
func (s State) String() string {
	switch s {
	case Fresh:
		return "fresh"
	case Stale:
		return "stale"
	}
	return "blind"
}

// instant is one reading of the clock, by both of its hands: the monotonic one
// stands still while the machine sleeps, the other can be set back. Both count
// from the follower's own start.
type instant struct{ mono, wall time.Duration }

// since is how much time has passed by the hand that says more.
func (i instant) since(from instant) time.Duration {
	return max(i.mono-from.mono, i.wall-from.wall)
}

// instants returns a clock that reads now. Differences of nanoseconds are right
// for 292 years, and take a third of the time of [time.Time.Sub] without a
// monotonic reading, which counts with each check.
func instants(now func() time.Time) func() instant {
	start := now()
	wall := start.UnixNano()
	return func() instant {
		t := now()
		return instant{t.Sub(start), time.Duration(t.UnixNano() - wall)}
	}
}

// lease is leave to answer for length, counted from sent. It never changes.
type lease struct {
	sent   instant
	length time.Duration
}

// freshness knows for how long the news may be believed. It is safe for
// concurrent use; reading takes no lock.
type freshness struct {
	read  func() instant
	lease atomic.Pointer[lease]
	// jumps counts the leases that ended because the wall clock went ahead of the
	// monotonic one. What was asked before such a jump is not believed after it,
	// even if somebody has put the clock back meanwhile.
	jumps   atomic.Uint64
	changed chan struct{} // holds one when a lease was given or taken
}

func newFreshness(read func() instant) *freshness {
	f := &freshness{read: read, changed: make(chan struct{}, 1)}
	f.lease.Store(&lease{sent: read()})
	return f
}

// state returns the state, the time since the acknowledgement that the lease
// answers was sent, and what is left of the lease. One that is found to be over
// stays over, whatever the clock says later.
func (f *freshness) state() (s State, age, left time.Duration) {
	// The lease before the clock: what was read is then a moment at which this
	// lease had been given already, with all the entries it stands for.
	l := f.lease.Load()
	now := f.read()
	age = now.since(l.sent)
	left = l.length - age
	switch {
	case age < 0: // a clock without a monotonic hand that was set back
		f.end(l, false)
		return Blind, 0, 0
	case left <= 0:
		f.end(l, now.mono-l.sent.mono < l.length)
		return Blind, age, 0
	case left < l.length/2:
		return Stale, age, left
	}
	return Fresh, age, left
}

// end takes back a lease, if it is still the present one.
func (f *freshness) end(l *lease, jumped bool) {
	if l.length == 0 || !f.lease.CompareAndSwap(l, &lease{sent: l.sent}) {
		return
	}
	if jumped {
		f.jumps.Add(1)
	}
	f.wake()
}

// drop takes back whatever lease there is.
func (f *freshness) drop() {
	f.lease.Store(&lease{sent: f.lease.Load().sent})
	f.wake()
}

// question is the sending of an acknowledgement, from which its answer counts.
type question struct {
	sent  instant
	jumps uint64
}

func (f *freshness) ask() question {
	return question{jumps: f.jumps.Load(), sent: f.read()}
}

// extend gives the lease that the answer to q brought, unless it is over already
// or the present one lasts longer. It reports whether a lease runs now.
func (f *freshness) extend(q question, length time.Duration) bool {
	next := &lease{q.sent, length}
	for {
		f.state() // counts a jump that nobody has seen yet
		l := f.lease.Load()
		now := f.read()
		left, present := length-now.since(q.sent), l.length-now.since(l.sent)
		switch {
		case q.jumps != f.jumps.Load() || left <= 0 || left > length:
			return present > 0
		case present >= left:
			return true
		case f.lease.CompareAndSwap(l, next):
			f.wake()
			return true
		}
	}
}

func (f *freshness) wake() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}
