package memory_test

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

const created lanyard.Time = 1_800_000_000_000

// session returns a live cookie session as a browser gives it: a subject of 12
// characters, a user agent of 110 bytes, an IPv4 address and a label.
func session(n int) *lanyard.Record {
	r := &lanyard.Record{
		State: lanyard.StateLive, Channel: lanyard.ChannelCookie,
		Subject: fmt.Sprintf("user%08d", n), Generation: 1,
		CreatedAt: created + lanyard.Time(n), AuthTime: created + lanyard.Time(n),
		LastActive: created + lanyard.Time(n), IdleExpiresAt: created + lanyard.Time(n) + 1_800_000,
		ExpiresAt: created + lanyard.Time(n) + 43_200_000,
		Methods:   []string{"pwd"},
		Device: lanyard.Device{
			Label:     "Chrome on Linux",
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Test/12",
			IP:        "203.0.113.77",
		},
	}
	rand.Read(r.Handle[:])
	rand.Read(r.SID[8:])
	tag := uint64(lanyard.SubjectPartition(r.Subject))
	binary.BigEndian.PutUint64(r.SID[:8], uint64(r.CreatedAt)<<16|tag<<6)
	return r
}

func fill(tb testing.TB, s *memory.Store, n int) []lanyard.SID {
	tb.Helper()
	sids := make([]lanyard.SID, n)
	for i := range sids {
		r := session(i)
		if _, err := s.Create(ctx, r, lanyard.Limit{Max: 5, Now: r.CreatedAt, Until: r.ExpiresAt}); err != nil {
			tb.Fatal(err)
		}
		sids[i] = r.SID
	}
	return sids
}

// heapPer returns the heap bytes that one of n live sessions takes, indexes and
// their slack included.
func heapPer(tb testing.TB, n int) float64 {
	tb.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := memory.New()
	func() { fill(tb, s, n) }()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(s)
	return float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / float64(n)
}

func TestLiveSessionTakesAtMost500Bytes(t *testing.T) {
	for _, n := range []int{20_000, 60_000, 100_000} {
		if per := heapPer(t, n); per > 500 {
			t.Errorf("%d sessions: %.0f bytes each, want at most 500", n, per)
		} else {
			t.Logf("%d sessions: %.0f bytes each", n, per)
		}
	}
}

func BenchmarkBytesPerSession(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(heapPer(b, 100_000), "B/session")
	}
	r := session(1)
	stored, err := r.AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(stored)), "B/payload")
}

func BenchmarkGet(b *testing.B) {
	s := memory.New()
	sids := fill(b, s, 100_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := s.Get(ctx, sids[i%len(sids)]); err != nil {
			b.Fatal(err)
		}
		i += 7919
	}
}

func BenchmarkGetParallel(b *testing.B) {
	s := memory.New()
	sids := fill(b, s, 100_000)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i += 7919 {
			if _, err := s.Get(ctx, sids[i%len(sids)]); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	s := memory.New()
	sids := fill(b, s, 100_000)
	r, err := s.Get(ctx, sids[0])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.LastActive++
		r.IdleExpiresAt++
		if err := s.Update(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	s := memory.New()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r := session(i)
		if _, err := s.Create(ctx, r, lanyard.Limit{Max: 5, Now: r.CreatedAt}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkListPageOfAll(b *testing.B) {
	s := memory.New()
	fill(b, s, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.List(ctx, lanyard.Query{Limit: 50}); err != nil {
			b.Fatal(err)
		}
	}
}
