package storetest

import "github.com/lanyard-go/lanyard"

var importCases = []Case{
	{"Import stores the records as they are, ended or not", able(func(b *bed, s lanyard.Importer) {
		cookie, token, over, nobody := b.fullCookie(), b.fullToken(), b.fullToken(), b.record("")
		over.EndReason, over.EndedAt, over.EndedBy = lanyard.ReasonLogout, now-minute, "somebody"
		for i, r := range []*lanyard.Record{cookie, token, over, nobody} {
			r.Version = uint64(1 + 41*i)
		}
		b.imported(s, 4, []*lanyard.Record{cookie, token, over, nobody})
		for _, r := range []*lanyard.Record{cookie, token, over, nobody} {
			b.wantStored("an imported record", r)
		}
		b.wantOrder("all records", b.walk(lanyard.Query{Limit: 2}), []*lanyard.Record{nobody, over, token, cookie})
		b.wantOrder("the subject's", b.walk(lanyard.Query{Subject: "alice", Limit: 2}), []*lanyard.Record{over, token, cookie})
		b.wantOrder("those live", b.walk(lanyard.Query{LiveAt: now}), []*lanyard.Record{nobody, token, cookie})
		entries, _ := b.feedAfter("")
		b.wantEntries("the feed", entries)
	})},
	{"Import makes records that live on", able(importLives)},
	{"Import keeps what was handed off together", able(func(b *bed, s lanyard.Importer) {
		origin, other := b.fresh("alice"), b.fresh("alice")
		phone := b.fresh("alice")
		phone.Origin = origin.SID
		watch := b.fresh("alice")
		watch.Origin = phone.SID
		phone.EndReason, phone.EndedAt, phone.EndedBy = lanyard.ReasonIdle, now, "system"
		b.imported(s, 3, []*lanyard.Record{watch, phone, other}) // newest first, as a list has them
		b.imported(s, 1, []*lanyard.Record{origin})
		b.wantRecords("those ended", b.end(lanyard.End{SID: origin.SID}).Records, origin, watch)
		b.wantEnded(watch, nil, lanyard.ReasonLinked, "somebody")
		b.wantLive(other)
	})},
	{"Import appends the entries to the feed", able(func(b *bed, s lanyard.Importer) {
		r := b.fresh("alice")
		want := []lanyard.Entry{
			ofSession(r, lanyard.ReasonAdmin),
			{Kind: lanyard.EntryGeneration, SID: r.SID, Generation: 4, At: now, Until: until},
			{Kind: lanyard.EntrySubject, Subject: "alice", Epoch: 9, Reason: lanyard.ReasonAdmin, At: now, Until: until},
		}
		cursor := b.head()
		b.imported(s, 0, nil, want...)
		entries, cursor := b.feedAfter(cursor)
		b.wantEntries("the feed", entries, want...)
		all := lanyard.Entry{Kind: lanyard.EntryAll, Epoch: 3, Reason: lanyard.ReasonAdmin, At: now, Until: until}
		for _, want := range []lanyard.Entry{aKey, all} {
			b.imported(s, 0, nil, want)
			if entries, cursor = b.feedAfter(cursor); len(entries) == 0 {
				b.Errorf("not in the feed: %+v", want)
			}
			for _, e := range entries { // one, or one for each partition
				b.wantEntries("the feed", []lanyard.Entry{e}, want)
			}
		}
	})},
	{"Import raises the epochs to those of the records", able(func(b *bed, s lanyard.Importer) {
		r, over := b.fresh("alice"), b.fresh("bob")
		r.SubjectEpoch, r.GlobalEpoch = 7, 5
		over.SubjectEpoch, over.GlobalEpoch = 8, 5
		over.EndReason, over.EndedAt = lanyard.ReasonAdmin, now
		b.imported(s, 2, []*lanyard.Record{r, over})
		b.wantLive(r)
		b.wantEpochs(b.start("alice"), 7, 5)
		b.wantEpochs(b.start("bob"), 8, 5)
		if done := b.end(lanyard.End{Subject: "alice"}); done.Epoch <= 7 {
			b.Errorf("the subject's epoch was 7 and is raised to %d", done.Epoch)
		}
		low := b.fresh("alice")
		low.SubjectEpoch, low.GlobalEpoch = 2, 5
		b.imported(s, 1, []*lanyard.Record{low})
		b.wantEpochs(b.start("alice"), 8, 5)
		if done := b.end(lanyard.End{All: true}); done.Epoch <= 5 {
			b.Errorf("the global epoch was 5 and is raised to %d", done.Epoch)
		}
	})},
	{"Import raises the epochs to those of the entries", able(func(b *bed, s lanyard.Importer) {
		// Tokens of a new record would be taken for revoked ones otherwise.
		b.imported(s, 0, nil,
			lanyard.Entry{Kind: lanyard.EntrySubject, Subject: "alice", Epoch: 12, At: now, Until: until},
			lanyard.Entry{Kind: lanyard.EntryAll, Epoch: 6, At: now, Until: until})
		b.wantEpochs(b.start("alice"), 12, 6)
		b.wantEpochs(b.start("bob"), 0, 6)
	})},
	{"Import leaves out a SID that is taken", able(func(b *bed, s lanyard.Importer) {
		live, over := b.start("alice"), b.start("alice")
		b.end(lanyard.End{SID: over.SID})
		over = b.get(over.SID)
		other := b.fresh("bob")
		again := []*lanyard.Record{other}
		for _, r := range []*lanyard.Record{live, over} {
			c := b.fresh("alice")
			c.SID, c.Version, c.Data = r.SID, 50, []byte("other")
			again = append(again, c)
		}
		b.imported(s, 1, again)
		b.imported(s, 0, again)
		for _, r := range []*lanyard.Record{live, over, other} {
			b.wantStored("the first with its SID", r)
		}
		b.wantRecords("the subject's", b.walk(lanyard.Query{Subject: "alice"}), live, over)
		b.wantRecords("those live", b.walk(lanyard.Query{LiveAt: now}), live, other)
	})},
	{"Import never makes a fenced record live", able(importFenced)},
}

