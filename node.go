package lanyard

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/audit"
)

// node is this process among those that share a store. It follows the store's
// feed, and what it knows counts while its lease in the store runs: whoever
// revokes reads the leases afterwards and waits for each node, until it has
// applied the entry or its lease has run out.
type node struct {
	store   Store // under the outage policy
	order   Comparer
	leases  Leaser
	parts   Incarnated // nil: the engine lives as one
	watcher Watcher    // nil: the feed is polled
	near    *near      // nil: the store is not distant
	feed    Feed       // nil: no followers
	watches watches
	keys    withdrawn

	bound time.Duration
	now   func() time.Time
	log   *slog.Logger
	count func(name, outcome string)
	event func(ctx context.Context, name audit.Name, reason string)

	name    string // of this start of the process; drawn anew each time
	running atomic.Bool

	// since is when the running lease was asked for; nil: there is none.
	since atomic.Pointer[time.Time]
	// What only run and what it calls use: whether this node may write a lease, see
	// admit, and whether one of another length was there at the last look.
	admitted, odd bool

	reading sync.Mutex  // held by whoever reads the feed
	stale   atomic.Bool // the next reading starts from the beginning
	applied atomic.Pointer[string]

	mu     sync.Mutex
	next   *round // joined by those who need a reading that starts after now
	serial uint64
	seen   incarnation
	whole  string // the incarnation of all parts of the engine, as last read
	peers  map[string]peer
	// longest is the longest lease there has been: nodes should have one bound.
	longest time.Duration
}

// incarnation is the engine's word for its own life, and since when this node
// has known it.
type incarnation struct {
	word  string
	since time.Time
}

// round is one reading of the feed to its end.
type round struct {
	done chan struct{}
	err  error
}

// leaseShare is how many times a lease is renewed in its own length.
const leaseShare = 4

// elapsed is how much time has passed by the clock that says more: the monotonic
// one stands still while the machine sleeps, the other can be set back.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// left returns how long the lease still runs.
func (n *node) left() time.Duration {
	since := n.since.Load()
	if since == nil {
		return 0
	}
	return max(n.bound-elapsed(*since, n.now()), 0)
}

// fresh reports whether this node may answer from what it keeps near.
func (n *node) fresh() bool { return n.left() > 0 }

// FeedCatchUp implements [FeedSource].
func (n *node) FeedCatchUp(ctx context.Context) error { return n.catchUp(ctx) }

// FeedLease implements [FeedSource].
func (n *node) FeedLease() time.Duration { return n.left() }

// FeedCovers implements [FeedSource].
func (n *node) FeedCovers(have, want string) (bool, error) { return n.order.Covers(have, want) }

// cursor returns how far the feed has been applied here.
func (n *node) cursor() string {
	if p := n.applied.Load(); p != nil {
		return *p
	}
	return ""
}

// run renews the lease and follows the feed until ctx ends.
func (n *node) run(ctx context.Context, random io.Reader) error {
	var name [16]byte
	if _, err := io.ReadFull(random, name[:]); err != nil {
		return fmt.Errorf("drawing the name of this node: %w", err)
	}
	if n.running.Swap(true) {
		return errors.New("lanyard: Manager.Run is running already")
	}
	defer n.running.Store(false)
	defer n.since.Store(nil)
	n.admitted = false
	n.mu.Lock()
	n.name = hex.EncodeToString(name[:])
	n.mu.Unlock()

	wake := make(chan struct{}, 1)
	if n.watcher != nil {
		go n.watch(ctx, wake)
	}
	var moved <-chan struct{}
	if n.feed != nil {
		moved = n.feed.Moved()
	}
	every := n.bound / leaseShare
	t := time.NewTimer(0)
	defer t.Stop()
	failing, stale := false, false
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			if n.idle() {
				err = n.look(ctx)
			} else {
				err = n.renew(ctx)
			}
			t.Reset(every)
		case <-wake:
			if err = n.catchUp(ctx); err == nil && n.admitted && !n.idle() {
				err = n.writeLease(ctx) // somebody may be waiting for it
			}
		case <-moved:
			if n.fresh() {
				err = n.writeLease(ctx)
			} else {
				err = n.renew(ctx) // the first follower has come
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !failing:
			n.log.LogAttrs(ctx, slog.LevelError, "this node cannot follow the revocations; it asks the store each time, and followers get no lease, until it can", slog.Any("error", err))
			n.count("node", "lost")
		case err == nil && failing:
			n.log.LogAttrs(ctx, slog.LevelInfo, "this node follows the revocations again")
			n.count("node", "back")
		}
		failing = err != nil
		if behind := !n.fresh() && (err != nil || !n.idle()); behind != stale {
			if stale = behind; behind {
				n.event(ctx, audit.FeedStale, "")
			}
		}
	}
}

