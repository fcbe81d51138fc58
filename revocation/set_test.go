package revocation

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestEntryKillsWhatItNamesAndNothingElse(t *testing.T) {
	ours := Badge{SID: sidA, Generation: 3, Subject: "ann", SubjectEpoch: 5, GlobalEpoch: 7, Key: "k1"}
	program := Badge{GlobalEpoch: 7, Key: "k1"}
	for _, c := range []struct {
		name  string
		entry Entry
		badge Badge
		dead  bool
	}{
		{"its session", Entry{Kind: KindSession, SID: sidA}, ours, true},
		{"another session", Entry{Kind: KindSession, SID: sidB}, ours, false},
		{"no session at all", Entry{Kind: KindSession}, program, false},
		{"a session, and it is a program's", Entry{Kind: KindSession, SID: sidA}, program, false},
		{"a later generation", Entry{Kind: KindGeneration, SID: sidA, Generation: 4}, ours, true},
		{"its own generation", Entry{Kind: KindGeneration, SID: sidA, Generation: 3}, ours, false},
		{"a later generation of another session", Entry{Kind: KindGeneration, SID: sidB, Generation: 4}, ours, false},
		{"generation 0", Entry{Kind: KindGeneration, SID: sidA}, ours, false},
		{"a later epoch of its subject", Entry{Kind: KindSubject, Subject: "ann", Epoch: 6}, ours, true},
		{"its own epoch", Entry{Kind: KindSubject, Subject: "ann", Epoch: 5}, ours, false},
		{"a later epoch of another subject", Entry{Kind: KindSubject, Subject: "bob", Epoch: 6}, ours, false},
		{"a subject, and it has none", Entry{Kind: KindSubject, Subject: "ann", Epoch: 6}, program, false},
		{"a subject, and it has no session", Entry{Kind: KindSubject, Subject: "ann", Epoch: 6}, Badge{Subject: "ann", SubjectEpoch: 5}, true},
		{"a later global epoch", Entry{Kind: KindAll, Epoch: 8}, ours, true},
		{"a later global epoch, and it is a program's", Entry{Kind: KindAll, Epoch: 8}, program, true},
		{"its own global epoch", Entry{Kind: KindAll, Epoch: 7}, ours, false},
		{"its key", Entry{Kind: KindKey, Key: "k1"}, ours, true},
		{"its key, and it is a program's", Entry{Kind: KindKey, Key: "k1"}, program, true},
		{"another key", Entry{Kind: KindKey, Key: "k2"}, ours, false},
		{"a key, and it is a cookie", Entry{Kind: KindKey, Key: "k1"}, Badge{SID: sidA}, false},
		{"a subject called like the key", Entry{Kind: KindSubject, Subject: "k1", Epoch: 9}, ours, false},
	} {
		s := NewSet()
		c.entry.Keep = time.Minute
		s.Apply(0, c.entry)
		kind, dead := s.Dead(&c.badge)
		if dead != c.dead || dead && kind != c.entry.Kind {
			t.Errorf("%s: %v %v, want %v", c.name, kind, dead, c.dead)
		}
	}
}

func TestStrongerEntryWins(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []Entry
		badge   Badge
		kind    Kind
	}{
		{"a session over its generation", []Entry{{Kind: KindSession, SID: sidA}, {Kind: KindGeneration, SID: sidA, Generation: 2}}, Badge{SID: sidA, Generation: 2}, KindSession},
		{"a generation under its session", []Entry{{Kind: KindGeneration, SID: sidA, Generation: 2}, {Kind: KindSession, SID: sidA}}, Badge{SID: sidA, Generation: 2}, KindSession},
		{"the higher generation", []Entry{{Kind: KindGeneration, SID: sidA, Generation: 5}, {Kind: KindGeneration, SID: sidA, Generation: 2}}, Badge{SID: sidA, Generation: 4}, KindGeneration},
		{"the higher epoch", []Entry{{Kind: KindSubject, Subject: "ann", Epoch: 5}, {Kind: KindSubject, Subject: "ann", Epoch: 2}}, Badge{Subject: "ann", SubjectEpoch: 4}, KindSubject},
		{"the higher global epoch", []Entry{{Kind: KindAll, Epoch: 5}, {Kind: KindAll, Epoch: 2}}, Badge{GlobalEpoch: 4}, KindAll},
	} {
		for i := range c.entries {
			c.entries[i].Keep = time.Minute
		}
		s := NewSet()
		s.Apply(0, c.entries...)
		if kind, dead := s.Dead(&c.badge); !dead || kind != c.kind {
			t.Errorf("%s: %v %v", c.name, kind, dead)
		}
		if want := 1; c.kind != KindAll && s.Len() != want {
			t.Errorf("%s: %d entries", c.name, s.Len())
		}
	}
}

