package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// RelayConfig is what a [Relay] needs. Upstream is required.
type RelayConfig struct {
	// Upstream says which nodes, or relays, are followed and how. Covered, Apply
	// and Restart are the relay's own and must be nil. Local need not be set: the
	// relay says so while a follower of its own does.
	Upstream FollowerConfig
	// Bound, MaxFollowers, Ring and Count are as in [HubConfig]; Bound is that of
	// the issuer, 2 s if zero.
	Bound        time.Duration
	MaxFollowers int
	Ring         int
	Count        func(name, outcome string)
}

// Relay follows a node, or another relay, and serves followers of its own, so
// that one node reaches more than it could serve. To those above it is one
// follower, to those below it is a node:
//
//   - it acknowledges an entry only when each of its followers has, or holds no
//     lease any more that was given before the entry, so a strict revocation
//     waits for those below it too;
//   - it gives no lease that outlasts what is left of its own, so it gives none
//     while it is blind;
//   - cursors are passed on as they came, so that a follower can go on at the node
//     itself, or at another relay that has met the cursor. Of others a relay
//     knows nothing: whoever comes with one takes a snapshot.
//
// Above, a relay is named for all its followers. It is safe for concurrent use.
type Relay struct {
	f   *Follower
	hub *Hub
	log *slog.Logger
}

// NewRelay checks the configuration and names the field that is wrong. It starts
// nothing; [Relay.Run] does the work.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	up := cfg.Upstream
	if up.Covered != nil || up.Apply != nil || up.Restart != nil {
		return nil, errors.New("revocation: RelayConfig.Upstream: Covered, Apply and Restart are the relay's own and must be nil")
	}
	r := new(Relay)
	up.Covered, up.Apply, up.Restart, up.exact = r.covered, r.apply, r.restart, true
	var err error
	if r.f, err = NewFollower(up); err != nil {
		return nil, fmt.Errorf("revocation: RelayConfig.Upstream: %w", err)
	}
	up = r.f.cfg // with defaults
	r.log = up.Logger
	r.hub, err = NewHub(HubConfig{
		Source: r, Issuer: up.Issuer, Bound: cfg.Bound, MaxFollowers: cfg.MaxFollowers, Ring: cfg.Ring,
		Logger: up.Logger, Count: cfg.Count, Now: up.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("revocation: RelayConfig: %w", err)
	}
	// One set for both sides, by one clock: what the follower has applied is what
	// a snapshot has.
	r.hub.set = r.f.set
	r.hub.start = r.hub.now().Add(-r.f.read().mono)
	return r, nil
}

// Run follows until ctx ends, and returns ctx's error. It goes on through every
// trouble. Only one Run goes on at a time.
func (r *Relay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var passing sync.WaitGroup
	defer passing.Wait()
	defer cancel()
	passing.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.hub.Moved():
				r.f.Acknowledge()
			}
		}
	})
	return r.f.Run(ctx)
}

// Hub returns what serves the followers below; its handlers are the relay's.
func (r *Relay) Hub() *Hub { return r.hub }

// Status tells how the relay stands as a follower. [Hub.Covered] tells about
// those below.
func (r *Relay) Status() Status { return r.f.Status() }

// Lease implements [Source]: what is left of the relay's own.
func (r *Relay) Lease() time.Duration {
	_, _, left := r.f.State()
	return left
}

// Covers implements [Source]. Whose cursors a relay passes on, it cannot read:
// the hub asks only about those that it has not met.
func (r *Relay) Covers(have, want string) (bool, error) { return have == want, nil }

// CatchUp implements [Source]. There is nothing that a relay could read on.
func (r *Relay) CatchUp(context.Context) error { return nil }

// covered is what the relay acknowledges. It is called right before each
// acknowledgement, by the goroutine that sends it, which alone reads Local.
func (r *Relay) covered() string {
	c := r.hub.Covered()
	r.f.cfg.Local = len(c.Local) > 0
	return c.Cursor
}

// apply passes on a batch that the follower has applied.
//
// Places in the hub have to follow each other in the order of the issuer: who
// comes from elsewhere with the cursor of a place is believed to have everything
// before that place. One stream keeps that order, and so does one that goes on
// right behind the last. Any other might go on with a cursor that is neither
// before nor behind that of the last place, because its node has cut the feed
// elsewhere and is behind in a part of it; then the relay takes a snapshot.
func (r *Relay) apply(entries []Entry, cursor string) {
	// With the tolerance on top. Whoever is below has the difference of two pairs
	// of clocks to the issuer.
	longer := kept(entries)
	for i := range longer {
		longer[i].Keep = min(longer[i].Keep, MaxKeep)
	}
	if err := r.hub.Append(longer, cursor); err != nil {
		// It is in the set, and so in every snapshot.
		r.log.LogAttrs(context.Background(), slog.LevelError, "a batch of revocations cannot be passed on; followers of this relay take a snapshot instead", slog.Any("error", err))
		r.begin(cursor)
	}
}

// restart passes on that entries are in force that apply was never called with.
func (r *Relay) restart(s *Snapshot) { r.begin(s.Cursor) }

// begin sends the followers to take a snapshot. The lease goes first: it was
// given on what was known before, and whoever comes from elsewhere with the new
// cursor need not have that.
func (r *Relay) begin(cursor string) {
	r.f.fresh.drop()
	r.hub.begin(cursor)
}

// begin is [Hub.Restart] and [Hub.Append] without entries, and nothing in
// between: a follower would be told that its cursor comes from another store.
// Numbers go on, so whoever stands at an earlier place is too far behind.
func (h *Hub) begin(cursor string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := h.last(); last != nil {
		h.covered = last.number
	}
	number := h.covered + 1
	h.ring = []place{{number: number, cursor: cursor, latest: cursor}}
	clear(h.numbers)
	h.numbers[cursor] = number
	close(h.wake)
	h.wake = make(chan struct{})
	h.advance()
}
