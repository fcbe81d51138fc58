package revocation

import (
	"crypto/rand"
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// shards is the number of tables that the sessions are spread over. Growing or
// sweeping one of a million entries takes well under a millisecond then, and a
// small set stays small.
const shards = 256

// Set is the entries that still matter. [Set.Dead] takes no lock and allocates
// nothing; any number of goroutines may call it while others change the set. A
// Dead that begins after Apply returned sees what was applied.
//
// Times are how much has passed since some start of the caller's own, the same
// one in all calls. They must not run ahead of real time: an entry would be
// dropped while tokens that it covers are still good. The monotonic clock, which
// at worst stands still, keeps entries too long and does no harm.
type Set struct {
	sessions [shards]atomic.Pointer[table]
	global   atomic.Uint64 // everything below this epoch is dead
	subjects atomic.Pointer[names]
	keys     atomic.Pointer[names]
	key      [2]uint64 // of the hash of sessions, so that nobody can aim at one slot
	seed     maphash.Seed

	mu   sync.Mutex // held by those who change the set
	size atomic.Int64
}

// NewSet returns an empty set. It takes about two kilobytes.
func NewSet() *Set {
	s := &Set{seed: maphash.MakeSeed()}
	var b [16]byte
	rand.Read(b[:]) // never fails, see there
	s.key = [2]uint64{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}
	return s
}

// Len returns the number of entries. A global epoch, of which there is only one,
// does not count.
func (s *Set) Len() int { return int(s.size.Load()) }

// Dead reports whether an entry covers the badge, and of which kind it is. If
// there are several, the kind is that of any.
func (s *Set) Dead(b *Badge) (Kind, bool) {
	if b.GlobalEpoch < s.global.Load() {
		return KindAll, true
	}
	if !b.SID.IsZero() {
		first, second := b.SID.halves()
		h := s.hash(first, second)
		if t := s.sessions[h%shards].Load(); t != nil {
			switch lowest := t.lowest(h, first, second); {
			case lowest == whole:
				return KindSession, true
			case b.Generation < lowest:
				return KindGeneration, true
			}
		}
	}
	if b.Subject != "" {
		if t := s.subjects.Load(); t != nil && b.SubjectEpoch < t.bound(maphash.String(s.seed, b.Subject), b.Subject) {
			return KindSubject, true
		}
	}
	if b.Key != "" {
		if t := s.keys.Load(); t != nil && t.bound(maphash.String(s.seed, b.Key), b.Key) > 0 {
			return KindKey, true
		}
	}
	return 0, false
}

// hash mixes the halves of a SID with the set's own key. The time in a SID is
// known to everybody, and part of it is the same for all sessions of a subject.
func (s *Set) hash(first, second uint64) uint64 {
	hi, lo := bits.Mul64(first^s.key[0], second^s.key[1])
	return hi ^ lo
}

// Apply takes in entries that [Entry.Check] has passed. What is in the set
// already stays: of two entries about the same thing the one that kills more
// counts, and the longer time. The entries are not kept.
func (s *Set) Apply(now time.Duration, entries ...Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		until := deadline(now, e.Keep)
		switch e.Kind {
		case KindSession:
			s.applySession(e.SID, whole, until)
		case KindGeneration:
			s.applySession(e.SID, e.Generation, until)
		case KindSubject:
			s.applyName(&s.subjects, e.Subject, e.Epoch, until)
		case KindKey:
			s.applyName(&s.keys, e.Key, 1, until)
		case KindAll:
			s.global.Store(max(s.global.Load(), e.Epoch))
		}
	}
}

func (s *Set) applySession(sid SID, lowest, until uint32) {
	if sid.IsZero() || lowest == 0 {
		return
	}
	first, second := sid.halves()
	h := s.hash(first, second)
	at := &s.sessions[h%shards]
	t := at.Load()
	switch {
	case t == nil:
		t = newTable(0)
	case t.full():
		t = t.resized(s.hash)
	}
	if t.put(h, first, second, lowest, until) {
		s.size.Add(1)
	}
	at.Store(t)
}

func (s *Set) applyName(at *atomic.Pointer[names], name string, lowest uint64, until uint32) {
	if name == "" || lowest == 0 {
		return
	}
	h := maphash.String(s.seed, name)
	t := at.Load()
	if t == nil || t.full() {
		t = t.resized(s.seed, 0)
	}
	if t.put(h, name, lowest, until) {
		s.size.Add(1)
	}
	at.Store(t)
}

// Sweep drops the entries whose time has passed. Apply waits for a part of the
// work at most, Dead for nothing.
func (s *Set) Sweep(now time.Duration) {
	sec := uint32(min(max(now, 0)/time.Second, math.MaxUint32))
	for i := range s.sessions {
		s.sweepShard(&s.sessions[i], sec)
	}
	s.sweepNames(&s.subjects, sec)
	s.sweepNames(&s.keys, sec)
}

func (s *Set) sweepShard(at *atomic.Pointer[table], sec uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := at.Load()
	if t == nil {
		return
	}
	s.size.Add(-int64(t.sweep(sec)))
	switch {
	case t.live == 0:
		at.Store(nil)
	case t.sparse():
		at.Store(t.resized(s.hash))
	}
}

func (s *Set) sweepNames(at *atomic.Pointer[names], sec uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := at.Load()
	if t == nil || sec < t.soonest {
		return
	}
	swept := t.resized(s.seed, sec)
	s.size.Add(int64(swept.live) - int64(t.live))
	if swept.live == 0 {
		swept = nil
	}
	at.Store(swept)
}

// deadline returns the second at which an entry is dropped, at least the first.
func deadline(now, keep time.Duration) uint32 {
	return max(1, seconds(max(now, 0)+min(max(keep, 0), MaxKeep)))
}

// halves returns the SID as two numbers.
func (s SID) halves() (first, second uint64) {
	return binary.BigEndian.Uint64(s[:8]), binary.BigEndian.Uint64(s[8:])
}
