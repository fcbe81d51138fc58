package revocation

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// BenchmarkDead asks about sessions in random order: those revoked, and others.
func BenchmarkDead(b *testing.B) {
	for _, n := range []int{0, 10_000, 1_000_000} {
		s, in, out := NewSet(), randomSIDs(max(n, 1)), randomSIDs(1<<16)
		if n > 0 {
			for _, sid := range in {
				s.Apply(0, Entry{Kind: KindSession, SID: sid, Keep: time.Hour})
			}
		}
		for _, c := range []struct {
			name string
			sids []SID
			dead bool
		}{{"hit", in, true}, {"miss", out, false}} {
			if c.dead && n == 0 {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				badge := Badge{Subject: "0123456789", Key: "2026-11"}
				b.ReportAllocs()
				at := 0
				for b.Loop() {
					badge.SID = c.sids[at]
					if at++; at == len(c.sids) {
						at = 0
					}
					if _, dead := s.Dead(&badge); dead != c.dead {
						b.Fatal("wrong")
					}
				}
			})
		}
	}
}

// BenchmarkDeadNames has a few subjects and keys to look at as well.
func BenchmarkDeadNames(b *testing.B) {
	s := NewSet()
	for i := range 100 {
		s.Apply(0, Entry{Kind: KindSubject, Subject: fmt.Sprint(i), Epoch: 1, Keep: time.Hour}, Entry{Kind: KindKey, Key: fmt.Sprint(i), Keep: time.Hour})
	}
	badge := Badge{SID: sidA, Subject: "0123456789", Key: "2026-11"}
	for b.Loop() {
		if _, dead := s.Dead(&badge); dead {
			b.Fatal("wrong")
		}
	}
}

// BenchmarkApply fills sets of a million entries, one by one.
func BenchmarkApply(b *testing.B) {
	sids := randomSIDs(1_000_000)
	var s *Set
	at := len(sids)
	for b.Loop() {
		if at == len(sids) {
			s, at = NewSet(), 0
		}
		s.Apply(0, Entry{Kind: KindSession, SID: sids[at], Keep: time.Hour})
		at++
	}
}

// BenchmarkSweep goes through a million entries of which none is to go, but one in
// each table is about to.
func BenchmarkSweep(b *testing.B) {
	s := NewSet()
	for i, sid := range randomSIDs(1_000_000) {
		s.Apply(0, Entry{Kind: KindSession, SID: sid, Keep: time.Hour + time.Duration(i)*time.Millisecond})
	}
	now := time.Hour
	for b.Loop() {
		now += time.Microsecond
		for i := range s.sessions {
			s.sessions[i].Load().soonest = 0
		}
		s.Sweep(now)
	}
}

// BenchmarkSnapshot writes a million entries, reads them and fills a set.
func BenchmarkSnapshot(b *testing.B) {
	s := NewSet()
	for _, sid := range randomSIDs(1_000_000) {
		s.Apply(0, Entry{Kind: KindSession, SID: sid, Keep: time.Hour})
	}
	head := SnapshotHead{Issuer: "https://app.example", Instance: "i", Cursor: "c"}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if err := s.WriteSnapshot(io.Discard, 0, head); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			r, w := io.Pipe()
			go func() { w.CloseWithError(s.WriteSnapshot(w, 0, head)) }()
			snap, err := ReadSnapshot(r, 0)
			if err != nil {
				b.Fatal(err)
			}
			into := NewSet()
			for e := range snap.All() {
				into.Apply(0, e)
			}
			if into.Len() != 1_000_000 {
				b.Fatal(into.Len())
			}
		}
	})
}

// BenchmarkEvent makes the frame of one revocation, and reads it.
func BenchmarkEvent(b *testing.B) {
	e := Event{Name: EventRevoked, Cursor: "c", Entries: everyKind()[:1]}
	b.Run("frame", func(b *testing.B) {
		for b.Loop() {
			if _, err := e.Frame(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		r, w := io.Pipe()
		go func() {
			h := helloEvent()
			hello, _ := h.Frame()
			w.Write(hello.Append(nil, 0))
			f, _ := e.Frame()
			var out []byte
			for n := uint64(1); ; n++ {
				if out = f.Append(out, n); len(out) > 32<<10 {
					if _, err := w.Write(out); err != nil {
						return
					}
					out = out[:0]
				}
			}
		}()
		in := NewReader(r, 0)
		for b.Loop() {
			if _, err := in.Next(); err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	})
}
