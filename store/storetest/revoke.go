package storetest

import (
	"slices"

	"github.com/lanyard-go/lanyard"
)

var revokeCases = []Case{
	{"Revoke ends one record and appends to the feed", check(func(b *bed) {
		r, other := b.fullToken(), b.start("alice")
		b.create(r, lanyard.Limit{})
		cursor := b.head()
		done := b.end(lanyard.End{SID: r.SID})
		b.wantEnded(r, b.only(done.Records), lanyard.ReasonLogout, "somebody")
		if done.Epoch != 0 {
			b.Errorf("ending one record raised an epoch to %d", done.Epoch)
		}
		b.wantLive(other)
		entries, _ := b.feedAfter(cursor)
		b.wantEntries("the feed", entries, ofSession(r, lanyard.ReasonLogout))
	})},
	{"Revoke leaves a record that has ended as it is", check(func(b *bed) {
		r := b.start("alice")
		b.end(lanyard.End{SID: r.SID})
		first, cursor := b.get(r.SID), b.head()
		for _, e := range []lanyard.End{
			{SID: r.SID}, {Subject: "alice", Except: sid("alice", base, 999)}, {Subject: "alice"},
		} {
			e.Reason, e.By, e.Now, e.Until = lanyard.ReasonAdmin, "another", now+1, until+1
			b.wantRecords("those ended again", b.revoke(e).Records)
			b.wantStored("the record", first)
		}
		entries, _ := b.feedAfter(cursor)
		for _, e := range entries {
			if e.Kind == lanyard.EntrySession && e.Until != until {
				b.Errorf("an entry for a record that had ended: %+v", e)
			}
		}
	})},
	{"Revoke answers that there is no such record", check(func(b *bed) {
		r := b.start("alice")
		done, err := b.store.Revoke(b.ctx, ending(lanyard.End{SID: sid("alice", base, 999)}))
		b.wantIs("Revoke of an unknown SID", err, lanyard.ErrNotFound)
		b.wantRecords("those ended", done.Records)
		b.wantLive(r)
		entries, _ := b.feedAfter("")
		b.wantEntries("the feed", entries)
	})},
	{"Revoke ends the records handed off, through others too", check(func(b *bed) {
		origin := b.start("alice")
		phone, tablet := b.linked(origin), b.linked(origin)
		watch := b.linked(phone)
		other := b.start("alice")
		b.linked(other)
		cursor := b.head()
		done := b.end(lanyard.End{SID: origin.SID})
		b.wantRecords("those ended", done.Records, origin, phone, tablet, watch)
		b.wantEnded(origin, nil, lanyard.ReasonLogout, "somebody")
		for _, r := range []*lanyard.Record{phone, tablet, watch} {
			b.wantEnded(r, nil, lanyard.ReasonLinked, "somebody")
		}
		b.wantLive(other)
		entries, _ := b.feedAfter(cursor)
		if len(entries) != 4 {
			b.Errorf("%d feed entries for 4 ends", len(entries))
		}
		entries, _ = b.feedAfter(done.Cursor)
		b.wantEntries("the feed behind the outcome", entries)
	})},
	{"Revoke of a record handed off leaves its origin", check(func(b *bed) {
		origin := b.start("alice")
		phone, tablet := b.linked(origin), b.linked(origin)
		done := b.end(lanyard.End{SID: phone.SID})
		b.wantRecords("those ended", done.Records, phone)
		b.wantLive(origin)
		b.wantLive(tablet)
	})},
	{"Revoke reaches records handed off from one that has ended", check(func(b *bed) {
		origin := b.record("alice")
		origin.IdleExpiresAt = now
		b.create(origin, lanyard.Limit{})
		phone := b.record("alice")
		phone.Origin, phone.IdleExpiresAt = origin.SID, now
		b.create(phone, lanyard.Limit{})
		watch := b.linked(phone)
		b.prune(lanyard.Prune{Now: now, Limit: 10})
		done := b.end(lanyard.End{SID: origin.SID})
		b.wantRecords("those ended", done.Records, watch)
		b.wantEnded(watch, nil, lanyard.ReasonLinked, "somebody")
		b.wantEnded(origin, nil, lanyard.ReasonIdle, b.get(origin.SID).EndedBy)
	})},
	{"Revoke reaches records handed off from one that was forgotten", check(func(b *bed) {
		origin := b.start("alice")
		phone := b.record("alice")
		phone.Origin, phone.IdleExpiresAt = origin.SID, now
		b.create(phone, lanyard.Limit{})
		watch := b.linked(phone)
		for range 2 { // ends the phone's, then forgets it
			b.prune(lanyard.Prune{Now: now, Forget: now, Limit: 10})
		}
		_, err := b.store.Get(b.ctx, phone.SID)
		b.wantIs("Get of the one in between", err, lanyard.ErrNotFound)
		b.wantRecords("those ended", b.end(lanyard.End{SID: origin.SID}).Records, origin, watch)
		b.wantEnded(watch, nil, lanyard.ReasonLinked, "somebody")
	})},
	{"Revoke reaches records handed off through several that were forgotten at once", check(func(b *bed) {
		// The ones in between are made in both orders, since a store forgets them
		// in an order of its own.
		for _, turned := range []bool{false, true} {
			origin := b.start("alice")
			chain := []*lanyard.Record{b.record("alice"), b.record("alice"), b.record("alice")}
			if turned {
				slices.Reverse(chain)
			}
			before := origin
			for _, r := range chain {
				r.Origin, r.IdleExpiresAt = before.SID, now
				before = r
			}
			for _, r := range chain {
				b.create(r, lanyard.Limit{})
			}
			watch := b.linked(before)
			for range 2 { // ends those in between, then forgets them
				b.prune(lanyard.Prune{Now: now, Forget: now, Limit: 100})
			}
			for _, r := range chain {
				_, err := b.store.Get(b.ctx, r.SID)
				b.wantIs("Get of one in between", err, lanyard.ErrNotFound)
			}
			b.wantRecords("those ended", b.end(lanyard.End{SID: origin.SID}).Records, origin, watch)
		}
	})},
	{"Revoke with KeepLinked spares the records handed off", check(func(b *bed) {
		origin := b.start("alice")
		phone := b.linked(origin)
		done := b.end(lanyard.End{SID: origin.SID, KeepLinked: true})
		b.wantRecords("those ended", done.Records, origin)
		b.wantLive(phone)
	})},
	{"Revoke of a fenced record writes down why it ended", check(func(b *bed) {
		r := b.start("alice")
		cursor := b.end(lanyard.End{All: true}).Cursor
		done := b.end(lanyard.End{SID: r.SID})
		b.wantEnded(r, b.only(done.Records), lanyard.ReasonRevokedAll, "somebody")
		entries, _ := b.feedAfter(cursor)
		b.wantEntries("the feed", entries, ofSession(r, lanyard.ReasonRevokedAll))
		b.wantRecords("those ended again", b.end(lanyard.End{SID: r.SID}).Records)
	})},
	{"Revoke ends a record as large as one can be", check(func(b *bed) {
		for _, e := range []lanyard.End{{SID: b.largest().SID}, {Subject: b.largest().Subject}} {
			r := b.largest()
			b.create(r, lanyard.Limit{})
			if e.Subject == "" {
				e.SID = r.SID
			}
			got := b.only(b.end(e).Records)
			// An end needs room in the stored form; data may make way for it.
			if len(got.Data) == 0 {
				r.Data = nil
			}
			b.wantEnded(r, got, lanyard.ReasonLogout, "somebody")
		}
	})},
	{"Revoke refuses an End that does not say what or why", check(func(b *bed) {
		r := b.start("alice")
		for _, e := range []lanyard.End{
			{Reason: lanyard.ReasonAdmin},
			{Reason: lanyard.ReasonAdmin, SID: r.SID, Subject: "alice"},
			{Reason: lanyard.ReasonAdmin, SID: r.SID, All: true},
			{Reason: lanyard.ReasonAdmin, Subject: "alice", Key: "k1"},
			{SID: r.SID}, {Subject: "alice"}, {All: true},
		} {
			e.Now, e.Until = now, until
			if _, err := b.store.Revoke(b.ctx, e); err == nil {
				b.Errorf("taken: %+v", e)
			}
		}
		b.wantLive(r)
		entries, _ := b.feedAfter("")
		b.wantEntries("the feed", entries)
	})},
}
