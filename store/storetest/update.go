package storetest

import (
	"errors"

	"github.com/lanyard-go/lanyard"
)

var updateCases = []Case{
	{"Update replaces the record and raises its version", check(func(b *bed) {
		r := b.start("alice")
		for version := uint64(1); version < 5; {
			r = b.get(r.SID)
			changed := b.fullToken() // whatever a record has besides what names it
			changed.SID, changed.Subject, changed.Origin = r.SID, r.Subject, r.Origin
			changed.SubjectEpoch, changed.GlobalEpoch, changed.CreatedAt = r.SubjectEpoch, r.GlobalEpoch, r.CreatedAt
			changed.Version, changed.Generation = r.Version, uint32(version)
			if version%2 == 0 {
				changed.Refresh, changed.Data, changed.Methods = nil, nil, nil
			}
			want := changed.Clone()
			b.update(changed)
			if changed.Version <= version {
				b.Fatalf("version %d after %d", changed.Version, version)
			}
			version = changed.Version
			want.Version = version
			b.wantSame("the record passed in", changed, want)
			b.wantStored("the stored record", want)
		}
	})},
	{"Update gives a conflict for a record changed meanwhile", check(func(b *bed) {
		r := b.start("alice")
		mine, theirs := b.get(r.SID), b.get(r.SID)
		theirs.Data = []byte("theirs")
		b.update(theirs)
		mine.Data = []byte("mine")
		b.refusedUpdate(mine, lanyard.ErrConflict)
		future := b.get(r.SID)
		future.Version++
		b.refusedUpdate(future, lanyard.ErrConflict)
		zero := b.get(r.SID)
		zero.Version = 0
		b.refusedUpdate(zero, lanyard.ErrConflict)
		b.wantStored("the first to write", theirs)
	})},
	{"Update leaves an ended record ended", check(func(b *bed) {
		r := b.start("alice")
		stale := b.get(r.SID)
		b.end(lanyard.End{SID: r.SID})
		b.refusedUpdate(stale, lanyard.ErrEnded)
		current := b.get(r.SID)
		current.EndReason, current.EndedAt, current.EndedBy = "", 0, ""
		b.refusedUpdate(current, lanyard.ErrEnded)
		b.wantEnded(r, nil, lanyard.ReasonLogout, "somebody")
	})},
	{"Update leaves a fenced record fenced", check(func(b *bed) {
		r := b.start("alice")
		done := b.end(lanyard.End{All: true})
		stale := r.Clone()
		stale.IdleExpiresAt++
		b.refusedUpdate(stale, lanyard.ErrEnded)
		lifted := b.get(r.SID)
		lifted.Fenced, lifted.GlobalEpoch = false, done.Epoch
		b.refusedUpdate(lifted, lanyard.ErrEnded)
		if got := b.get(r.SID); !got.Fenced {
			b.Error("the record is not fenced any more")
		}
	})},
	{"Update never makes a record", check(func(b *bed) {
		r := b.record("alice")
		for _, version := range []uint64{0, 1} {
			r.Version = version
			b.wantIs("Update of no record", b.store.Update(b.ctx, r, aKey), lanyard.ErrNotFound)
			_, err := b.store.Get(b.ctx, r.SID)
			b.wantIs("Get afterwards", err, lanyard.ErrNotFound)
		}
		entries, _ := b.feedAfter("")
		b.wantEntries("the feed after a refused Update", entries)
		b.wantRecords("the subject's records", b.walk(lanyard.Query{Subject: "alice"}))
	})},
	{"Update never ends a record", check(func(b *bed) {
		r := b.start("alice")
		over := b.get(r.SID)
		over.EndReason, over.EndedAt = lanyard.ReasonLogout, now
		cursor := b.head()
		if err := b.store.Update(b.ctx, over, aKey); err == nil {
			b.Error("Update took a record with an EndReason")
		}
		b.wantStored("the record", r)
		entries, _ := b.feedAfter(cursor)
		b.wantEntries("the feed after a refused Update", entries)
	})},
	{"Update appends its entries in the same step", check(func(b *bed) {
		r := b.start("alice")
		cursor := b.head()
		r.Generation = 2
		raised := lanyard.Entry{Kind: lanyard.EntryGeneration, SID: r.SID, Generation: 2, At: now, Until: until}
		b.update(r, raised, aKey)
		entries, cursor := b.feedAfter(cursor)
		b.wantEntries("the feed", entries, raised, aKey)
		b.update(r)
		entries, _ = b.feedAfter(cursor)
		b.wantEntries("the feed after an Update without entries", entries)
	})},
	{"Update with moved deadlines moves the end", check(func(b *bed) {
		later, sooner := b.start("alice"), b.start("alice")
		later.IdleExpiresAt = idle + 10*minute
		b.update(later)
		sooner.IdleExpiresAt = now
		b.update(sooner)
		done := b.prune(lanyard.Prune{Now: now, Limit: 10})
		b.wantRecords("those pruned first", done.Records, sooner)
		done = b.prune(lanyard.Prune{Now: idle, Limit: 10})
		b.wantRecords("those pruned at the old limit", done.Records)
		done = b.prune(lanyard.Prune{Now: later.IdleExpiresAt, Limit: 10})
		b.wantRecords("those pruned at the new limit", done.Records, later)
	})},
}

// aKey is an entry for cases that need any.
var aKey = lanyard.Entry{Kind: lanyard.EntryKey, Key: "k1", Reason: lanyard.ReasonAdmin, At: now, Until: until}

// refusedUpdate expects Update to fail with the sentinel and to change nothing.
func (b *bed) refusedUpdate(r *lanyard.Record, sentinel error) {
	b.Helper()
	before, version, cursor := b.get(r.SID), r.Version, b.head()
	if err := b.store.Update(b.ctx, r, aKey); !errors.Is(err, sentinel) {
		b.Errorf("Update: error %v, want %v", err, sentinel)
	}
	if r.Version != version {
		b.Errorf("a refused Update set the version %d to %d", version, r.Version)
	}
	b.wantStored("the record after a refused Update", before)
	entries, _ := b.feedAfter(cursor)
	b.wantEntries("the feed after a refused Update", entries)
}
