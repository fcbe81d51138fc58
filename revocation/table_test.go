package revocation

import (
	"encoding/binary"
	"testing"
)

// All of these have one hash: they fill group after group, and are told apart by
// both halves.
func TestSessionsWithOneHashAreToldApart(t *testing.T) {
	const h = 1<<63 + 5
	tab := newTable(30)
	for i := range uint64(30) {
		if !tab.put(h, i/2, i%2, uint32(i+1), 9) {
			t.Fatalf("entry %d is not new", i)
		}
	}
	for i := range uint64(30) {
		if got := tab.lowest(h, i/2, i%2); got != uint32(i+1) {
			t.Errorf("entry %d is read as %d", i, got)
		}
	}
	for _, sid := range [][2]uint64{{3, 2}, {15, 0}, {15, 1}} {
		if got := tab.lowest(h, sid[0], sid[1]); got != 0 {
			t.Errorf("%v is not there and read as %d", sid, got)
		}
	}
}

func TestSlotOfADroppedEntryIsUsedAgain(t *testing.T) {
	tab := newTable(0)
	tab.put(1, 1, 1, 5, 10)
	tab.put(2, 2, 2, 5, 20)
	if n := tab.sweep(10); n != 1 || tab.live != 1 || tab.lowest(1, 1, 1) != 0 || tab.lowest(2, 2, 2) != 5 {
		t.Fatalf("%d dropped, %d live", n, tab.live)
	}
	if !tab.put(1, 1, 1, 3, 15) || tab.used != 2 || tab.live != 2 || tab.lowest(1, 1, 1) != 3 {
		t.Errorf("%d used, %d live, lowest %d", tab.used, tab.live, tab.lowest(1, 1, 1))
	}
	if n := tab.sweep(15); n != 1 || tab.lowest(1, 1, 1) != 0 {
		t.Errorf("%d dropped", n)
	}
}

func TestFreeSlotsAreFoundExactly(t *testing.T) {
	for _, past := range []byte{0, 1, 0x80, 0xff} { // which is no tag
		for _, around := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
				for at := range groupSlots {
					var bytes, want [8]byte
					for i := range groupSlots {
						bytes[i] = around
					}
					bytes[at], bytes[groupSlots] = b, past
					for i := range groupSlots {
						if bytes[i] == 0 {
							want[i] = 0x80
						}
					}
					w := binary.LittleEndian.Uint64(bytes[:])
					if got := zeroTags(w); got != binary.LittleEndian.Uint64(want[:]) {
						t.Errorf("%016x: %016x", w, got)
					}
				}
			}
		}
	}
}

// What a search costs is the groups that it reads, and whether it can be foretold
// that one is enough.
func TestSearchesForWhatIsNotThereReadOneGroup(t *testing.T) {
	s, tab := NewSet(), newTable(20_000)
	for i := 0; !tab.full(); i++ {
		first, second := numbered(i).halves()
		tab.put(s.hash(first, second), first, second, whole, 1)
	}
	const searches = 100_000
	read, went := 0, 0
	for i := range searches {
		h := s.hash(numbered(1_000_000 + i).halves())
		group, before := tab.home(h), read
		for read++; tab.tags[group].Load()&pastOf(h) != 0; read++ {
			group = tab.next(group)
		}
		if read > before+1 {
			went++
		}
	}
	each, share := float64(read)/searches, float64(went)/searches
	t.Logf("%.3f groups a search in a full table, %.3f of them went on", each, share)
	if each > 1.35 || share > 0.12 {
		t.Error("a search for what is not there reads too many groups")
	}
}
