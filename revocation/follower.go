package revocation

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrRevoked is what a [RevokedError] is, for [errors.Is].
var ErrRevoked = errors.New("revocation: revoked")

// ErrBlind means that the follower cannot tell: it has no lease, or the one it
// had is over. Nothing may be accepted then; HTTP services answer 503.
var ErrBlind = errors.New("revocation: the feed is out of reach and nothing newer is known")

// RevokedError says that a badge is dead, and by an entry of which kind.
type RevokedError struct{ Kind Kind }

func (e RevokedError) Error() string {
	return "revocation: revoked by an entry of kind " + e.Kind.String()
}

// Is makes every RevokedError an [ErrRevoked].
func (e RevokedError) Is(target error) bool { return target == ErrRevoked }

// clockTolerance is how far the wall clocks of follower and issuer may be apart.
const clockTolerance = time.Minute

// sweepPause is the time between two sweeps of entries that no longer matter.
const sweepPause = 15 * time.Second

// Follower keeps a [Set] in step with a feed, and knows how old its news is. It
// is safe for concurrent use. [NewFollower] makes one, [Follower.Run] does the
// work, and [Follower.Check] is asked with each token or cookie.
type Follower struct {
	cfg       FollowerConfig
	endpoints []endpoint
	client    *http.Client
	set       *Set
	fresh     *freshness
	read      func() instant
	watchers  watchers
	troubles  troubles
	running   atomic.Bool
	id        string        // drawn anew for each follower
	kick      chan struct{} // holds one when an acknowledgement is wanted

	mu     sync.Mutex
	cursor string // everything up to here is in the set; empty: a snapshot is due
	lags   lagBook
	bound  time.Duration // by the last hello
	conn   connection    // the present one
	totals totals
}

// connection is what Status tells of the connection of the moment.
type connection struct {
	endpoint, instance string
	since              time.Time
}

// totals count what a follower has done in its life.
type totals struct{ connections, snapshots, acks, batches, entries uint64 }

// NewFollower checks the configuration and names the field that is wrong. It
// starts nothing. The follower is blind until [Follower.Run] has reached a node.
func NewFollower(cfg FollowerConfig) (*Follower, error) {
	endpoints, err := cfg.check()
	if err != nil {
		return nil, err
	}
	read := instants(cfg.Now)
	return &Follower{
		cfg: cfg, endpoints: endpoints, client: newFeedClient(cfg.Transport), set: NewSet(),
		read: read, fresh: newFreshness(read), bound: cfg.MaxLease, troubles: troubles{log: cfg.Logger, read: read},
		id: rand.Text(), kick: make(chan struct{}, 1),
	}, nil
}

// Run follows the feed until ctx ends, and returns ctx's error. It goes on
// through every trouble. When it has returned the follower is blind, and those
// who watch have been told so. Only one Run goes on at a time.
func (f *Follower) Run(ctx context.Context) error {
	if !f.running.CompareAndSwap(false, true) {
		return errors.New("revocation: the follower runs already")
	}
	defer f.running.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	var guard sync.WaitGroup
	guard.Go(func() { f.guard(ctx) })
	defer func() {
		cancel()
		guard.Wait()
		f.fresh.drop()
		f.blind()
	}()
	turn := retries{endpoints: len(f.endpoints), longest: f.cfg.MaxLease / 2}
	for {
		at := f.endpoints[turn.at]
		lasted, err := f.follow(ctx, at, turn.failures)
		f.setConnection(connection{})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.troubles.met(at.name, err)
		if lasted {
			turn.settled()
		}
		if !sleep(ctx, turn.failed(troubleOf(err))) {
			return ctx.Err()
		}
	}
}

// sleep waits for d and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// guard tells the watchers when the lease has run out, and sweeps the set.
func (f *Follower) guard(ctx context.Context) {
	was, swept := Blind, f.read()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.fresh.changed:
		case <-timer.C:
		}
		state, age, left := f.fresh.state()
		if state == Blind {
			f.blind()
		}
		if (state == Blind) != (was == Blind) {
			if state == Blind {
				f.cfg.Logger.Warn("revocation feed: blind: what has to be sure is refused until the feed is back", slog.Duration("age", age))
			} else {
				f.cfg.Logger.Info("revocation feed: in step", slog.Int("entries", f.set.Len()))
			}
		}
		was = state
		if now := f.read(); now.mono-swept.mono >= sweepPause {
			swept = now
			f.set.Sweep(now.mono)
		}
		// Woken early enough to see a lease end that the wall clock ends.
		wait := time.Second
		if state != Blind {
			wait = min(left, 100*time.Millisecond)
		}
		timer.Reset(wait)
	}
}

// blind ends those who must not go on while nobody can tell.
func (f *Follower) blind() {
	for _, w := range f.watchers.bounded() {
		w.cancel(ErrBlind)
	}
}

// Check returns nil if the badge lives, a [RevokedError] if an entry kills it, and
// [ErrBlind] if nothing kills it but the news is too old to be sure. It reads the
// clock once, takes no lock and allocates nothing.
func (f *Follower) Check(b *Badge) error {
	// In this order: the set is read after a moment at which the lease held, so
	// every entry that the lease stands for is in it.
	state, _, _ := f.fresh.state()
	if kind, dead := f.set.Dead(b); dead {
		return RevokedError{kind}
	}
	if state == Blind {
		return ErrBlind
	}
	return nil
}

// Revoked reports whether an entry that is known here kills the badge, however
// old the news is, and of which kind it is. For routes that go on while the
// follower is blind.
func (f *Follower) Revoked(b *Badge) (Kind, bool) { return f.set.Dead(b) }

// State returns how fresh the news is, its age, and for how long it may still be
// believed. The age counts from the sending of the last acknowledgement that was
// answered with a lease, and before the first from when the follower was made.
func (f *Follower) State() (s State, age, left time.Duration) { return f.fresh.state() }

// Acknowledge sends an acknowledgement soon: a relay calls it when what its
// Covered returns has changed.
func (f *Follower) Acknowledge() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// Lag returns how late entries were met, as a difference between the issuer's
// clock and this one: for display, nothing is decided by it. Entries of a
// snapshot do not count, and none counts twice.
func (f *Follower) Lag() Lags {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lags.all
}

// Status is what a follower tells about itself, for logs and metrics.
type Status struct {
	Name     string
	State    State
	Age      time.Duration // see [Follower.State]
	Left     time.Duration
	Endpoint string        // the node it is connected to, empty if none
	Instance string        // that node's identity
	Since    time.Time     // since when it is connected
	Bound    time.Duration // as the issuer says
	Cursor   string
	Entries  int // kept at present
	Watchers int // open at present

	// Counts of its whole life.
	Connections, Snapshots, Acks, Batches, Received uint64
	Troubles                                        map[Trouble]uint64
}

// Status returns a copy of the present state.
func (f *Follower) Status() Status {
	s := Status{Name: f.cfg.Name, Entries: f.set.Len(), Watchers: f.watchers.len(), Troubles: f.troubles.copy()}
	s.State, s.Age, s.Left = f.fresh.state()
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Endpoint, s.Instance, s.Since = f.conn.endpoint, f.conn.instance, f.conn.since
	s.Bound, s.Cursor = f.bound, f.cursor
	t := f.totals
	s.Connections, s.Snapshots, s.Acks, s.Batches, s.Received = t.connections, t.snapshots, t.acks, t.batches, t.entries
	return s
}
