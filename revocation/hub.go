package revocation

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Source is what a [Hub] asks of the node that it serves. Its methods are safe
// for concurrent use.
type Source interface {
	// Lease returns for how long from now the node's news may be trusted; zero: not
	// at all. No follower is granted more.
	Lease() time.Duration
	// Covers reports whether a reader at the cursor have has seen every entry that
	// a reader at want has. An error means that one of them was not made here.
	Covers(have, want string) (bool, error)
	// CatchUp hands what is new to the hub before it returns.
	CatchUp(ctx context.Context) error
}

// HubConfig is what a [Hub] needs. Source and Issuer are required.
type HubConfig struct {
	Source Source
	Issuer string // whose feed it is
	// Bound is the longest time that followers may go without news, 2 s if zero.
	Bound time.Duration
	// MaxFollowers bounds those served at once, 10 000 if zero; others get 503.
	MaxFollowers int
	// Ring is how many batches are kept for followers that come back or are slow,
	// 4096 if zero, and up to a quarter more. Whoever is further behind takes a
	// snapshot.
	Ring int
	// Logger gets what operators need to know. Nil discards it.
	Logger *slog.Logger
	// Count counts outcomes by words fixed in the code. Nil counts nothing.
	Count func(name, outcome string)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Hub passes the entries of a feed on to any number of followers and knows how
// far each of them is. Entries are encoded once and sent from memory, whoever
// asks. It is safe for concurrent use.
type Hub struct {
	cfg      HubConfig
	log      *slog.Logger
	now      func() time.Time
	start    time.Time
	instance string
	set      *Set
	moved    chan struct{}

	mu        sync.Mutex
	life      uint64 // raised by Restart
	swept     time.Duration
	ring      []place // the last batches, oldest first; the first is only a place to start from
	numbers   map[string]uint64
	wake      chan struct{} // closed when something was appended
	followers map[string]*member
	covered   uint64
	streams   int
	told      told
}

// place is a batch and the cursors behind it.
type place struct {
	number uint64
	cursor string // as followers know it
	latest string // the feed's own, which may have moved on without entries
	frame  Frame
}

const (
	defaultBound        = 2 * time.Second
	defaultMaxFollowers = 10_000
	defaultRing         = 4096
)

// NewHub checks the configuration and names the field that is wrong. The hub has
// nothing to serve before the first [Hub.Append].
func NewHub(cfg HubConfig) (*Hub, error) {
	switch {
	case cfg.Source == nil:
		return nil, errors.New("revocation: HubConfig.Source is required")
	case cfg.Bound < 0 || cfg.MaxFollowers < 0 || cfg.Ring < 0:
		return nil, errors.New("revocation: HubConfig: Bound, MaxFollowers and Ring cannot be negative; zero means the default")
	}
	if cfg.Bound == 0 {
		cfg.Bound = defaultBound
	}
	if cfg.MaxFollowers == 0 {
		cfg.MaxFollowers = defaultMaxFollowers
	}
	if cfg.Ring == 0 {
		cfg.Ring = defaultRing
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Count == nil {
		cfg.Count = func(string, string) {}
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("drawing the hub's identity: %w", err)
	}
	h := &Hub{
		cfg: cfg, log: cfg.Logger, now: cfg.Now, instance: hex.EncodeToString(id[:]),
		set: NewSet(), moved: make(chan struct{}, 1),
		numbers: make(map[string]uint64), wake: make(chan struct{}), followers: make(map[string]*member),
	}
	h.start = h.now()
	if _, err := h.hello(""); err != nil {
		return nil, fmt.Errorf("revocation: HubConfig: %w", err)
	}
	return h, nil
}

// Set returns what the hub has been told, for checks in this process.
func (h *Hub) Set() *Set { return h.set }

// Append takes the next entries of the feed, in order, and the cursor behind
// them. Without entries only the cursor moves. Entries that cannot be sent stop
// the feed: whoever revokes must hear of it.
func (h *Hub) Append(entries []Entry, cursor string) error {
	if len(entries) > MaxBatch {
		return fmt.Errorf("revocation: %d entries at one cursor, the most is %d", len(entries), MaxBatch)
	}
	if err := checkCursor(cursor); err != nil || cursor == "" {
		return fmt.Errorf("revocation: the feed's cursor cannot be sent: %w", errors.Join(err, errors.New("it is empty or malformed")))
	}
	var frame Frame
	if len(entries) > 0 {
		var err error
		if frame, err = (&Event{Name: EventRevoked, Cursor: cursor, Entries: entries}).Frame(); err != nil {
			return err
		}
		h.set.Apply(h.age(), entries...)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.last()
	if last != nil && frame == nil {
		if last.latest != last.cursor {
			delete(h.numbers, last.latest)
		}
		last.latest = cursor
		h.numbers[cursor] = last.number
		return nil
	}
	next := place{cursor: cursor, latest: cursor, frame: frame}
	if last != nil {
		next.number = last.number + 1
	} else {
		next.number = h.covered + 1
	}
	h.ring = append(h.ring, next)
	h.numbers[cursor] = next.number
	if len(h.ring) > h.cfg.Ring+h.cfg.Ring/4 { // not each time: it copies
		h.forget(len(h.ring) - h.cfg.Ring)
	}
	close(h.wake)
	h.wake = make(chan struct{})
	h.advance()
	return nil
}

// age is how long the hub has been there, by the monotonic clock alone: a wall
// clock that jumps forward and back would drop entries too early.
func (h *Hub) age() time.Duration { return h.now().Sub(h.start) }

// sweep drops entries that no longer matter, now and then.
func (h *Hub) sweep() {
	age := h.age()
	h.mu.Lock()
	due := age-h.swept >= sweepPause
	if due {
		h.swept = age
	}
	h.mu.Unlock()
	if due {
		h.set.Sweep(age)
	}
}

// forget drops the oldest n places.
func (h *Hub) forget(n int) {
	for _, p := range h.ring[:n] {
		delete(h.numbers, p.cursor)
		delete(h.numbers, p.latest)
	}
	h.ring = append(h.ring[:0:0], h.ring[n:]...)
}

// last is the newest place, nil before the first.
func (h *Hub) last() *place {
	if len(h.ring) == 0 {
		return nil
	}
	return &h.ring[len(h.ring)-1]
}

// Restart says that the feed has begun anew: cursors from before mean nothing.
// Every follower is sent to take a snapshot. What was revoked stays revoked.
func (h *Hub) Restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.life++
	if last := h.last(); last != nil {
		h.covered = last.number // numbers go on
	}
	h.ring = nil
	clear(h.numbers)
	for _, m := range h.followers {
		m.acked = 0
	}
	close(h.wake)
	h.wake = make(chan struct{})
}

// standing is where a follower's cursor is, seen from a hub.
type standing uint8

const (
	standsWithin standing = iota // it has passed a place that is kept
	standsBehind                 // it is before all of them
	standsAside                  // it is neither: nobody can say what is missing
	standsAhead                  // it has seen more than this hub has
	standsApart                  // it was made elsewhere, or before the feed began anew
)

// find returns the number of the newest place that a follower at cursor has
// passed.
func (h *Hub) find(cursor string) (number uint64, s standing) {
	h.mu.Lock()
	if number, ok := h.numbers[cursor]; ok {
		h.mu.Unlock()
		return number, standsWithin
	}
	ring := h.ring // places are never changed but for latest of the last
	var newest string
	if last := h.last(); last != nil {
		newest = last.latest
	}
	h.mu.Unlock()
	if len(ring) == 0 {
		return 0, standsApart
	}
	// Of cursors made elsewhere most are as new as ours.
	for i := len(ring) - 1; i >= 0; i-- {
		passed, err := h.cfg.Source.Covers(cursor, ring[i].cursor)
		if err != nil {
			return 0, standsApart
		}
		if !passed {
			continue
		}
		if within, err := h.cfg.Source.Covers(newest, cursor); err != nil {
			return 0, standsApart
		} else if !within {
			return ring[i].number, standsAhead
		}
		return ring[i].number, standsWithin
	}
	before, err := h.cfg.Source.Covers(ring[0].cursor, cursor)
	switch {
	case err != nil:
		return 0, standsApart
	case before:
		return 0, standsBehind
	}
	return 0, standsAside
}

// locate is find for a follower that may have heard of entries before this node
// has: then the node reads on before it judges. A follower that is ahead of the
// store itself follows something that the store has lost.
func (h *Hub) locate(ctx context.Context, cursor string) (number uint64, s standing, err error) {
	number, s = h.find(cursor)
	if s != standsAhead {
		return number, s, nil
	}
	if err := h.cfg.Source.CatchUp(ctx); err != nil {
		return 0, s, err
	}
	number, s = h.find(cursor)
	if s == standsAhead {
		h.log.LogAttrs(ctx, slog.LevelError, "a follower has seen revocations that the store does not have: the store went back; the follower begins anew")
		h.cfg.Count("feed", "follower_ahead")
	}
	return number, s, nil
}
