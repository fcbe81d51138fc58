package memory

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/lanyard-go/lanyard"
)

// subjectKey stands for a subject in indexes. It is half the size of a string
// with its text, and keeps nothing of a request in memory.
type subjectKey [16]byte

func keyOf(subject string) subjectKey {
	sum := sha256.Sum256([]byte(subject))
	return subjectKey(sum[:])
}

// index lists SIDs by a key. Most keys have one, and then no list.
type index[K comparable] struct {
	one  map[K]lanyard.SID
	more map[K][]lanyard.SID
}

func newIndex[K comparable]() index[K] {
	return index[K]{make(map[K]lanyard.SID), make(map[K][]lanyard.SID)}
}

// of returns a copy of the list at key.
func (x index[K]) of(key K) []lanyard.SID {
	if sid, ok := x.one[key]; ok {
		return []lanyard.SID{sid}
	}
	return slices.Clone(x.more[key])
}

func (x index[K]) add(key K, sid lanyard.SID) {
	first, hasOne := x.one[key]
	list, hasMore := x.more[key]
	switch {
	case hasOne:
		delete(x.one, key)
		x.more[key] = []lanyard.SID{first, sid}
	case hasMore:
		x.more[key] = append(list, sid)
	default:
		x.one[key] = sid
	}
}

func (x index[K]) drop(key K, sid lanyard.SID) {
	if first, ok := x.one[key]; ok {
		if first == sid {
			delete(x.one, key)
		}
		return
	}
	list := x.more[key]
	switch i := slices.Index(list, sid); {
	case i < 0:
		return
	case len(list) == 1:
		delete(x.more, key)
	case i == 0: // the usual one to go; the others stay where they are
		x.more[key] = list[1:]
	default:
		x.more[key] = slices.Delete(list, i, i+1)
	}
}

func compareSID(a, b lanyard.SID) int { return bytes.Compare(a[:], b[:]) }
