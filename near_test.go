package lanyard

import (
	"context"
	"crypto/rand"
	"runtime"
	"sync"
	"testing"
)

func nearRecord(t *testing.T, subject string) *Record {
	t.Helper()
	sid, err := newSID(rand.Reader, 1, subject)
	if err != nil {
		t.Fatal(err)
	}
	return &Record{SID: sid, Version: 1, Subject: subject, State: StateLive, ExpiresAt: 10, IdleExpiresAt: 10, Data: []byte("{}")}
}

// What a reader brings from the store after an entry was applied may be from
// before that entry.
func TestWhatWasReadBeforeAnEntryIsNotKept(t *testing.T) {
	for name, entry := range map[string]func(*Record) Entry{
		"its session":    func(r *Record) Entry { return Entry{Kind: EntrySession, SID: r.SID} },
		"its generation": func(r *Record) Entry { return Entry{Kind: EntryGeneration, SID: r.SID, Generation: 2} },
		"its subject":    func(r *Record) Entry { return Entry{Kind: EntrySubject, Subject: r.Subject, Epoch: 2} },
		"everything":     func(r *Record) Entry { return Entry{Kind: EntryAll, Epoch: 2} },
	} {
		n := newNear(1000)
		r := nearRecord(t, "ada")
		said := n.said(r.SID)
		e := entry(r)
		n.apply(&e)
		n.keep(r, said)
		if n.get(r.SID) != nil {
			t.Errorf("%s: kept", name)
		}
		n.keep(r, n.said(r.SID))
		if kept := n.get(r.SID); kept == nil || kept.Data != nil {
			t.Errorf("%s: read afterwards it is %+v", name, kept)
		}
		n.apply(&e)
		if n.get(r.SID) != nil {
			t.Errorf("%s: still there", name)
		}
	}
}

func TestTheNearCacheKeepsTheNewestAndNoDeadOnes(t *testing.T) {
	n := newNear(1000)
	r := nearRecord(t, "ada")
	newer := r.Clone()
	newer.Version = 2
	n.keep(newer, n.said(r.SID))
	n.keep(r, n.said(r.SID))
	if got := n.get(r.SID); got.Version != 2 {
		t.Errorf("version %d replaced a newer one", got.Version)
	}
	dead := newer.Clone()
	dead.Version, dead.EndReason = 3, ReasonLogout
	n.keep(dead, n.said(r.SID))
	if n.get(r.SID) != nil {
		t.Error("an ended record, or one from before, is kept")
	}
}

func TestAFloodOfSessionsDoesNotGrowTheNearCache(t *testing.T) {
	n := newNear(1000)
	for range 20_000 {
		r := nearRecord(t, "")
		n.keep(r, n.said(r.SID))
	}
	total := 0
	for i := range n.shelves {
		total += len(n.shelves[i].records)
	}
	if total > 1000 || total < 500 {
		t.Errorf("%d records are kept, at most 1000 may be", total)
	}
}

// changing is a store whose one record may be ended at any moment.
type changing struct {
	Store
	mu  sync.Mutex
	rec *Record
}

func (s *changing) Get(context.Context, SID) (*Record, error) {
	s.mu.Lock()
	rec := s.rec.Clone()
	s.mu.Unlock()
	runtime.Gosched() // the answer is on its way
	return rec, nil
}

// Readers fill the cache while the record ends and the entry is applied. Once it
// has been, no reader may find it live.
func TestNoReaderPutsADeadRecordBackIntoTheNearCache(t *testing.T) {
	for range 2000 {
		rec := nearRecord(t, "ada")
		n := newNear(1000)
		far := &changing{rec: rec}
		s := &nearStore{Store: far, near: n}
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for range 5 {
					s.Get(t.Context(), rec.SID)
				}
			})
		}
		far.mu.Lock()
		far.rec = rec.Clone()
		far.rec.EndReason = ReasonLogout
		far.mu.Unlock()
		n.apply(&Entry{Kind: EntrySession, SID: rec.SID})
		if n.get(rec.SID) != nil {
			t.Fatal("live just after the entry was applied")
		}
		readers.Wait()
		if n.get(rec.SID) != nil {
			t.Fatal("a reader put it back")
		}
	}
}
