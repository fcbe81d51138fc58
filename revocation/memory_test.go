package revocation

import (
	"crypto/rand"
	"os"
	"runtime"
	"testing"
	"time"
)

// heapAfter returns the bytes in use after a collection.
func heapAfter() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A verifier keeps live entries in 40 bytes each, at whatever number between one
// size of its tables and the next, and gives the memory back. LANYARD_SOAK=1 does
// it with a million.
func TestEntryTakesFortyBytesAtMost(t *testing.T) {
	most := 200_000
	if os.Getenv("LANYARD_SOAK") == "1" {
		most = 1_000_000
	}
	before := heapAfter()
	s := NewSet()
	var worst float64
	for i := range most {
		s.Apply(0, Entry{Kind: KindSession, SID: numbered(i), Keep: time.Minute})
		if n := i + 1; n > most*3/4 && n%(most/40) == 0 {
			each := float64(heapAfter()-before) / float64(n)
			worst = max(worst, each)
			if n == most {
				t.Logf("%.1f bytes an entry at %d", each, n)
			}
		}
	}
	t.Logf("%.1f bytes an entry at worst", worst)
	if worst > 40 {
		t.Errorf("%.1f bytes an entry", worst)
	}
	s.Sweep(2 * time.Minute)
	if left := int64(heapAfter()) - int64(before); s.Len() != 0 || left > 64<<10 {
		t.Errorf("%d entries in %d bytes are left", s.Len(), left)
	}
	runtime.KeepAlive(s)
}

// randomSIDs returns SIDs with nothing in common.
func randomSIDs(n int) []SID {
	sids := make([]SID, n)
	for i := range sids {
		rand.Read(sids[i][:])
	}
	return sids
}
