package revocation

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// member is what a hub knows of one follower.
type member struct {
	name   string // for people
	local  bool   // it has routes without a bound
	acked  uint64 // it has applied everything up to this number
	grants []grant
	seen   time.Time
	since  time.Time
	lags   Lags
	canary []int64 // lags of a canary's entries, the newest ones
	acks   uint64

	canaries uint64 // all that there were
}

// grant is a lease: the follower may be going by everything up to newest, and by
// nothing older, until the end.
type grant struct {
	newest uint64
	from   time.Time
	length time.Duration
}

// maxCanary bounds the canary lags kept of a follower.
const maxCanary = 10_000

// errTooMany is the answer to followers beyond [HubConfig.MaxFollowers].
var errTooMany = errors.New("revocation: too many followers")

// granting notes an acknowledgement and returns the place it names and the lease
// that answers it. The lease ends with the node's own.
func (h *Hub) granting(id string, ack *followerAck, number uint64) (newest string, lease time.Duration, err error) {
	lease = h.cfg.Source.Lease()
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.last()
	if last == nil {
		return "", 0, errUnknownCursor
	}
	m := h.followers[id]
	now := h.now()
	if m == nil {
		if h.expire(now); len(h.followers) >= h.cfg.MaxFollowers {
			return "", 0, errTooMany
		}
		m = &member{name: ack.Follower, since: now}
		h.followers[id] = m
		h.signal() // the node may have had no lease to give
	}
	m.local, m.seen = ack.Local, now
	m.acks++
	if !ack.Held {
		m.acked = max(m.acked, number)
	}
	for _, l := range ack.Lags {
		m.lags[l[0]] += l[1]
	}
	owner, _, _ := strings.Cut(id, "\x00")
	h.told.add(LagOwner{owner, m.name}, ack.Lags, now)
	m.canaries += uint64(len(ack.CanaryMS))
	m.canary = append(m.canary, ack.CanaryMS...)
	if more := len(m.canary) - maxCanary; more > 0 {
		m.canary = slices.Delete(m.canary, 0, more)
	}
	m.grants = slices.DeleteFunc(m.grants, func(g grant) bool { return g.over(now) })
	if lease > 0 {
		m.grants = merge(append(m.grants, grant{last.number, now, lease}), m.acked)
	}
	newest = last.cursor
	if number == last.number {
		newest = ack.Cursor // it is there already, by whichever of the place's names
	}
	h.advance()
	return newest, lease, nil
}

// over reports whether the follower's own clock must have ended the lease. It
// counts from the sending of an acknowledgement that had arrived by from. Here it
// is the monotonic clock alone that counts: one that was set forward would take
// the lease for over too early.
func (g *grant) over(now time.Time) bool { return now.Sub(g.from) > g.length+g.length/100 }

// merge leaves one grant, the longest, of those that make no difference: up to
// the number acked, and of each number above.
func merge(grants []grant, acked uint64) []grant {
	kept := grants[:0]
next:
	for _, g := range grants {
		g.newest = max(g.newest, acked)
		for i, k := range kept {
			if k.newest == g.newest {
				if end := g.from.Add(g.length); end.After(k.from.Add(k.length)) {
					kept[i] = g
				}
				continue next
			}
		}
		kept = append(kept, g)
	}
	return kept
}

// reach returns the highest number that m does not stand in the way of.
func (m *member) reach(now time.Time, newest uint64) uint64 {
	reach := newest
	for _, g := range m.grants {
		if !g.over(now) {
			reach = min(reach, max(m.acked, g.newest)) // what it has applied, or must have before the lease counts
		}
	}
	return reach
}

// advance works out how far all followers are. The caller holds the lock.
func (h *Hub) advance() {
	last := h.last()
	if last == nil || h.covered >= last.number {
		return
	}
	now := h.now()
	covered := last.number
	for _, m := range h.followers {
		if covered = min(covered, m.reach(now, covered)); covered <= h.covered {
			return
		}
	}
	h.covered = covered
	h.signal()
}

// signal says that Covered may return something else.
func (h *Hub) signal() {
	select {
	case h.moved <- struct{}{}:
	default:
	}
}

// expire forgets followers that hold nothing and have not been heard of.
func (h *Hub) expire(now time.Time) {
	for id, m := range h.followers {
		if m.reach(now, ^uint64(0)) == ^uint64(0) && now.Sub(m.seen) > 10*h.cfg.Bound {
			delete(h.followers, id)
		}
	}
}

// Moved receives a value when [Hub.Covered] may have changed.
func (h *Hub) Moved() <-chan struct{} { return h.moved }

// Coverage is how far the followers of a hub are.
type Coverage struct {
	Cursor    string   // acknowledged by each follower that may still accept anything
	Followers int      // heard of lately, whether they may or not
	Behind    []string // names of those Cursor waits for, some of them
	Local     []string // names of those that have routes without a bound, some of them
}

// maxNamed bounds the names in a [Coverage].
const maxNamed = 32

// Covered returns how far the followers are.
func (h *Hub) Covered() Coverage {
	h.sweep()
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	h.expire(now)
	h.advance()
	var c Coverage
	last := h.last()
	if last == nil {
		return c
	}
	for _, m := range h.followers {
		reach := m.reach(now, ^uint64(0))
		c.Followers++
		if m.local && len(c.Local) < maxNamed {
			c.Local = append(c.Local, m.name)
		}
		if reach < last.number && len(c.Behind) < maxNamed {
			c.Behind = append(c.Behind, m.name)
		}
	}
	if h.covered >= last.number {
		c.Cursor = last.latest
		return c
	}
	if first := h.ring[0].number; h.covered >= first {
		c.Cursor = h.ring[h.covered-first].cursor
	}
	return c
}
