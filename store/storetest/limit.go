package storetest

import "github.com/lanyard-go/lanyard"

var limitCases = []Case{
	{"Create ends the oldest over the limit", check(func(b *bed) {
		first, second := b.start("alice"), b.start("alice")
		first.LastActive = now
		b.update(first)
		cursor := b.head()
		third := b.record("alice")
		got := b.only(b.create(third, limit(2, lanyard.LimitEndOldest)))
		b.wantEnded(first, got, lanyard.ReasonLimit, got.EndedBy)
		b.wantLive(second)
		b.wantLive(third)
		entries, _ := b.feedAfter(cursor)
		b.wantEntries("the feed", entries, ofSession(first, lanyard.ReasonLimit))
	})},
	{"Create ends the least recently active over the limit", check(func(b *bed) {
		first, second := b.start("alice"), b.start("alice")
		first.LastActive = now
		b.update(first)
		third := b.record("alice")
		got := b.only(b.create(third, limit(2, lanyard.LimitEndLeastRecent)))
		b.wantEnded(second, got, lanyard.ReasonLimit, got.EndedBy)
		b.wantLive(first)
		b.wantLive(third)
	})},
	{"Create refuses at the limit and stores nothing", check(func(b *bed) {
		first := b.start("alice")
		cursor := b.head()
		second := b.record("alice")
		ended, err := b.store.Create(b.ctx, second, limit(1, lanyard.LimitRefuse))
		b.wantIs("Create at the limit", err, lanyard.ErrLimit)
		b.wantRecords("those ended by a refused Create", ended)
		_, err = b.store.Get(b.ctx, second.SID)
		b.wantIs("Get of the refused", err, lanyard.ErrNotFound)
		b.wantStored("the one before", first)
		entries, _ := b.feedAfter(cursor)
		b.wantEntries("the feed", entries)
		b.end(lanyard.End{SID: first.SID})
		b.create(second, limit(1, lanyard.LimitRefuse))
	})},
	{"Create ends as many as are over the limit", check(func(b *bed) {
		var old []*lanyard.Record
		for range 5 {
			old = append(old, b.start("alice"))
		}
		cursor := b.head()
		young := b.record("alice")
		ended := b.create(young, limit(3, lanyard.LimitEndOldest))
		b.wantRecords("those ended", ended, old[:3]...)
		for _, r := range ended {
			b.wantStored("a record returned as ended", r)
		}
		entries, _ := b.feedAfter(cursor)
		if len(entries) != 3 {
			b.Errorf("%d feed entries for 3 ends", len(entries))
		}
		b.wantRecords("those live", b.walk(lanyard.Query{Subject: "alice", LiveAt: now}),
			old[3], old[4], young)
	})},
	{"Create counts only live records of the subject", check(func(b *bed) {
		ended, expired, idled, fenced := b.start("alice"), b.record("alice"), b.record("alice"), b.start("alice")
		b.end(lanyard.End{All: true})
		b.end(lanyard.End{SID: ended.SID})
		expired.ExpiresAt = now
		b.create(expired, lanyard.Limit{})
		idled.IdleExpiresAt = now
		b.create(idled, lanyard.Limit{})
		bob := b.start("bob")
		nobody := b.start("")
		live := b.start("alice")
		if ended := b.create(b.record("alice"), limit(2, lanyard.LimitRefuse)); len(ended) != 0 {
			b.Errorf("%d records ended below the limit", len(ended))
		}
		got := b.create(b.record("alice"), limit(2, lanyard.LimitEndOldest))
		b.wantRecords("those ended", got, live)
		b.wantLive(bob)
		b.wantLive(nobody)
		for _, r := range []*lanyard.Record{expired, idled} {
			b.wantStored("a record that was over before", r)
		}
		if r := b.get(fenced.SID); r.EndReason == lanyard.ReasonLimit {
			b.Error("a fenced record ended for the limit")
		}
	})},
	{"Create without a limit ends nobody", check(func(b *bed) {
		var all []*lanyard.Record
		for range 20 {
			all = append(all, b.start("alice"))
		}
		b.wantRecords("those live", b.walk(lanyard.Query{Subject: "alice", LiveAt: now}), all...)
	})},
}

func limit(most int, action lanyard.LimitAction) lanyard.Limit {
	return lanyard.Limit{Max: most, Action: action, Now: now, Until: until}
}