func importLives(b *bed, s lanyard.Importer) {
	first, second, due, old := b.fresh("alice"), b.fresh("alice"), b.fresh("bob"), b.fresh("bob")
	due.IdleExpiresAt = now
	old.EndReason, old.EndedAt, old.EndedBy = lanyard.ReasonUser, now-minute, "bob"
	b.imported(s, 4, []*lanyard.Record{first, second, due, old})

	second.Data, second.IdleExpiresAt = []byte("changed"), idle+minute
	b.update(second)
	b.wantStored("an updated one", second)
	stale := old.Clone()
	stale.EndReason, stale.EndedAt, stale.EndedBy = "", 0, ""
	b.refusedUpdate(stale, lanyard.ErrEnded)
	third := b.record("alice")
	got := b.only(b.create(third, limit(2, lanyard.LimitEndOldest)))
	b.wantEnded(first, got, lanyard.ReasonLimit, got.EndedBy)
	done := b.prune(lanyard.Prune{Now: now, Forget: now - minute, Limit: 10})
	b.wantRecords("those pruned", done.Records, due)
	b.wantPruned(due, lanyard.ReasonIdle)
	_, err := b.store.Get(b.ctx, old.SID)
	b.wantIs("Get of what ended long ago", err, lanyard.ErrNotFound)
	b.wantRecords("the other subject's", b.walk(lanyard.Query{Subject: "bob"}), due)
	b.wantRecords("those of the subject", b.end(lanyard.End{Subject: "alice"}).Records, second, third)
}

func importFenced(b *bed, s lanyard.Importer) {
	// Below an epoch that the store has already, and behind where Prune has been.
	done := b.end(lanyard.End{All: true, AtLeast: 9})
	b.prune(lanyard.Prune{Now: now, Limit: 10})
	old := b.fresh("alice")
	old.GlobalEpoch = done.Epoch - 1
	b.imported(s, 1, []*lanyard.Record{old})
	if got := b.get(old.SID); !got.Fenced {
		b.Error("a record of an older epoch is not fenced")
	}
	b.wantRecords("those pruned", b.prune(lanyard.Prune{Now: now, Limit: 10}).Records, old)
	b.wantPruned(old, lanyard.ReasonRevokedAll)

	// Fenced where it was, by an epoch that this store has never heard of.
	was := b.fresh("bob")
	was.GlobalEpoch, was.Fenced = 40, true
	if _, err := s.Import(b.ctx, []*lanyard.Record{was}, nil); err != nil {
		b.wantRecords("of a refused Import", b.walk(lanyard.Query{Subject: "bob"}))
		return
	}
	if got := b.get(was.SID); !got.Ended() {
		b.Errorf("%s was fenced and lives", was.SID)
	}
}

// fresh returns a record as another store has one: with a version.
func (b *bed) fresh(subject string) *lanyard.Record {
	r := b.record(subject)
	r.Version = 3
	return r
}

func (b *bed) imported(s lanyard.Importer, want int, records []*lanyard.Record, entries ...lanyard.Entry) {
	b.Helper()
	if n, err := s.Import(b.ctx, records, entries); err != nil || n != want {
		b.Fatalf("Import returned %d and %v, want %d", n, err, want)
	}
}

// wantEpochs expects r to be at least of these epochs.
func (b *bed) wantEpochs(r *lanyard.Record, subject, global uint64) {
	b.Helper()
	if r.SubjectEpoch < subject || r.GlobalEpoch < global {
		b.Errorf("a new record of %s has epochs %d and %d, want at least %d and %d",
			r.Subject, r.SubjectEpoch, r.GlobalEpoch, subject, global)
	}
}
