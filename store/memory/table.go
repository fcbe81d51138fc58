package memory

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/lanyard-go/lanyard"
)

// table holds rows by their SIDs, and the SIDs in their order, which lists need.
// New SIDs are the greatest, so keeping the order is appending.
//
// Among a million sessions a look-up costs what it waits for memory: once for a
// slot and once for the record, where a search in the order would wait more often.
type table struct {
	sids []lanyard.SID

	// slots is a hash table. A row is in the slot that its hash names or behind
	// it, with no free slot between; the first slot is behind the last.
	slots []row
}

// row is a record in its stored form, with its version behind it, and the hash
// of its SID. A string is a fraction of the decoded record's size, cannot be
// changed by whoever reads it, and costs the garbage collector one pointer.
// Without one the slot is free.
type row struct {
	stored string
	hash   uint64
}

const (
	sidAt      = 5 // where a record's stored form has the SID
	versionLen = 8
)

func encode(rec *lanyard.Record) (string, error) {
	var room [512]byte // enough for most, and off the heap
	b, err := rec.AppendBinary(room[:0])
	return string(binary.BigEndian.AppendUint64(b, rec.Version)), err
}

// decode returns the record with Fenced set as the global epoch says.
func decode(stored string, version, epoch uint64) (*lanyard.Record, error) {
	rec, err := lanyard.DecodeRecord(stored, version)
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	rec.Fenced = rec.EndReason == "" && rec.GlobalEpoch < epoch
	return rec, nil
}

// get returns a record in its stored form, and its version. Reading that waits
// for the end of the record together with its head: the digest of the handle is at
// the end, and only who has read the head would ask for it.
func (t *table) get(sid lanyard.SID) (stored string, version uint64, ok bool) {
	at, ok := t.find(&sid, hashOf(&sid))
	if !ok {
		return "", 0, false
	}
	stored = t.slots[at].stored
	end := len(stored) - versionLen
	return stored[:end], beUint64(stored[end:]), true
}

func (t *table) has(sid lanyard.SID) bool {
	_, ok := t.find(&sid, hashOf(&sid))
	return ok
}

// find returns the slot of the SID, or the free one where it would be. There must
// be a free one, unless there is none at all.
func (t *table) find(sid *lanyard.SID, hash uint64) (at int, ok bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	for at = t.home(hash); t.slots[at].stored != ""; at = t.behind(at) {
		if r := &t.slots[at]; r.hash == hash && r.stored[sidAt:sidAt+len(sid)] == string(sid[:]) {
			return at, true
		}
	}
	return at, false
}

// hashOf spreads the halves of a SID over all bits. Nobody outside chooses SIDs.
func hashOf(sid *lanyard.SID) uint64 {
	const odd = 0x9e3779b97f4a7c15
	time, rest := binary.BigEndian.Uint64(sid[:8]), binary.BigEndian.Uint64(sid[8:])
	return (time*odd ^ rest) * odd
}

// home is the slot a hash names: the same fraction of all slots as the hash is of
// all hashes. So a table can grow by less than twice, and rows keep their order.
func (t *table) home(hash uint64) int {
	at, _ := bits.Mul64(hash, uint64(len(t.slots)))
	return int(at)
}

func (t *table) behind(at int) int {
	if at++; at < len(t.slots) {
		return at
	}
	return 0
}

// put adds the record or replaces the one with this SID.
func (t *table) put(sid lanyard.SID, stored string) {
	hash := hashOf(&sid)
	at, ok := t.find(&sid, hash)
	if ok {
		t.slots[at].stored = stored
		return
	}
	if n := len(t.sids) + 1; n > len(t.slots)*5/6 {
		t.resize(n)
		at, _ = t.find(&sid, hash)
	}
	t.slots[at] = row{stored, hash}
	t.sids = slices.Insert(t.sids, t.position(sid), sid)
}

// resize makes room for n rows and some more.
func (t *table) resize(n int) {
	old := t.slots
	t.slots = make([]row, n*3/2+4)
	for _, r := range old {
		if r.stored != "" {
			at := t.home(r.hash)
			for t.slots[at].stored != "" {
				at = t.behind(at)
			}
			t.slots[at] = r
		}
	}
}

// position returns how many SIDs are before this one.
func (t *table) position(sid lanyard.SID) int {
	if n := len(t.sids); n == 0 || compareSID(t.sids[n-1], sid) < 0 {
		return n
	}
	at, _ := slices.BinarySearchFunc(t.sids, sid, compareSID)
	return at
}

// remove takes out the given rows, all of which there are, in one pass over the
// SIDs, so that the rest moves once.
func (t *table) remove(gone []lanyard.SID) {
	for i := range gone {
		if at, ok := t.find(&gone[i], hashOf(&gone[i])); ok {
			t.free(at)
		}
	}
	slices.SortFunc(gone, compareSID)
	kept := t.sids[:0]
	for _, sid := range t.sids {
		for len(gone) > 0 && compareSID(gone[0], sid) < 0 {
			gone = gone[1:]
		}
		if len(gone) == 0 || gone[0] != sid {
			kept = append(kept, sid)
		}
	}
	t.sids = kept
	if len(t.slots) > 4*len(kept)+64 { // give back what a busy hour took
		t.sids = slices.Clone(kept)
		t.resize(len(kept))
	}
}

// free empties a slot and closes the gap: the rows behind move up unless they
// would then be before their homes.
func (t *table) free(gap int) {
	for at := t.behind(gap); t.slots[at].stored != ""; at = t.behind(at) {
		if t.distance(t.home(t.slots[at].hash), at) >= t.distance(gap, at) {
			t.slots[gap] = t.slots[at]
			gap = at
		}
	}
	t.slots[gap] = row{}
}

// distance is how far slot b is behind slot a.
func (t *table) distance(a, b int) int {
	if b < a {
		b += len(t.slots)
	}
	return b - a
}

func beUint64(s string) (n uint64) {
	for i := range 8 {
		n = n<<8 | uint64(s[i])
	}
	return n
}
