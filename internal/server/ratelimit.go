package server

import (
	"hash/maphash"
	"sync"
	"time"
)

// rateLimits holds the limits on the token endpoints: per client, per source
// and per session, each in a table of fixed size, so that no caller can make it
// grow. Two keys that share a slot share a limit, which errs on the safe side.
type rateLimits struct {
	now  func() time.Time
	seed maphash.Seed
	mu   sync.Mutex
	tat  [1 << 14]time.Time // theoretical arrival times (GCRA)
}

func newRateLimits(now func() time.Time) *rateLimits {
	return &rateLimits{now: now, seed: maphash.MakeSeed()}
}

// rate is a sustained pace with a burst.
type rate struct {
	every time.Duration
	burst int
}

var (
	rateClient  = rate{2 * time.Millisecond, 2000} // a program serves many people
	rateSource  = rate{100 * time.Millisecond, 300}
	rateSession = rate{time.Second, 60}
)

// allow reports whether a call may go on, and if not, how long to wait.
func (l *rateLimits) allow(kind, key string, r rate) (ok bool, wait time.Duration) {
	i := maphash.String(l.seed, kind+"\x00"+key) % uint64(len(l.tat))
	l.mu.Lock()
	defer l.mu.Unlock()
	next, admitted, wait := gcra(l.tat[i], l.now(), r)
	if admitted {
		l.tat[i] = next
	}
	return admitted, wait
}

// gcra is the generic cell rate algorithm: from the theoretical arrival time of
// the next call it decides whether one at now may go on.
func gcra(tat, now time.Time, r rate) (next time.Time, ok bool, wait time.Duration) {
	if tat.Before(now) {
		tat = now
	}
	next = tat.Add(r.every)
	if early := next.Add(-time.Duration(r.burst) * r.every); early.After(now) {
		return tat, false, early.Sub(now)
	}
	return next, true, 0
}
