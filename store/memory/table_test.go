package memory

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// hashing returns the nth SID that has the given hash.
func hashing(hash uint64, n int) (sid lanyard.SID) {
	const odd = 0x9e3779b97f4a7c15
	inverse := uint64(odd) // doubles its right bits in each round, from three
	for range 5 {
		inverse *= 2 - odd*inverse
	}
	time := uint64(n + 1)
	binary.BigEndian.PutUint64(sid[:8], time)
	binary.BigEndian.PutUint64(sid[8:], hash*inverse^time*odd)
	return sid
}

func TestRowsWhoseHashesMeetAreAllFoundUntilTheyAreRemoved(t *testing.T) {
	const n = 200
	for _, c := range []struct {
		name string
		hash func(i int) uint64
	}{
		{"one hash for all", func(int) uint64 { return 7 << 60 }},
		{"one hash for all, the last", func(int) uint64 { return math.MaxUint64 }},
		{"the last slot and those before", func(i int) uint64 { return math.MaxUint64 - uint64(i%3)<<56 }},
		{"a few slots all over", func(i int) uint64 { return uint64(i%7) << 61 }},
		{"every slot", func(i int) uint64 { return uint64(i*83%n) * (math.MaxUint64 / n) }},
	} {
		for _, step := range []int{1, 3, 67} { // removed in this order
			var table table
			var sids []lanyard.SID
			for i := range n {
				sid := hashing(c.hash(i), i)
				if got := hashOf(&sid); got != c.hash(i) {
					t.Fatalf("%s: the hash is %x, want %x", c.name, got, c.hash(i))
				}
				sids = append(sids, sid)
				table.put(sid, storedAs(sid, i))
			}
			for i := 0; len(sids) > 0; i = (i + step) % max(1, len(sids)) {
				gone := sids[i]
				table.remove([]lanyard.SID{gone})
				sids = slices.Delete(sids, i, i+1)
				if table.has(gone) {
					t.Fatalf("%s, step %d: a removed row is found", c.name, step)
				}
				if !slices.Equal(table.sids, sids) {
					t.Fatalf("%s, step %d: with %d rows left the SIDs in order are others", c.name, step, len(sids))
				}
				for _, sid := range sids {
					want := binary.BigEndian.Uint64(sid[:8]) - 1
					if _, version, ok := table.get(sid); !ok || version != want {
						t.Fatalf("%s, step %d: with %d rows left, get(%d) is %d, %v", c.name, step, len(sids), want, version, ok)
					}
				}
			}
			for at, r := range table.slots {
				if r != (row{}) {
					t.Fatalf("%s: slot %d still holds something", c.name, at)
				}
			}
		}
	}
}

// storedAs is enough of a record for the table, of the version i.
func storedAs(sid lanyard.SID, i int) string {
	b := append(make([]byte, sidAt), sid[:]...)
	return string(binary.BigEndian.AppendUint64(b, uint64(i)))
}
