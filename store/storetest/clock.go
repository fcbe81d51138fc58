package storetest

import (
	"fmt"

	"github.com/lanyard-go/lanyard"
)

var clockCases = []Case{
	{"No method reads a clock", check(func(b *bed) {
		// Long before the engine's time, and long after it.
		for _, at := range []lanyard.Time{1_000_000_000_000, 4_000_000_000_000} {
			b.liveThrough(at)
		}
	})},
}

// liveThrough takes records through their lives as if it were the given time.
func (b *bed) liveThrough(at lanyard.Time) {
	b.Helper()
	another := func() *lanyard.Record {
		r := b.record("alice")
		r.CreatedAt, r.AuthTime, r.LastActive = at, at, at
		r.IdleExpiresAt, r.ExpiresAt = at+30*minute, at+720*minute
		r.SID = sid("alice", at, b.made.Add(1))
		return r
	}
	first, second, third := another(), another(), another()
	limit := lanyard.Limit{Max: 3, Action: lanyard.LimitRefuse, Now: at, Until: at + 15*minute}
	for _, r := range []*lanyard.Record{first, second, third} {
		b.create(r, limit)
	}
	_, err := b.store.Create(b.ctx, another(), limit)
	b.wantIs("Create at the limit", err, lanyard.ErrLimit)
	second.LastActive, second.IdleExpiresAt = at+minute, at+31*minute
	b.update(second)
	key := fmt.Sprint("key", at)
	b.wantOnce(key, at, at+15*minute, true)
	cursor := b.head()
	b.revoke(lanyard.End{SID: third.SID, Reason: lanyard.ReasonLogout, Now: at + minute, Until: at + 15*minute})

	done := b.prune(lanyard.Prune{Now: at + 15*minute - 1, Forget: at + minute - 1, Limit: 10})
	b.wantRecords("those pruned before their time", done.Records)
	b.wantRecords("those live", b.walk(lanyard.Query{Subject: "alice", LiveAt: at + 15*minute}), first, second)
	b.wantStored("the first", first)
	b.wantStored("the second", second)
	if got := b.get(third.SID); got.EndedAt != at+minute {
		b.Errorf("ended at %d, want %d", got.EndedAt, at+minute)
	}
	if entries, _ := b.feedAfter(cursor); len(entries) != 1 || entries[0].At != at+minute {
		b.Errorf("the feed: %+v, want the one end", entries)
	}
	b.wantOnce(key, at+15*minute-1, at+15*minute, false)

	done = b.prune(lanyard.Prune{Now: at + 30*minute, Forget: at + minute, Limit: 10})
	b.wantRecords("those pruned in time", done.Records, first)
	_, err = b.store.Get(b.ctx, third.SID)
	b.wantIs("Get of the forgotten", err, lanyard.ErrNotFound)
	entries, _ := b.feedAfter(cursor)
	b.wantEntries("the feed in the end", entries)
	done = b.prune(lanyard.Prune{Now: at + 31*minute, Forget: at + 31*minute, Limit: 10})
	b.wantRecords("those pruned in the end", done.Records, second)
	for range 2 {
		b.prune(lanyard.Prune{Now: at + 32*minute, Forget: at + 32*minute, Limit: 10})
	}
	b.wantRecords("the subject's records", b.walk(lanyard.Query{Subject: "alice"}))
}
