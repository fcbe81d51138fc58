package sqlite_test

import (
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

var (
	_ lanyard.Store    = (*sqlite.Store)(nil)
	_ lanyard.Pinger   = (*sqlite.Store)(nil)
	_ lanyard.Counter  = (*sqlite.Store)(nil)
	_ lanyard.Epochs   = (*sqlite.Store)(nil)
	_ lanyard.Watcher  = (*sqlite.Store)(nil)
	_ lanyard.Noter    = (*sqlite.Store)(nil)
	_ lanyard.Importer = (*sqlite.Store)(nil)
)

// Go strings hold any bytes; C would stop at the first zero.
//
// req: STORE-5
func TestSubjectsAndKeysAreComparedByEveryByte(t *testing.T) {
	s := open(t, sqlite.Config{})
	subjects := []string{"a", "a\x00", "a\x00b", "a\x00c", "A", "á", "a\u0301", "a ", "a\xff", "a\xfe", "'; DELETE FROM sessions; --"}
	records := make(map[string]*lanyard.Record)
	for _, subject := range subjects {
		records[subject] = create(t, s, subject)
	}
	for _, subject := range subjects {
		done := revoke(t, s, lanyard.End{Subject: subject})
		if len(done.Records) != 1 || done.Records[0].SID != records[subject].SID || done.Epoch != 1 {
			t.Errorf("ending all of %q ended %d records, epoch %d, want its own one, epoch 1", subject, len(done.Records), done.Epoch)
		}
		for _, want := range []bool{true, false} {
			if first, err := s.Once(t.Context(), subject, now, until); err != nil || first != want {
				t.Errorf("key %q: %t, %v, want %t", subject, first, err, want)
			}
		}
	}
	entries, _, err := s.Revocations(t.Context(), "", 100)
	if err != nil || len(entries) != len(subjects) {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, e := range entries {
		if e.Subject != subjects[i] {
			t.Errorf("entry %d is about %q, want %q", i, e.Subject, subjects[i])
		}
	}
}

func TestAnEndReachesRecordsWhoseOwnOriginIsForgotten(t *testing.T) {
	s := open(t, sqlite.Config{})
	laptop := create(t, s, "alice")
	phone, watch := record("alice"), record("alice")
	phone.Origin, watch.Origin = laptop.SID, phone.SID
	for _, r := range []*lanyard.Record{phone, watch} {
		if _, err := s.Create(t.Context(), r, lanyard.Limit{}); err != nil {
			t.Fatal(err)
		}
	}
	revoke(t, s, lanyard.End{SID: phone.SID, KeepLinked: true})
	if _, err := s.Prune(t.Context(), lanyard.Prune{Now: now, Forget: now, Limit: 10}); err != nil {
		t.Fatal(err)
	}
	done := revoke(t, s, lanyard.End{SID: laptop.SID})
	if len(done.Records) != 2 || done.Records[1].SID != watch.SID || done.Records[1].EndReason != lanyard.ReasonLinked {
		t.Errorf("ended %v, want the laptop and the watch", done.Records)
	}
}

func TestARecordIsDetachedByTakingItsOriginAway(t *testing.T) {
	s := open(t, sqlite.Config{})
	laptop := create(t, s, "alice")
	phone := record("alice")
	phone.Origin = laptop.SID
	if _, err := s.Create(t.Context(), phone, lanyard.Limit{}); err != nil {
		t.Fatal(err)
	}
	phone.Origin = lanyard.SID{}
	if err := s.Update(t.Context(), phone); err != nil {
		t.Fatal(err)
	}
	revoke(t, s, lanyard.End{SID: laptop.SID})
	if !get(t, s, phone.SID).Live(now) {
		t.Error("a detached record ended with its former origin")
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPruneFinishesAfterEverythingWasRevoked(t *testing.T) {
	for _, cfg := range configs {
		s := open(t, cfg)
		const many = 30
		for range many {
			create(t, s, "alice")
		}
		revoke(t, s, lanyard.End{All: true})
		spared := create(t, s, "alice")
		ended := 0
		for calls := 1; ; calls++ {
			done, err := s.Prune(t.Context(), lanyard.Prune{Now: now, Limit: 7})
			if err != nil {
				t.Fatal(err)
			}
			ended += len(done.Records)
			if !done.More {
				break
			}
			if calls > many {
				t.Fatal("there is always more")
			}
		}
		if ended != many || !get(t, s, spared.SID).Live(now) {
			t.Errorf("%d records ended, want %d and not the new one", ended, many)
		}
		if n, err := s.Count(t.Context(), now); err != nil || n != 1 {
			t.Errorf("%d records are counted as live, %v, want 1", n, err)
		}
		if epoch, err := s.GlobalEpoch(t.Context()); err != nil || epoch != 1 {
			t.Errorf("the global epoch is %d, %v, want 1", epoch, err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
