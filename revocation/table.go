package revocation

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// slot is an entry about a session.
type slot struct {
	first, second uint64        // the SID
	mark          atomic.Uint64 // the lowest generation that lives, 32 bits, and the second at which the entry goes
}

const (
	whole = math.MaxUint32 // a lowest generation that none reaches: the whole session is dead
	gone  = 1              // the mark of an entry that was dropped: it kills nothing
)

// table maps sessions to marks, by open addressing in groups of seven slots. For
// each group there is a word: one byte of the hash, the tag, for each slot that is
// taken, zero for those that are free, and in the highest byte which sessions have
// gone past the group because it was full. A hash has one of the eight bits of that
// byte; only where it is set, the search goes on to the next group. So nearly
// always it reads one word and, if the session is not there, nothing else, even in
// a table that is nearly full; those words are few enough to stay in a processor's
// cache. There are no pointers for the garbage collector to follow.
//
// There is one writer at a time, and readers need no lock:
//
//   - The tag of a slot is written after all else. A slot is read only behind its
//     tag, and its SID never changes.
//   - An entry that is dropped keeps its slot, so that a full group stays full and
//     no session is in two places.
//   - To grow or shrink, the writer fills a new table and publishes it whole.
type table struct {
	tags  []atomic.Uint64
	slots []slot

	// The rest is the writer's.
	used    int    // slots that are not free
	live    int    // of these, the ones not dropped
	soonest uint32 // no entry goes earlier
}

const (
	groupSlots = 7
	lowBits    = 0x0001010101010101 // the lowest bit of each tag of a word
	highBits   = 0x0080808080808080 // the highest
)

// newTable returns a table that so many entries fill to two thirds at most. A
// sixth more fits before it is full, so that an entry takes 32 to 38 bytes.
func newTable(live int) *table {
	groups := live*3/2/groupSlots + 1
	return &table{tags: make([]atomic.Uint64, groups), slots: make([]slot, groups*groupSlots), soonest: math.MaxUint32}
}

// full reports whether the table takes no further entry: beyond that one search in
// ten reads a second group, and without a free slot none would end.
func (t *table) full() bool { return t.used >= len(t.slots)*25/32 }

// sparse reports whether a smaller table would do.
func (t *table) sparse() bool { return len(t.slots) > groupSlots && t.live < len(t.slots)*2/5 }

// tagOf returns the tag that goes with a hash, never zero. Its bits are neither
// those that choose the shard nor those that choose the group.
func tagOf(h uint64) uint64 { return max(1, h>>8&0xff) }

// pastOf returns the bit of a word that says that sessions with such a hash have
// gone past the group.
func pastOf(h uint64) uint64 { return 1 << 56 << (h >> 16 & 7) }

// zeroTags returns a word with the highest bit set of each tag of w that is zero.
func zeroTags(w uint64) uint64 {
	return ^((w&^uint64(highBits) + ^uint64(highBits)) | w | ^uint64(highBits))
}

// home returns the group in which the search for a hash begins.
func (t *table) home(h uint64) uint64 {
	group, _ := bits.Mul64(h, uint64(len(t.tags)))
	return group
}

// next returns the group behind another.
func (t *table) next(group uint64) uint64 {
	if group++; group == uint64(len(t.tags)) {
		return 0
	}
	return group
}

// find returns the session's slot, nil if the table has nothing about it. It ends
// because a group that has a free slot was never gone past.
func (t *table) find(h, first, second uint64) *slot {
	for group := t.home(h); ; group = t.next(group) {
		tags := t.tags[group].Load()
		for m := zeroTags(tags ^ tagOf(h)*lowBits); m != 0; m &= m - 1 {
			if s := &t.slots[int(group)*groupSlots+bits.TrailingZeros64(m)/8]; s.first == first && s.second == second {
				return s
			}
		}
		if tags&pastOf(h) == 0 {
			return nil
		}
	}
}

// lowest returns the lowest generation of the session that lives, 0 if the table
// has nothing about it.
func (t *table) lowest(h, first, second uint64) uint32 {
	if s := t.find(h, first, second); s != nil {
		return uint32(s.mark.Load() >> 32)
	}
	return 0
}

// put takes in an entry and reports whether it is a new one. Of two about one
// session the greater bound counts, and the longer time; of a dropped one nothing
// counts any more. A full table must not get a new one.
func (t *table) put(h, first, second uint64, lowest, until uint32) (added bool) {
	s := t.find(h, first, second)
	if s == nil {
		t.live++
		t.soonest = min(t.soonest, until)
		t.add(h, first, second, uint64(lowest)<<32|uint64(until))
		return true
	}
	mark := s.mark.Load()
	if added = mark == gone; added {
		t.live++
	} else {
		lowest, until = max(lowest, uint32(mark>>32)), max(until, uint32(mark))
	}
	t.soonest = min(t.soonest, until)
	s.mark.Store(uint64(lowest)<<32 | uint64(until))
	return added
}

// add puts a session that is not there into the first free slot from its home on.
func (t *table) add(h, first, second, mark uint64) {
	group := t.home(h)
	word := t.tags[group].Load()
	for zeroTags(word) == 0 {
		t.tags[group].Store(word | pastOf(h)) // before the session is there
		group = t.next(group)
		word = t.tags[group].Load()
	}
	in := bits.TrailingZeros64(zeroTags(word)) / 8
	s := &t.slots[int(group)*groupSlots+in]
	s.first, s.second = first, second
	s.mark.Store(mark)
	t.used++
	t.tags[group].Store(word | tagOf(h)<<(in*8))
}

// sweep drops the entries that go at sec or before, and returns their number.
func (t *table) sweep(sec uint32) (dropped int) {
	if sec < t.soonest {
		return 0
	}
	t.soonest = math.MaxUint32
	for s, mark := range t.all {
		if uint32(mark) <= sec {
			s.mark.Store(gone)
			dropped++
		} else {
			t.soonest = min(t.soonest, uint32(mark))
		}
	}
	t.live -= dropped
	return dropped
}

// resized returns a table of the right size with the same entries.
func (t *table) resized(hash func(first, second uint64) uint64) *table {
	n := newTable(t.live)
	for s, mark := range t.all {
		n.put(hash(s.first, s.second), s.first, s.second, uint32(mark>>32), uint32(mark))
	}
	return n
}

// all yields the entries that were not dropped, with their marks. Anybody may call
// it: what was put before is among them.
func (t *table) all(yield func(*slot, uint64) bool) {
	for group := range t.tags {
		taken := ^zeroTags(t.tags[group].Load()) & highBits
		for ; taken != 0; taken &= taken - 1 {
			s := &t.slots[group*groupSlots+bits.TrailingZeros64(taken)/8]
			if mark := s.mark.Load(); mark != gone && !yield(s, mark) {
				return
			}
		}
	}
}
