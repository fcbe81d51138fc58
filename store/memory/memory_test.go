package memory_test

import (
	"errors"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/store/storetest"
)

func open(*testing.T) lanyard.Store { return memory.New() }

// req: STORE-3, STORE-4
func TestContract(t *testing.T) { storetest.Run(t, open) }

// req: STORE-3, STORE-11, LIFE-13, LIFE-20
func TestContention(t *testing.T) { storetest.Contend(t, open, 10_000) }

func TestCursorOfAnotherProcessIsRefused(t *testing.T) {
	before, after := memory.New(), memory.New()
	key := lanyard.End{Key: "k1", Until: created}
	old, err := before.Revoke(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	// The new feed is longer by now, so the place alone would pass.
	for range 3 {
		if _, err := after.Revoke(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := after.Revocations(ctx, old.Cursor, 10); !errors.Is(err, lanyard.ErrBadCursor) {
		t.Errorf("error %v, want %v", err, lanyard.ErrBadCursor)
	}
}

func TestWhatPlacesARecordCannotBeWrong(t *testing.T) {
	elsewhere := func(sid lanyard.SID) lanyard.SID {
		sid[7] ^= 1 << 6 // the lowest bit of the shard tag
		return sid
	}
	for _, c := range []struct {
		name  string
		wrong func(*lanyard.Record)
	}{
		{"no sid", func(r *lanyard.Record) { r.SID = lanyard.SID{} }},
		{"a sid of another partition than the subject's", func(r *lanyard.Record) { r.SID = elsewhere(r.SID) }},
		{"an origin of another partition", func(r *lanyard.Record) { r.Origin = elsewhere(r.SID) }},
		{"ended at its creation", func(r *lanyard.Record) { r.EndReason = lanyard.ReasonLogout }},
		{"larger than a record may be", func(r *lanyard.Record) { r.Data = make([]byte, lanyard.MaxRecordSize) }},
	} {
		t.Run("Create refuses "+c.name, func(t *testing.T) {
			s, r := memory.New(), session(1)
			c.wrong(r)
			if _, err := s.Create(ctx, r, lanyard.Limit{}); err == nil {
				t.Error("created")
			}
			if n, err := s.Count(ctx, created); n != 0 || err != nil {
				t.Errorf("%d records, error %v", n, err)
			}
		})
	}
	for _, c := range []struct {
		name  string
		wrong func(*lanyard.Record)
	}{
		{"another subject", func(r *lanyard.Record) { r.Subject = "mallory" }},
		{"another origin", func(r *lanyard.Record) { r.Origin = r.SID }},
		{"a later subject epoch", func(r *lanyard.Record) { r.SubjectEpoch++ }},
		{"a later global epoch", func(r *lanyard.Record) { r.GlobalEpoch++ }},
	} {
		t.Run("Update refuses "+c.name, func(t *testing.T) {
			s, r := memory.New(), session(1)
			if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
				t.Fatal(err)
			}
			c.wrong(r)
			if err := s.Update(ctx, r); err == nil {
				t.Error("updated")
			}
			if got, err := s.Get(ctx, r.SID); err != nil || got.Version != 1 || got.Subject != session(1).Subject {
				t.Errorf("stored: %+v, error %v", got, err)
			}
		})
	}
}

func TestOriginReachesThroughARecordThatWasForgotten(t *testing.T) {
	s := memory.New()
	origin, phone, watch := session(1), session(1), session(1)
	phone.Origin, phone.IdleExpiresAt = origin.SID, created
	watch.Origin = phone.SID
	for _, r := range []*lanyard.Record{origin, phone, watch} {
		if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // ends the phone's session, then forgets it
		if _, err := s.Prune(ctx, lanyard.Prune{Now: created, Forget: created, Limit: 10}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get(ctx, phone.SID); !errors.Is(err, lanyard.ErrNotFound) {
		t.Fatalf("the one in between: error %v, want %v", err, lanyard.ErrNotFound)
	}
	if _, err := s.Revoke(ctx, lanyard.End{SID: origin.SID, Reason: lanyard.ReasonLogout, Now: created}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, watch.SID); err != nil || got.EndReason != lanyard.ReasonLinked {
		t.Errorf("the last in the chain: %q, error %v", got.EndReason, err)
	}
}

func TestOptionalAbilities(t *testing.T) {
	s := memory.New()
	if !s.Volatile() {
		t.Error("memory says it lasts")
	}
	if err := s.Ping(ctx); err != nil {
		t.Error(err)
	}
	sids := fill(t, s, 100)
	for i, want := range []int{100, 99, 98} {
		if n, err := s.Count(ctx, created); n != want || err != nil {
			t.Errorf("Count returned %d and %v, want %d", n, err, want)
		}
		if _, err := s.Revoke(ctx, lanyard.End{SID: sids[i], Reason: lanyard.ReasonLogout, Now: created}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Revoke(ctx, lanyard.End{All: true, AtLeast: 7, Reason: lanyard.ReasonAdmin}); err != nil {
		t.Fatal(err)
	}
	if epoch, err := s.GlobalEpoch(ctx); epoch != 7 || err != nil {
		t.Errorf("GlobalEpoch returned %d and %v, want 7", epoch, err)
	}
}

// A page of a query that matches next to nothing ends before it is full.
func TestListBoundsTheWorkOfAPage(t *testing.T) {
	s := memory.New()
	sids := fill(t, s, 10_000)
	q := lanyard.Query{Text: sids[0].String()}
	for pages := 1; ; pages++ {
		page, err := s.List(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Records) == 1 && page.Records[0].SID == sids[0] && page.Next == "" {
			if pages != 3 {
				t.Errorf("found on page %d, want 3", pages)
			}
			return
		}
		if len(page.Records) != 0 || page.Next == "" {
			t.Fatalf("page %d: %d records, next %q", pages, len(page.Records), page.Next)
		}
		q.After = page.Next
	}
}

func TestPruneAndOnceRefuseWhatIsOutOfBounds(t *testing.T) {
	s := memory.New()
	if _, err := s.Prune(ctx, lanyard.Prune{Now: created}); err == nil {
		t.Error("Prune took a limit of 0")
	}
	if _, err := s.Once(ctx, string(make([]byte, 65)), created, created+1); err == nil {
		t.Error("Once took a key of 65 bytes")
	}
}
