package revmodel

// table holds the states that were met, in order, with the one each was met
// from. Blocks keep a growing table from being copied.
type table struct {
	blocks [][]entry
	n      int
	slots  []slot
}

type entry struct {
	key    key
	parent int32
}

// slot is where a state is, with part of its hash so that most comparisons need
// not go there.
type slot struct {
	next int32 // index+1
	hash uint32
}

const blockBits = 16

func (t *table) entry(i int32) *entry { return &t.blocks[i>>blockBits][i&(1<<blockBits-1)] }

// add returns the index of the state and whether it was not there before.
func (t *table) add(k key, parent int32) (int32, bool) {
	if t.n*3 >= len(t.slots)*2 {
		t.grow()
	}
	h := k.hash()
	s := t.find(k, h)
	if s.next > 0 {
		return s.next - 1, false
	}
	if t.n>>blockBits == len(t.blocks) {
		t.blocks = append(t.blocks, make([]entry, 1<<blockBits))
	}
	at := int32(t.n)
	*t.entry(at) = entry{k, parent}
	t.n++
	*s = slot{at + 1, uint32(h >> 32)}
	return at, true
}

// find returns the slot of the state, or the free one where it belongs.
func (t *table) find(k key, h uint64) *slot {
	mask := uint64(len(t.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.next == 0 || s.hash == uint32(h>>32) && t.entry(s.next-1).key == k {
			return s
		}
	}
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, max(1<<12, 2*len(old)))
	for i := range int32(t.n) {
		k := t.entry(i).key
		h := k.hash()
		*t.find(k, h) = slot{i + 1, uint32(h >> 32)}
	}
}

func (k key) hash() uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, w := range k {
		h = (h ^ w) * 0xff51afd7ed558ccd
		h ^= h >> 29
	}
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>32
}
