package sqlite_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// Records push each other out of the cache and are read in again while they
// change. What was answered to a writer is never missing from a later Get.
func TestGetIsNeverBehindAnAnswer(t *testing.T) {
	rounds := 50
	if soak() {
		rounds = 10_000
	}
	for _, cfg := range []sqlite.Config{
		{},
		{Exclusive: true},
		{Exclusive: true, CacheSize: 64 << 10}, // two records of this size a shard
	} {
		t.Run(fmt.Sprintf("exclusive %t, cache %d", cfg.Exclusive, cfg.CacheSize), func(t *testing.T) {
			s := open(t, cfg)
			var answered [4]atomic.Uint64
			var sids [4]lanyard.SID
			for i := range sids {
				r := record("alice")
				r.SID[15] = byte(i) << 6 // one shard
				if _, err := s.Create(t.Context(), r, lanyard.Limit{}); err != nil {
					t.Fatal(err)
				}
				sids[i] = r.SID
				answered[i].Store(r.Version)
			}
			var done atomic.Bool
			var writers, readers sync.WaitGroup
			for i := range sids {
				writers.Go(func() {
					r, err := s.Get(t.Context(), sids[i])
					if err != nil {
						t.Error(err)
						return
					}
					for range rounds {
						r.LastActive++
						if err := s.Update(t.Context(), r); err != nil {
							t.Error(err)
							return
						}
						answered[i].Store(r.Version)
					}
				})
			}
			for range 4 {
				readers.Go(func() {
					for i := 0; !done.Load(); i = (i + 1) % len(sids) {
						least := answered[i].Load()
						r, err := s.Get(t.Context(), sids[i])
						if err != nil {
							t.Error(err)
							return
						}
						if r.Version < least {
							t.Errorf("version %d after %d was answered", r.Version, least)
							return
						}
					}
				})
			}
			writers.Wait()
			done.Store(true)
			readers.Wait()
		})
	}
}
