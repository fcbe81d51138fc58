package memory_test

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// SIDs come out of order when the clocks of nodes differ or a backup is read,
// and many share a first half when they are made within a millisecond.
func TestEverySIDIsFoundInWhateverOrderTheyCame(t *testing.T) {
	orders := map[string]func([]lanyard.SID){
		"ascending":  func([]lanyard.SID) {},
		"descending": slices.Reverse[[]lanyard.SID],
		"shuffled":   shuffle,
	}
	for name, reorder := range orders {
		for _, same := range []int{1, 3, 16, 100, 700} { // SIDs with one first half
			s := memory.New()
			sids := make([]lanyard.SID, 700)
			for i := range sids {
				binary.BigEndian.PutUint64(sids[i][:8], uint64(created+lanyard.Time(i/same))<<16)
				binary.BigEndian.PutUint64(sids[i][8:], uint64(2*i+2))
			}
			ordered := slices.Clone(sids)
			reorder(sids)
			for i, sid := range sids {
				r := session(1)
				r.Subject, r.SID = "", sid
				if i%3 == 0 {
					r.IdleExpiresAt, r.ExpiresAt = created+1, created+1
				}
				if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
					t.Fatal(err)
				}
			}
			lookUp(t, s, name, ordered, nil)
			if _, err := s.Prune(ctx, lanyard.Prune{Now: created + 2, Forget: created + 2, Limit: 700}); err != nil {
				t.Fatal(err)
			}
			gone := make(map[lanyard.SID]bool)
			for i := 0; i < len(sids); i += 3 {
				gone[sids[i]] = true
			}
			lookUp(t, s, name, ordered, gone)
		}
	}
}

// lookUp expects each SID, but not those that are gone, and none beside them.
func lookUp(t *testing.T, s *memory.Store, name string, sids []lanyard.SID, gone map[lanyard.SID]bool) {
	t.Helper()
	for i, sid := range sids {
		r, err := s.Get(ctx, sid)
		switch {
		case gone[sid] && !errors.Is(err, lanyard.ErrNotFound):
			t.Fatalf("%s: SID %d was removed, and Get returns %v", name, i, err)
		case !gone[sid] && (err != nil || r.SID != sid):
			t.Fatalf("%s: SID %d of %d is not found: %v", name, i, len(sids), err)
		}
		sid[15]++
		if _, err := s.Get(ctx, sid); !errors.Is(err, lanyard.ErrNotFound) {
			t.Fatalf("%s: a SID behind %d that nobody stored: %v", name, i, err)
		}
	}
}

// shuffle sorts the SIDs by random keys.
func shuffle(sids []lanyard.SID) {
	keys := make(map[lanyard.SID]string, len(sids))
	for _, sid := range sids {
		keys[sid] = rand.Text()
	}
	slices.SortFunc(sids, func(a, b lanyard.SID) int { return strings.Compare(keys[a], keys[b]) })
}