func TestEntryIsKeptForItsTimeAndDroppedThen(t *testing.T) {
	const sec = time.Second
	badges := map[Kind]Badge{
		KindSession:    {SID: sidA, Generation: 9},
		KindGeneration: {SID: sidB, Generation: 1},
		KindSubject:    {Subject: "ann"},
		KindKey:        {Key: "k"},
	}
	entries := map[Kind]Entry{
		KindSession:    {Kind: KindSession, SID: sidA},
		KindGeneration: {Kind: KindGeneration, SID: sidB, Generation: 2},
		KindSubject:    {Kind: KindSubject, Subject: "ann", Epoch: 1},
		KindKey:        {Kind: KindKey, Key: "k"},
	}
	for kind, e := range entries {
		b := badges[kind]
		s := NewSet()
		dead := func() bool { k, dead := s.Dead(&b); return dead && k == kind }
		e.Keep = 10 * sec
		s.Apply(5*sec+1, e) // until 15 s and a nanosecond
		if s.Sweep(15 * sec); !dead() || s.Len() != 1 {
			t.Errorf("%v: dropped before its time", kind)
		}
		if s.Sweep(16 * sec); dead() || s.Len() != 0 {
			t.Errorf("%v: still there after its time", kind)
		}
		// Again, now in a slot that was used.
		s.Apply(20*sec, e)
		e.Keep = 40 * sec
		s.Apply(20*sec, e)
		e.Keep = sec
		s.Apply(21*sec, e)
		if s.Sweep(59 * sec); !dead() || s.Len() != 1 {
			t.Errorf("%v: the shorter time won", kind)
		}
		if s.Sweep(60 * sec); dead() || s.Len() != 0 {
			t.Errorf("%v: still there after the longer time", kind)
		}
	}
	s := NewSet()
	s.Apply(0, Entry{Kind: KindAll, Epoch: 2})
	if s.Sweep(MaxKeep); s.Len() != 0 {
		t.Error("the global epoch counts as an entry")
	}
	if _, dead := s.Dead(&Badge{GlobalEpoch: 1}); !dead {
		t.Error("the global epoch was dropped")
	}
}

// Everything that a dropped entry stood for lives: an entry that comes back with
// less kills less.
func TestDroppedEntryIsForgottenWhole(t *testing.T) {
	s := NewSet()
	s.Apply(0, Entry{Kind: KindSession, SID: sidA, Keep: time.Second})
	s.Sweep(time.Second)
	s.Apply(time.Second, Entry{Kind: KindGeneration, SID: sidA, Generation: 3, Keep: time.Minute})
	if _, dead := s.Dead(&Badge{SID: sidA, Generation: 3}); dead {
		t.Error("the dropped entry still kills")
	}
	if _, dead := s.Dead(&Badge{SID: sidA, Generation: 2}); !dead {
		t.Error("the new entry does not kill")
	}
}

// Against a map, through growth, sweeps and shrinking.
func TestSetAgreesWithAMap(t *testing.T) {
	s, want := NewSet(), map[SID]time.Duration{} // when each goes
	var now time.Duration
	next := 0
	check := func() {
		t.Helper()
		if s.Len() != len(want) {
			t.Fatalf("at %v: %d entries, want %d", now, s.Len(), len(want))
		}
		for i := range next {
			sid := numbered(i)
			_, in := want[sid]
			if _, dead := s.Dead(&Badge{SID: sid}); dead != in {
				t.Fatalf("at %v: session %d is dead: %v, want %v", now, i, dead, in)
			}
		}
	}
	for _, add := range []int{1, 1000, 3000, 6000, 3, 0, 50, 0, 0, 1000, 0} {
		for range add {
			keep := time.Duration(1+next%4) * time.Second
			s.Apply(now, Entry{Kind: KindSession, SID: numbered(next), Keep: keep})
			want[numbered(next)] = now + keep
			next++
		}
		check()
		now += time.Second
		s.Sweep(now)
		for sid, until := range want {
			if until <= now {
				delete(want, sid)
			}
		}
		check()
	}
	s.Sweep(now + time.Minute)
	for i := range s.sessions {
		if s.sessions[i].Load() != nil {
			t.Fatal("an empty set still has tables")
		}
	}
}

