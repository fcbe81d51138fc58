package storetest

import "github.com/lanyard-go/lanyard"

var pruneCases = []Case{
	{"Prune ends what is past its deadlines, with the reason", check(func(b *bed) {
		idled, expired, live, both := b.record("alice"), b.record("bob"), b.record("carol"), b.record("bob")
		idled.IdleExpiresAt = now
		expired.ExpiresAt = now
		both.IdleExpiresAt, both.ExpiresAt = now-minute, now
		live.IdleExpiresAt, live.ExpiresAt = now+1, now+1
		nobody := b.record("")
		nobody.IdleExpiresAt = now - 1
		for _, r := range []*lanyard.Record{idled, expired, live, both, nobody} {
			b.create(r, lanyard.Limit{})
		}
		cursor := b.head()
		done := b.prune(lanyard.Prune{Now: now, Limit: 10})
		b.wantRecords("those ended", done.Records, idled, expired, both, nobody)
		for _, r := range done.Records {
			b.wantStored("a record returned as ended", r)
		}
		b.wantPruned(idled, lanyard.ReasonIdle)
		b.wantPruned(expired, lanyard.ReasonExpired)
		b.wantPruned(both, lanyard.ReasonExpired)
		b.wantPruned(nobody, lanyard.ReasonIdle)
		b.wantStored("the live one", live)
		if done.More {
			b.Error("more is left")
		}
		entries, _ := b.feedAfter(cursor)
		b.wantEntries("the feed after ends by deadline", entries)
		b.wantRecords("those ended again", b.prune(lanyard.Prune{Now: now, Limit: 10}).Records)
	})},
	{"Prune by deadline leaves the records handed off", check(func(b *bed) {
		origin := b.record("alice")
		origin.IdleExpiresAt = now
		b.create(origin, lanyard.Limit{})
		phone := b.linked(origin)
		done := b.prune(lanyard.Prune{Now: now, Limit: 10})
		b.wantRecords("those ended", done.Records, origin)
		b.wantLive(phone)
	})},
	{"Prune ends what is fenced", check(func(b *bed) {
		old := []*lanyard.Record{b.start("alice"), b.start("bob"), b.start("")}
		over := b.start("alice")
		b.end(lanyard.End{SID: over.SID})
		b.end(lanyard.End{All: true})
		young := b.start("alice")
		done := b.prune(lanyard.Prune{Now: now, Limit: 10})
		b.wantRecords("those ended", done.Records, old...)
		for _, r := range old {
			b.wantPruned(r, lanyard.ReasonRevokedAll)
		}
		b.wantEnded(over, nil, lanyard.ReasonLogout, "somebody")
		b.wantStored("the young one", young)
		b.end(lanyard.End{All: true})
		done = b.prune(lanyard.Prune{Now: now, Limit: 10})
		b.wantRecords("those ended the next time", done.Records, young)
	})},
	{"Prune ends at most Limit records and says when more are left", check(func(b *bed) {
		for _, fenced := range []bool{false, true} {
			var all []*lanyard.Record
			for i := range 25 {
				r := b.record([]string{"alice", "bob", ""}[i%3])
				if !fenced {
					r.IdleExpiresAt = now - lanyard.Time(i)
				}
				b.create(r, lanyard.Limit{})
				all = append(all, r)
			}
			if fenced {
				b.end(lanyard.End{All: true})
			}
			var ended []*lanyard.Record
			for range 100 {
				done := b.prune(lanyard.Prune{Now: now, Limit: 10})
				if len(done.Records) > 10 {
					b.Errorf("%d ended, asked for at most 10", len(done.Records))
				}
				ended = append(ended, done.Records...)
				if !done.More {
					break
				}
			}
			b.wantRecords("those ended in several calls", ended, all...)
		}
	})},
	{"Prune removes what ended long enough ago", check(func(b *bed) {
		early, late := b.start("alice"), b.start("alice")
		live, bob := b.start("alice"), b.start("bob")
		for i, r := range []*lanyard.Record{early, late} {
			e := ending(lanyard.End{SID: r.SID})
			e.Now += lanyard.Time(i)
			b.revoke(e)
		}
		b.prune(lanyard.Prune{Now: now, Forget: now - 1, Limit: 10})
		b.wantRecords("before their time", b.walk(lanyard.Query{}), early, late, live, bob)
		b.prune(lanyard.Prune{Now: now, Forget: now, Limit: 10})
		_, err := b.store.Get(b.ctx, early.SID)
		b.wantIs("Get of the removed", err, lanyard.ErrNotFound)
		_, err = b.store.Revoke(b.ctx, ending(lanyard.End{SID: early.SID}))
		b.wantIs("Revoke of the removed", err, lanyard.ErrNotFound)
		b.wantRecords("all records", b.walk(lanyard.Query{}), late, live, bob)
		b.wantRecords("the subject's records", b.walk(lanyard.Query{Subject: "alice"}), late, live)
		b.wantStored("a live one", live)
		b.prune(lanyard.Prune{Now: now, Forget: now + 1, Limit: 10})
		b.wantRecords("in the end", b.walk(lanyard.Query{}), live, bob)
		b.wantRecords("the subject's in the end", b.walk(lanyard.Query{Subject: "alice"}), live)
	})},
	{"Prune removes feed entries that matter no more", check(func(b *bed) {
		long, short := b.start("alice"), b.start("bob")
		e := ending(lanyard.End{SID: long.SID})
		e.Until = until + minute
		b.revoke(e)
		b.end(lanyard.End{SID: short.SID})
		cursor := b.head()
		b.prune(lanyard.Prune{Now: until - 1, Limit: 10})
		if entries, _ := b.feedAfter(""); len(entries) != 2 {
			b.Errorf("%d entries while two matter", len(entries))
		}
		b.prune(lanyard.Prune{Now: until, Limit: 10})
		want := ofSession(long, lanyard.ReasonLogout)
		want.Until += minute
		entries, _ := b.feedAfter("")
		b.wantEntries("the feed while one matters", entries, want)
		b.prune(lanyard.Prune{Now: until + minute, Limit: 10})
		entries, behind := b.feedAfter("")
		b.wantEntries("the feed in the end", entries)

		next := b.start("alice")
		b.end(lanyard.End{SID: next.SID})
		for _, c := range []string{"", cursor, behind} {
			entries, _ = b.feedAfter(c)
			b.wantEntries("the next entry after "+c, entries, ofSession(next, lanyard.ReasonLogout))
		}
	})},
}

// wantPruned expects that Prune has ended r for the given reason.
func (b *bed) wantPruned(r *lanyard.Record, reason lanyard.Reason) {
	b.Helper()
	got := b.get(r.SID)
	if got.EndReason != reason || got.EndedAt == 0 || got.EndedAt > now {
		b.Errorf("reason %q at %d, want %q by %d", got.EndReason, got.EndedAt, reason, now)
	}
	if got.Version <= r.Version {
		b.Errorf("ended at version %d, was %d: its end is a write", got.Version, r.Version)
	}
}
