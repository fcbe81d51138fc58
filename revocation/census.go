package revocation

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// FollowerReport is what a hub knows of one follower.
type FollowerReport struct {
	Owner string // whose credentials it comes with
	Name  string // what it calls itself
	ID    string // of this start of it
	Local bool   // it has routes without a bound

	Since, Seen time.Time     // when it was first and last heard of
	Age         time.Duration // since then
	Lease       time.Duration // for how long it may still go by what it knows
	Behind      uint64        // batches it has not acknowledged
	Acks        uint64

	Lags     Lags    // of the entries it has met, canaries left out
	Canaries uint64  // lags of a canary's entries that it has told of
	Canary   []int64 // the newest of those, oldest first, in milliseconds
}

// Followers returns the followers that hold a lease or were heard of lately, by
// owner and name.
func (h *Hub) Followers() []FollowerReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	h.expire(now)
	var newest uint64
	if last := h.last(); last != nil {
		newest = last.number
	}
	out := make([]FollowerReport, 0, len(h.followers))
	for key, m := range h.followers {
		owner, rest, _ := strings.Cut(key, "\x00")
		_, id, _ := strings.Cut(rest, "\x00")
		out = append(out, FollowerReport{
			Owner: owner, Name: m.name, ID: id, Local: m.local, Since: m.since, Seen: m.seen, Age: now.Sub(m.seen),
			Lease: m.left(now), Behind: newest - min(m.acked, newest), Acks: m.acks,
			Lags: m.lags, Canaries: m.canaries, Canary: slices.Clone(m.canary),
		})
	}
	slices.SortFunc(out, func(a, b FollowerReport) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out
}

// left returns how long the longest lease of m still runs.
func (m *member) left(now time.Time) (left time.Duration) {
	for _, g := range m.grants {
		left = max(left, g.length-now.Sub(g.from))
	}
	return left
}

// Load is how much a hub has to do.
type Load struct {
	Streams   int           // open now
	Followers int           // that hold a lease or were heard of lately
	OldestAck time.Duration // since the last acknowledgement of whoever holds a lease and was silent the longest
}

// Load returns how much the hub has to do now.
func (h *Hub) Load() Load {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	h.expire(now)
	l := Load{Streams: h.streams, Followers: len(h.followers)}
	for _, m := range h.followers {
		if m.left(now) > 0 {
			l.OldestAck = max(l.OldestAck, now.Sub(m.seen))
		}
	}
	return l
}

const (
	// maxTold bounds the names that lags are kept under.
	maxTold = 100
	// otherName stands for all further ones. No follower can be called that.
	otherName = "(other)"
	// hour is for how many minutes lags are kept apart.
	hour = 60
)

// told keeps the lags that followers have told of, also when those have gone.
type told struct {
	names   map[LagOwner]*Lags
	minutes [hour]LagMinute
}

// LagOwner is a follower by its credentials and by name, whichever start of it.
type LagOwner struct{ Owner, Name string }

// LagMinute is one minute's lags of all followers together.
type LagMinute struct {
	Start time.Time
	Lags  Lags
}

// add counts what one acknowledgement says.
func (t *told) add(who LagOwner, lags [][2]uint64, now time.Time) {
	if len(lags) == 0 {
		return
	}
	if t.names == nil {
		t.names = make(map[LagOwner]*Lags)
	}
	if t.names[who] == nil && len(t.names) >= maxTold {
		who = LagOwner{Name: otherName}
	}
	all := t.names[who]
	if all == nil {
		all = new(Lags)
		t.names[who] = all
	}
	start := now.Truncate(time.Minute)
	m := &t.minutes[start.Unix()/60%hour]
	if !m.Start.Equal(start) {
		*m = LagMinute{Start: start}
	}
	for _, l := range lags {
		all[l[0]] += l[1]
		m.Lags[l[0]] += l[1]
	}
}

// Told returns the lags that followers have told of since the start, canaries
// left out, by credentials and name: of the first 100, and of all others together
// under the name "(other)". No count ever falls.
func (h *Hub) Told() map[LagOwner]Lags {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[LagOwner]Lags, len(h.told.names))
	for who, l := range h.told.names {
		out[who] = *l
	}
	return out
}

// LastHour returns the lags that were told of in the last 60 minutes, the running
// one included, oldest first. Minutes in which nothing was told are left out.
func (h *Hub) LastHour() []LagMinute {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := h.now().Truncate(time.Minute).Add(-(hour - 1) * time.Minute)
	var out []LagMinute
	for _, m := range h.told.minutes {
		if !m.Start.Before(from) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b LagMinute) int { return a.Start.Compare(b.Start) })
	return out
}
