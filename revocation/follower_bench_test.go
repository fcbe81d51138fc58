package revocation

import (
	"testing"
	"time"
)

// freshFollower is one with a lease and n entries.
func freshFollower(tb testing.TB, n int) *Follower {
	f, err := NewFollower(FollowerConfig{Endpoints: []string{"https://a.example"}, Issuer: feedIssuer})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		f.set.Apply(0, Entry{Kind: KindSession, SID: SID{1, 9, byte(i), byte(i >> 8), byte(i >> 16)}, Keep: time.Hour})
	}
	f.fresh.extend(f.fresh.ask(), time.Hour)
	return f
}

func TestCheckAllocatesNothing(t *testing.T) {
	f := freshFollower(t, 100)
	alive, dead := badge(1), &Badge{SID: SID{1, 9, 7}}
	blind := freshFollower(t, 0)
	blind.fresh.drop()
	if f.Check(alive) != nil || f.Check(dead) == nil || blind.Check(alive) == nil {
		t.Fatal("wrong answers")
	}
	if n := testing.AllocsPerRun(1000, func() { f.Check(alive); f.Check(dead); blind.Check(alive) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFollowerCheck(b *testing.B) {
	f := freshFollower(b, 10_000)
	badge := badge(1)
	b.Run("10000 entries", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if f.Check(badge) != nil {
				b.Fatal("refused")
			}
		}
	})
	b.Run("10000 entries, parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if f.Check(badge) != nil {
					b.Fatal("refused")
				}
			}
		})
	})
	b.Run("freshness alone", func(b *testing.B) {
		for b.Loop() {
			f.fresh.state()
		}
	})
	b.Run("clock alone", func(b *testing.B) {
		for b.Loop() {
			f.cfg.Now()
		}
	})
}
