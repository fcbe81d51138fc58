package lanyard

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// lease is what a node has written down in the store for those who revoke.
type lease struct {
	Serial    uint64   `json:"serial"`         // raised with each writing
	Length    int64    `json:"lease_ms"`       // for how long the node may be trusting it
	Applied   string   `json:"applied"`        // cursor: the node itself goes by what is before it
	Covered   string   `json:"covered"`        // cursor: its followers too
	Near      bool     `json:"near,omitempty"` // it answers from a cache
	Followers int      `json:"followers,omitempty"`
	Behind    []string `json:"behind,omitempty"` // followers that Covered waits for, some of them
	Local     []string `json:"local,omitempty"`  // followers with routes without a bound, some of them
}

// peer is a lease as this node has met it.
type peer struct {
	value string
	since time.Time // when it was first met like this
}

// forgetPeer is how long a lease must have stood unchanged before it is removed:
// many times what any lease can run.
const forgetPeer = 10 * time.Minute

// writeLease writes this node's lease. What it says of the feed is as of now.
func (n *node) writeLease(ctx context.Context) error {
	n.mu.Lock()
	n.serial++
	l := lease{Serial: n.serial, Length: n.bound.Milliseconds(), Applied: n.cursor(), Near: n.near != nil}
	name := n.name
	n.mu.Unlock()
	l.Covered = l.Applied
	if n.feed != nil {
		state := n.feed.Covered()
		l.Covered, l.Followers, l.Behind, l.Local = state.Cursor, state.Followers, state.Behind, state.Local
	}
	value, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := n.leases.SetLease(ctx, name, string(value)); err != nil {
		return fmt.Errorf("writing this node's lease: %w", err)
	}
	return nil
}

// readLife is readPeers that looks at every part of the engine too.
func (n *node) readLife(ctx context.Context) (peers map[string]lease, steady bool, err error) {
	if n.parts != nil {
		word, err := n.parts.Incarnation(ctx)
		if err != nil {
			return nil, false, err
		}
		n.mu.Lock()
		n.whole = word
		n.mu.Unlock()
	}
	return n.readPeers(ctx)
}

// readPeers reads the leases of the other nodes and notes the engine's
// incarnation. Steady reports whether that has been the same for longer than any
// lease runs.
func (n *node) readPeers(ctx context.Context) (peers map[string]lease, steady bool, err error) {
	values, word, err := n.leases.Leases(ctx)
	if err != nil {
		return nil, false, err
	}
	now := n.now()
	peers = make(map[string]lease, len(values))
	var dead []string
	n.mu.Lock()
	word += n.whole
	if n.seen.word != word || n.seen.since.IsZero() {
		if !n.seen.since.IsZero() {
			n.log.LogAttrs(ctx, slog.LevelWarn, "the session store is another than before, or was started again: strict revocations wait the whole bound for a while")
			n.count("store", "another")
			n.stale.Store(true)
			n.since.Store(nil)
		}
		n.seen = incarnation{word, now}
	}
	known := n.peers
	n.peers = make(map[string]peer, len(values))
	for name, value := range values {
		if name == n.name {
			continue
		}
		p, met := known[name]
		if !met || p.value != value {
			p = peer{value, now}
		}
		n.peers[name] = p
		l := n.parseLease(value)
		peers[name] = l
		if now.Sub(p.since) > max(forgetPeer, 10*l.length()) {
			dead = append(dead, name)
		}
	}
	for _, l := range peers {
		n.longest = max(n.longest, l.length())
	}
	steady = now.Sub(n.seen.since) > drifted(n.longest)
	n.mu.Unlock()
	for _, name := range dead {
		if err := n.leases.DropLease(ctx, name, values[name]); err != nil {
			n.log.LogAttrs(ctx, slog.LevelWarn, "removing the lease of a node long gone failed", slog.Any("error", err))
		}
		delete(peers, name)
	}
	return peers, steady, nil
}

// admit reads the leases of the others, and lets a node that has none take one if
// no other may run that has another length. That all nodes have one bound is what
// keeps a strict revocation right when the engine has lost the leases, see
// docs/revocation.md: whoever comes with another one works without a lease, so that
// it asks the store each time and grants none, until those before it are gone.
func (n *node) admit(ctx context.Context) error {
	peers, _, err := n.readLife(ctx)
	if err != nil {
		return fmt.Errorf("reading the leases of the nodes: %w", err)
	}
	if n.admitted = n.agree(ctx, peers) || n.fresh(); !n.admitted {
		return n.catchUp(ctx) // its followers hear of ends all the same, and keys are withdrawn
	}
	return nil
}

// agree reports whether no lease may run that is of another length than this
// node's. When that has changed it says so in the log.
func (n *node) agree(ctx context.Context, peers map[string]lease) bool {
	var other string
	n.mu.Lock()
	for name, l := range peers {
		if l.Length != n.bound.Milliseconds() && n.now().Sub(n.peers[name].since) <= drifted(l.length()) {
			other = name
		}
	}
	n.mu.Unlock()
	if odd := other != ""; odd != n.odd {
		if n.odd = odd; odd {
			l := peers[other]
			n.log.LogAttrs(ctx, slog.LevelError, "another node goes by another bound: give all nodes of a store the same --revocation-bound (Config.RevocationBound). Strict revocations wait for the longest, and a node that comes later takes no lease, asks the store each time and gives its followers none",
				slog.Duration("bound", n.bound), slog.Duration("other", l.length()), slog.String("node", other))
			n.count("node", "other_bound")
		} else {
			n.log.LogAttrs(ctx, slog.LevelInfo, "all nodes go by one bound again")
		}
	}
	return other == ""
}

// incarnation returns the engine's as it was last read.
func (n *node) incarnation() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen.word
}

// maxLease is the longest lease believed: no bound is longer.
const maxLease = time.Minute

// parseLease reads a lease. One that cannot be read says nothing, so it is taken
// to run as long as any.
func (n *node) parseLease(value string) lease {
	var l lease
	if err := json.Unmarshal([]byte(value), &l); err != nil || l.Length <= 0 || l.length() > maxLease {
		return lease{Length: maxLease.Milliseconds()}
	}
	return l
}

func (l *lease) length() time.Duration { return time.Duration(l.Length) * time.Millisecond }

// Whoever stops at the end of a lease counts by the clock that says more, see
// [elapsed]. Whoever waits for others to stop counts by the monotonic clock alone:
// one that was set forward would let him go on before they have stopped.

// drifted is how long to wait by the own clock so that d has passed by one that
// is up to 1 % slower.
func drifted(d time.Duration) time.Duration { return d + d/100 + time.Millisecond }
