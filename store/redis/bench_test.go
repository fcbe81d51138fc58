package redis_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
)

// BenchmarkGet reads a record, and in turn a text of its size with the client
// alone; the ratio of the medians is what the store adds to a round trip.
func BenchmarkGet(b *testing.B) {
	c := connect(b, engines.Redis(b).URL())
	s := newStore(b, c, "lanyard")
	r := start(b, s, session("alice", 1))
	if _, err := c.Do(ctx, []string{"SET", "text", string(make([]byte, 380))}, 1); err != nil {
		b.Fatal(err)
	}
	var bare, full []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		t0 := time.Now()
		if _, err := c.Do(ctx, []string{"GET", "text"}, 1); err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		if _, err := s.Get(ctx, r.SID); err != nil {
			b.Fatal(err)
		}
		bare, full = append(bare, t1.Sub(t0)), append(full, time.Since(t1))
	}
	slices.Sort(bare)
	slices.Sort(full)
	b.ReportMetric(float64(bare[len(bare)/2]), "ns/roundtrip")
	b.ReportMetric(float64(full[len(full)/2]), "ns/get")
	b.ReportMetric(float64(full[len(full)/2])/float64(bare[len(bare)/2]), "ratio")
}

func BenchmarkGetParallel(b *testing.B) {
	s := newStore(b, connect(b, engines.Redis(b).URL()), "lanyard")
	r := start(b, s, session("alice", 1))
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Get(ctx, r.SID); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkCreate(b *testing.B) {
	s := newStore(b, connect(b, engines.Redis(b).URL()), "lanyard")
	n := 0
	for b.Loop() {
		n++
		r := session(subjectOf(n), n)
		if _, err := s.Create(ctx, r, lanyard.Limit{Max: 5, Now: r.CreatedAt, Until: r.ExpiresAt}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := newStore(b, connect(b, engines.Redis(b).URL()), "lanyard")
	r := start(b, s, session("alice", 1))
	for b.Loop() {
		r.LastActive++
		if err := s.Update(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRevoke(b *testing.B) {
	s := newStore(b, connect(b, engines.Redis(b).URL()), "lanyard")
	records := make([]*lanyard.Record, 0, 100_000)
	n := 0
	for b.Loop() {
		if n == len(records) {
			b.StopTimer()
			for range 2000 {
				i := len(records)
				records = append(records, start(b, s, session(subjectOf(i), i)))
			}
			b.StartTimer()
		}
		if _, err := s.Revoke(ctx, logout(records[n].SID)); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkPoll is one reading of a feed in which nothing is new.
func BenchmarkPoll(b *testing.B) {
	s := newStore(b, connect(b, engines.Redis(b).URL()), "lanyard")
	_, cursor, err := s.Revocations(ctx, "", 100)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := s.Revocations(ctx, cursor, 100); err != nil {
			b.Fatal(err)
		}
	}
}
