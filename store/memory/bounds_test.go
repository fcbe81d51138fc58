package memory

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/lanyard-go/lanyard"
)

var ctx = context.Background()

func record(n int) *lanyard.Record {
	r := &lanyard.Record{
		State: lanyard.StateLive, Channel: lanyard.ChannelCookie, Subject: fmt.Sprint("user", n%500),
		IdleExpiresAt: 1_000_000, ExpiresAt: 2_000_000,
	}
	tag := uint64(lanyard.SubjectPartition(r.Subject))
	binary.BigEndian.PutUint64(r.SID[:8], uint64(n+1)<<16|tag<<6)
	return r
}

// Entries of records that ended long before their deadlines would otherwise
// pile up until those deadlines.
func TestLogoutsBeforeTheDeadlineLeaveNoTrail(t *testing.T) {
	s := New()
	for n := range 20_000 {
		r := record(n)
		if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Revoke(ctx, lanyard.End{SID: r.SID, Reason: lanyard.ReasonLogout, Now: 10, Until: 20}); err != nil {
			t.Fatal(err)
		}
		if n%1000 == 999 {
			if _, err := s.Prune(ctx, lanyard.Prune{Now: 20, Forget: 10, Limit: 100}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range s.parts {
		if n := len(s.parts[i].due); n > 65 {
			t.Errorf("partition %d: %d deadlines of %d records", i, n, s.parts[i].unended)
		}
	}
	wantEmpty(t, s)
}

// A deadline that moves forth and back does not add an entry for each move.
func TestMovingDeadlinesLeavesOneEntry(t *testing.T) {
	s, r := New(), record(1)
	if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
		t.Fatal(err)
	}
	for n := range 10_000 {
		r.IdleExpiresAt = 1_000_000 + lanyard.Time(n%2)*1000
		if err := s.Update(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	p := s.partition(r.SID)
	if len(p.due) > 66 {
		t.Errorf("%d entries for one record", len(p.due))
	}
	done, err := s.Prune(ctx, lanyard.Prune{Now: r.IdleExpiresAt, Limit: 10})
	if err != nil || len(done.Records) != 1 || done.More {
		t.Errorf("%d records ended, more is %v, error %v, want the one", len(done.Records), done.More, err)
	}
}

func TestPruneForgetsEverythingInTheEnd(t *testing.T) {
	s := New()
	for n := range 3000 {
		r := record(n)
		if n%3 == 0 && n > 600 {
			r.Origin = record(n - 500).SID
		}
		if _, err := s.Create(ctx, r, lanyard.Limit{Max: 4, Now: 1, Until: 20}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Once(ctx, fmt.Sprint("key", n), 1, 20); err != nil {
			t.Fatal(err)
		}
		if n%100 == 0 {
			if _, err := s.Revoke(ctx, lanyard.End{Subject: r.Subject, Reason: lanyard.ReasonAdmin, Now: 10, Until: 20}); err != nil {
				t.Fatal(err)
			}
		}
		if n == 2000 {
			if _, err := s.Revoke(ctx, lanyard.End{All: true, Reason: lanyard.ReasonAdmin, Now: 10, Until: 20}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for more := true; more; {
		done, err := s.Prune(ctx, lanyard.Prune{Now: 2_000_000, Forget: 2_000_000, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		more = done.More
	}
	wantEmpty(t, s)
	if n := len(s.feed.lines) + len(s.once.keys) + len(s.once.due); n != 0 {
		t.Errorf("%d feed entries and keys are left", n)
	}
}

func wantEmpty(t *testing.T, s *Store) {
	t.Helper()
	for i := range s.parts {
		p := &s.parts[i]
		rows := 0
		for _, r := range p.records.slots {
			if r != (row{}) {
				rows++
			}
		}
		for what, n := range map[string]int{
			"records": len(p.records.sids) + rows, "unended": p.unended,
			"active": len(p.active.one) + len(p.active.more), "ended": len(p.ended.one) + len(p.ended.more),
			"linked": len(p.linked.one) + len(p.linked.more) + len(p.moved), "ends": len(p.gone),
		} {
			if n != 0 {
				t.Errorf("partition %d: %d %s are left", i, n, what)
			}
		}
	}
}