// idle reports whether nobody goes by this node's lease: then none is written,
// which would cost a sync of the disk each time.
func (n *node) idle() bool {
	return n.near == nil && (n.feed == nil || n.feed.Covered().Followers == 0)
}

// look keeps an idle node up to date.
func (n *node) look(ctx context.Context) error {
	if _, _, err := n.readLife(ctx); err != nil {
		return fmt.Errorf("reading the leases of the nodes: %w", err)
	}
	return n.catchUp(ctx)
}

// watch passes on the store's hints that the feed has grown.
func (n *node) watch(ctx context.Context, wake chan<- struct{}) {
	for ctx.Err() == nil {
		err := n.watcher.Watch(ctx, func() {
			select {
			case wake <- struct{}{}:
			default:
			}
		})
		if ctx.Err() != nil {
			return
		}
		n.log.LogAttrs(ctx, slog.LevelWarn, "watching the store's feed broke off; it is polled meanwhile", slog.Any("error", err))
		if rest(ctx, time.Second) != nil {
			return
		}
	}
}

// renew writes the lease down and then reads the feed to its end. Only news as
// new as that may be trusted under the lease, and the lease counts from before
// it was written: whoever revokes either finds it and waits, or had appended its
// entry before the feed was read.
func (n *node) renew(ctx context.Context) error {
	if !n.fresh() {
		n.admitted = false
		if err := n.admit(ctx); err != nil || !n.admitted {
			return err
		}
	}
	asked := n.now()
	before := n.cursor()
	if err := n.writeLease(ctx); err != nil {
		return err
	}
	// Before the feed is read: an engine that has lost entries may give their
	// places to others, so a cursor of its earlier life could pass over those. And
	// after the lease was written: of two nodes that come at the same time, with
	// bounds that differ, one at least sees the other.
	if err := n.admit(ctx); err != nil || !n.admitted {
		return err
	}
	if err := n.catchUp(ctx); err != nil {
		return err
	}
	if n.cursor() != before { // missed by the watch, or there is none
		if err := n.writeLease(ctx); err != nil {
			return err
		}
	}
	n.since.Store(&asked)
	return nil
}

