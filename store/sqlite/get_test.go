package sqlite_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// Records are pushed out of the cache and read in again while they change. What
// was answered to a writer is never missing from a later Get.
func TestGetIsNeverBehindAnAnswer(t *testing.T) {
	for _, cfg := range []sqlite.Config{
		{},
		{Exclusive: true},
		{Exclusive: true, CacheSize: 64 << 10}, // one record a shard
		{Exclusive: true, CacheSize: 1},        // none at all
	} {
		t.Run(fmt.Sprintf("exclusive %t, cache %d", cfg.Exclusive, cfg.CacheSize), func(t *testing.T) {
			s := open(t, cfg)
			const records = 128 // two a shard
			var answered [records]atomic.Uint64
			var sids [records]lanyard.SID
			for i := range sids {
				r := record("alice")
				r.SID[15] = byte(i)
				if _, err := s.Create(t.Context(), r, lanyard.Limit{}); err != nil {
					t.Fatal(err)
				}
				sids[i] = r.SID
				answered[i].Store(1)
			}
			var done atomic.Bool
			var writers, readers sync.WaitGroup
			for w := range 8 {
				writers.Go(func() {
					for n := range 160 {
						i := (n*8 + w) % records
						r, err := s.Get(t.Context(), sids[i])
						if err == nil {
							r.LastActive++
							err = s.Update(t.Context(), r)
						}
						if err != nil {
							t.Error(err)
							return
						}
						answered[i].Store(r.Version)
					}
				})
			}
			for range 4 {
				readers.Go(func() {
					for i := 0; !done.Load(); i = (i + 1) % records {
						least := answered[i].Load()
						r, err := s.Get(t.Context(), sids[i])
						if err != nil || r.Version < least {
							t.Errorf("version %d, %v, after %d was answered", r.Version, err, least)
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
