package revocation

import (
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"
)

// names maps subjects or keys to bounds, by open addressing like [table] and with
// the same rules for readers and the writer. There are few of them, so a slot is
// a pointer, and what has been dropped leaves by making a new table.
type names struct {
	slots []atomic.Pointer[named]

	// The rest is the writer's.
	live    int
	soonest uint32 // no entry goes earlier
}

type named struct {
	name   string
	lowest atomic.Uint64 // the lowest epoch that lives
	until  atomic.Uint32 // the second at which the entry goes
}

func (t *names) full() bool { return t.live >= len(t.slots)*3/4 }

// find returns the slot of the name, or the free one where it belongs.
func (t *names) find(h uint64, name string) (*atomic.Pointer[named], *named) {
	for at := h % uint64(len(t.slots)); ; {
		slot := &t.slots[at]
		n := slot.Load()
		if n == nil || n.name == name {
			return slot, n
		}
		if at++; at == uint64(len(t.slots)) {
			at = 0
		}
	}
}

// bound returns the lowest epoch of the name that lives, 0 if there is no entry.
func (t *names) bound(h uint64, name string) uint64 {
	if _, n := t.find(h, name); n != nil {
		return n.lowest.Load()
	}
	return 0
}

// put takes in an entry and reports whether it is a new one. The greater epoch
// counts, and the longer time. A full table must not get a new one.
func (t *names) put(h uint64, name string, lowest uint64, until uint32) (added bool) {
	slot, n := t.find(h, name)
	if added = n == nil; added {
		n = &named{name: strings.Clone(name)} // the caller's may be a part of something large
		t.live++
	}
	n.lowest.Store(max(n.lowest.Load(), lowest))
	n.until.Store(max(n.until.Load(), until))
	slot.Store(n)
	t.soonest = min(t.soonest, until)
	return added
}

// resized returns a table with the same entries, but those that go at sec or
// before, and with room for as many again. The receiver may be nil.
func (t *names) resized(seed maphash.Seed, sec uint32) *names {
	r := &names{soonest: math.MaxUint32}
	if t == nil {
		t = r
	}
	for n := range t.all {
		if n.until.Load() > sec {
			r.live++
		}
	}
	r.slots = make([]atomic.Pointer[named], max(8, r.live*2))
	for n := range t.all {
		if n.until.Load() > sec {
			slot, _ := r.find(maphash.String(seed, n.name), n.name)
			slot.Store(n)
			r.soonest = min(r.soonest, n.until.Load())
		}
	}
	return r
}

// all yields the entries. Anybody may call it: what was put before is among them.
func (t *names) all(yield func(*named) bool) {
	for i := range t.slots {
		if n := t.slots[i].Load(); n != nil && !yield(n) {
			return
		}
	}
}