// numbered returns a SID as they are made: times that go up, and the rest as good
// as random.
func numbered(i int) (sid SID) {
	binary.BigEndian.PutUint64(sid[:8], uint64(1_790_000_000_000+i/10)<<16)
	binary.BigEndian.PutUint64(sid[8:], uint64(i+1)*0x9e3779b97f4a7c15)
	return sid
}

func TestManySubjectsAndKeys(t *testing.T) {
	s := NewSet()
	const many = 1000
	for i := range many {
		s.Apply(0,
			Entry{Kind: KindSubject, Subject: fmt.Sprint("user ", i), Epoch: uint64(i + 1), Keep: time.Duration(1+i%2) * time.Minute},
			Entry{Kind: KindKey, Key: fmt.Sprint("key ", i), Keep: time.Duration(1+i%2) * time.Minute})
	}
	count := func() (subjects, keys int) {
		for i := range many {
			if _, dead := s.Dead(&Badge{Subject: fmt.Sprint("user ", i), SubjectEpoch: uint64(i)}); dead {
				subjects++
			}
			if _, dead := s.Dead(&Badge{Subject: fmt.Sprint("user ", i), SubjectEpoch: uint64(i + 1), Key: fmt.Sprint("key ", i)}); dead {
				keys++
			}
		}
		return subjects, keys
	}
	if subjects, keys := count(); subjects != many || keys != many || s.Len() != 2*many {
		t.Errorf("%d subjects and %d keys are dead, %d entries", subjects, keys, s.Len())
	}
	s.Sweep(time.Minute)
	if subjects, keys := count(); subjects != many/2 || keys != many/2 || s.Len() != many {
		t.Errorf("after a sweep %d subjects and %d keys are dead, %d entries", subjects, keys, s.Len())
	}
	s.Sweep(time.Hour)
	if subjects, keys := count(); subjects != 0 || keys != 0 || s.Len() != 0 || s.subjects.Load() != nil || s.keys.Load() != nil {
		t.Errorf("at last %d subjects and %d keys are dead, %d entries", subjects, keys, s.Len())
	}
}

// Readers hammer a set that grows, is swept and shrinks. Whatever was applied
// before a Dead began is dead, and a session that was never revoked never is.
func TestNoReaderMissesWhatWasApplied(t *testing.T) {
	s := NewSet()
	const n = 12_000
	var applied, swept atomic.Int64 // sessions below applied are in, below swept may have gone
	var stop atomic.Bool
	var readers sync.WaitGroup
	for r := range 3 {
		readers.Go(func() {
			for i := r; !stop.Load(); i += 7919 {
				if top := applied.Load(); top > 0 {
					at := int64(i) % top
					_, dead := s.Dead(&Badge{SID: numbered(int(at)), Generation: 1})
					if !dead && at >= swept.Load() {
						t.Errorf("session %d of %d was missed", at, top)
						return
					}
				}
				if _, dead := s.Dead(&Badge{SID: numbered(n + i%n), Generation: 1}); dead {
					t.Errorf("session %d is dead", n+i%n)
					return
				}
				if _, dead := s.Dead(&Badge{Subject: "nobody", Key: "none"}); dead {
					t.Error("nobody is dead")
					return
				}
				if i%64 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	var writers sync.WaitGroup
	writers.Go(func() { // a second writer, on other entries
		for i := range 200 {
			s.Apply(0, Entry{Kind: KindSubject, Subject: fmt.Sprint(i), Epoch: 1, Keep: time.Hour}, Entry{Kind: KindKey, Key: fmt.Sprint(i), Keep: time.Second})
			s.Sweep(0)
		}
	})
	for i := range n {
		now := time.Duration(i/1000) * time.Second
		kind := KindSession
		if i%2 == 0 {
			kind = KindGeneration
		}
		s.Apply(now, Entry{Kind: kind, SID: numbered(i), Generation: 2, Keep: 10 * time.Second})
		applied.Store(int64(i + 1))
		if i%1000 == 999 && i > 9999 {
			swept.Store(int64(i/1000-9) * 1000)
			s.Sweep(now)
		}
	}
	swept.Store(n)
	s.Sweep(time.Hour - 1)
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	if s.Sweep(time.Hour); s.Len() != 0 {
		t.Errorf("%d entries at the end", s.Len())
	}
}

func TestDeadAllocatesNothing(t *testing.T) {
	s := NewSet()
	s.Apply(0, everyKind()...)
	b := Badge{SID: sidB, Generation: 9, Subject: "a subject longer than any small buffer would be", GlobalEpoch: 9, Key: "another key"}
	if n := testing.AllocsPerRun(100, func() {
		if _, dead := s.Dead(&b); dead {
			t.Fatal("dead")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
