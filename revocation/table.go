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

// table maps sessions to marks, by open addressing in groups of eight slots. For
// each group there is a word of eight tags, one byte of the hash for each slot
// that is taken and zero for those that are free. A search goes from group to
// group until one has a free slot. Nearly always it reads one word of tags and,
// if the session is not there, nothing else; those words are few enough to stay in
// a processor's cache. There are no pointers for the garbage collector to follow.
//
// There is one writer at a time, and readers need no lock:
//
//   - The tag of a slot is written after all else. A slot is read only behind its
//     tag, and its SID never changes.
//   - An entry that is dropped keeps its slot, so that no search ends too early.
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
	groupSlots = 8
	lowBits    = 0x0101010101010101 // the lowest bit of each byte of a word
	highBits   = 0x8080808080808080 // the highest
)

// newTable returns a table that so many entries fill to seven tenths at most. A
// fifth more fits before it is full, so that an entry takes 30 to 36 bytes.
func newTable(live int) *table {
	groups := live*10/7/groupSlots + 1
	return &table{tags: make([]atomic.Uint64, groups), slots: make([]slot, groups*groupSlots), soonest: math.MaxUint32}
}

// full reports whether the table takes no further entry: searches become long
// beyond that, and endless without a free slot.
func (t *table) full() bool { return t.used >= len(t.slots)*27/32 }

// sparse reports whether a smaller table would do.
func (t *table) sparse() bool { return len(t.slots) > groupSlots && t.live < len(t.slots)*2/5 }

// tagOf returns the tag that goes with a hash, never zero. Its bits are neither
// those that choose the shard nor those that choose the group.
func tagOf(h uint64) uint64 { return max(1, h>>8&0xff) }

// zeroBytes returns a word with the highest bit set of each byte of w that is zero.
func zeroBytes(w uint64) uint64 {
	return ^((w&^uint64(highBits) + ^uint64(highBits)) | w | ^uint64(highBits))
}

// find returns the session's slot, or the free slot where it belongs, and whether
// it is taken.
func (t *table) find(h, first, second uint64) (at int, taken bool) {
	group, _ := bits.Mul64(h, uint64(len(t.tags)))
	for {
		tags := t.tags[group].Load()
		for m := zeroBytes(tags ^ tagOf(h)*lowBits); m != 0; m &= m - 1 {
			at := int(group)*groupSlots + bits.TrailingZeros64(m)/8
			if s := &t.slots[at]; s.first == first && s.second == second {
				return at, true
			}
		}
		if free := zeroBytes(tags); free != 0 {
			return int(group)*groupSlots + bits.TrailingZeros64(free)/8, false
		}
		if group++; group == uint64(len(t.tags)) {
			group = 0
		}
	}
}

// lowest returns the lowest generation of the session that lives, 0 if the table
// has nothing about it.
func (t *table) lowest(h, first, second uint64) uint32 {
	if at, taken := t.find(h, first, second); taken {
		return uint32(t.slots[at].mark.Load() >> 32)
	}
	return 0
}

// put takes in an entry and reports whether it is a new one. Of two about one
// session the greater bound counts, and the longer time; of a dropped one nothing
// counts any more. A full table must not get a new one.
func (t *table) put(h, first, second uint64, lowest, until uint32) (added bool) {
	at, taken := t.find(h, first, second)
	s := &t.slots[at]
	mark := s.mark.Load()
	if added = !taken || mark == gone; added {
		t.live++
	} else {
		lowest, until = max(lowest, uint32(mark>>32)), max(until, uint32(mark))
	}
	t.soonest = min(t.soonest, until)
	if !taken {
		s.first, s.second = first, second
	}
	s.mark.Store(uint64(lowest)<<32 | uint64(until))
	if !taken {
		t.used++
		tags := &t.tags[at/groupSlots]
		tags.Store(tags.Load() | tagOf(h)<<(at%groupSlots*8))
	}
	return added
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
		taken := ^zeroBytes(t.tags[group].Load()) & highBits
		for ; taken != 0; taken &= taken - 1 {
			s := &t.slots[group*groupSlots+bits.TrailingZeros64(taken)/8]
			if mark := s.mark.Load(); mark != gone && !yield(s, mark) {
				return
			}
		}
	}
}
