package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/lanyard-go/lanyard"
)

// contendRotate has callers rotate one refresh family, each from a copy that
// others may have spent. What the store keeps has to be one unbroken chain.
func contendRotate(b *bed, rounds int) {
	const callers = 6
	each := rounds/10 + 2
	r := b.fullToken()
	r.Refresh.Counter, r.Refresh.Digest, r.Refresh.Predecessor = 0, digestOf(0, 0), lanyard.Digest{}
	b.create(r, lanyard.Limit{})
	var mu sync.Mutex
	spent := make(map[uint32]lanyard.Digest) // by the number that came of it, what was spent
	together(callers, func(i int) {
		mine, err := b.store.Get(b.ctx, r.SID)
		for n := 0; n < each && err == nil; n++ {
			f := mine.Refresh
			before := f.Digest
			f.Counter++
			f.Digest, f.Predecessor = digestOf(f.Counter, i), before
			switch err = b.store.Update(b.ctx, mine); {
			case err == nil:
				mu.Lock()
				if _, twice := spent[f.Counter]; twice {
					b.Errorf("token %d was spent twice", f.Counter-1)
				}
				spent[f.Counter] = before
				mu.Unlock()
			case errors.Is(err, lanyard.ErrConflict):
				mine, err = b.store.Get(b.ctx, r.SID)
			}
		}
		if err != nil {
			b.Errorf("rotating: %v", err)
		}
	})
	got := b.get(r.SID)
	if f := got.Refresh; f == nil || int(f.Counter) != len(spent) || f.Predecessor != spent[f.Counter] {
		b.Errorf("after %d rotations the family is %+v", len(spent), f)
	}
	if got.Version < uint64(1+len(spent)) {
		b.Errorf("version %d after %d rotations", got.Version, len(spent))
	}
}

func digestOf(counter uint32, caller int) lanyard.Digest {
	return sha256.Sum256(binary.BigEndian.AppendUint32([]byte{byte(caller)}, counter))
}