// catchUp reads the feed to its end, as it is now or later.
func (n *node) catchUp(ctx context.Context) error {
	n.mu.Lock()
	r := n.next
	if r == nil {
		r = &round{done: make(chan struct{})}
		n.next = r
		go n.read(context.WithoutCancel(ctx), r)
	}
	n.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read is one round. Whoever comes once it has begun waits for the next.
func (n *node) read(ctx context.Context, r *round) {
	n.reading.Lock()
	defer n.reading.Unlock()
	n.mu.Lock()
	n.next = nil
	n.mu.Unlock()
	r.err = n.readFeed(ctx)
	close(r.done)
}

// feedPage is how many entries are read at once.
const feedPage = 512

func (n *node) readFeed(ctx context.Context) error {
	restarted := n.stale.Swap(false)
	if restarted {
		n.restart(ctx)
	}
	for {
		entries, next, err := n.store.Revocations(ctx, n.cursor(), feedPage)
		if errors.Is(err, ErrBadCursor) && !restarted {
			restarted = true
			n.restart(ctx)
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the feed of revocations: %w", err)
		}
		n.apply(entries, next)
		if len(entries) < feedPage {
			return nil
		}
	}
}

// restart begins again with a feed that is not the one this node has followed: a
// store put back from a backup, or replaced. Nothing known before holds.
func (n *node) restart(ctx context.Context) {
	n.log.LogAttrs(ctx, slog.LevelError, "the feed of revocations may have gone back: the store was started again, restored or replaced; what was kept near it is forgotten, and followers begin anew")
	n.count("feed", "went_back")
	n.event(ctx, audit.StoreRegressed, "feed")
	n.since.Store(nil)
	n.applied.Store(nil)
	if n.near != nil {
		n.near.clear()
	}
	if n.feed != nil {
		n.feed.Restart()
	}
}

func (n *node) apply(entries []Entry, cursor string) {
	for i := range entries {
		e := &entries[i]
		if n.near != nil {
			n.near.apply(e)
		}
		n.keys.apply(e)
		n.watches.apply(e)
	}
	if n.feed != nil && (len(entries) > 0 || cursor != n.cursor()) {
		n.feed.Append(entries, cursor)
	}
	n.applied.Store(&cursor)
}

const (
	defaultBound    = 2 * time.Second
	minBound        = 100 * time.Millisecond
	defaultNearSize = 1 << 16
)

// prepareNode makes the node if the store can keep leases, and puts the near
// cache into the way of its calls if it is distant.
func (m *Manager) prepareNode(store Store) error {
	bound := m.cfg.RevocationBound
	if bound == 0 {
		bound = defaultBound
	}
	if bound < minBound || bound > maxLease {
		return fmt.Errorf("lanyard: Config.RevocationBound: %v is not between %v and %v", bound, minBound, maxLease)
	}
	m.cfg.RevocationBound = bound
	order, comparable := store.(Comparer)
	leases, leasable := store.(Leaser)
	if !comparable || !leasable {
		if m.cfg.Feed != nil {
			return errors.New("lanyard: Config.Feed: this store lacks the abilities Comparer and Leaser, without which followers cannot be promised anything")
		}
		return nil
	}
	m.node = &node{
		store: m.store, order: order, leases: leases, feed: m.cfg.Feed, bound: bound, longest: bound, now: m.cfg.Now, log: m.log, count: m.count,
	}
	m.node.event = func(ctx context.Context, name audit.Name, reason string) {
		m.event(ctx, name, nil, func(e *audit.Event) { e.Actor, e.Reason = "system", reason })
	}
	if m.guard != nil {
		m.node.leases = &guardedLeases{leases, m.guard}
	}
	m.node.watcher, _ = store.(Watcher)
	if parts, ok := store.(Incarnated); ok {
		m.node.parts = parts
		if m.guard != nil {
			m.node.parts = &guardedParts{parts, m.guard}
		}
	}
	if d, ok := store.(Distant); ok && d.Distant() && m.cfg.NearCacheSize >= 0 {
		size := m.cfg.NearCacheSize
		if size == 0 {
			size = defaultNearSize
		}
		m.near = newNear(size)
		m.node.near = m.near
		m.store = &nearStore{Store: m.store, near: m.near}
	}
	if m.cfg.Feed != nil {
		m.cfg.Feed.Attach(m.node)
	}
	return nil
}

// guardedLeases puts the ability under the outage policy.
type guardedLeases struct {
	Leaser
	o *outageStore
}

// guardedParts puts the ability under the outage policy.
type guardedParts struct {
	parts Incarnated
	o     *outageStore
}

// Incarnation implements [Incarnated].
func (g *guardedParts) Incarnation(ctx context.Context) (string, error) {
	return outage(g.o, g.o.general(), ctx, g.o.timeout, g.parts.Incarnation)
}

// SetLease implements [Leaser].
func (g *guardedLeases) SetLease(ctx context.Context, node, value string) error {
	_, err := outage(g.o, g.o.general(), ctx, g.o.timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, g.Leaser.SetLease(ctx, node, value)
	})
	return err
}

// DropLease implements [Leaser].
func (g *guardedLeases) DropLease(ctx context.Context, node, value string) error {
	_, err := outage(g.o, g.o.general(), ctx, g.o.timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, g.Leaser.DropLease(ctx, node, value)
	})
	return err
}

// Leases implements [Leaser].
func (g *guardedLeases) Leases(ctx context.Context) (leases map[string]string, incarnation string, err error) {
	leases, err = outage(g.o, g.o.general(), ctx, g.o.timeout, func(ctx context.Context) (l map[string]string, err error) {
		l, incarnation, err = g.Leaser.Leases(ctx)
		return l, err
	})
	return leases, incarnation, err
}
