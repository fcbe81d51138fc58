package storetest

import "github.com/lanyard-go/lanyard"

var revokeManyCases = []Case{
	{"Revoke of a subject raises its epoch and ends all its records", check(func(b *bed) {
		first, second := b.start("alice"), b.fullToken()
		b.create(second, lanyard.Limit{})
		bob, nobody := b.start("bob"), b.start("")
		cursor := b.head()
		done := b.end(lanyard.End{Subject: "alice"})
		b.wantRecords("those ended", done.Records, first, second)
		b.wantEnded(first, nil, lanyard.ReasonLogout, "somebody")
		b.wantEnded(second, nil, lanyard.ReasonLogout, "somebody")
		for _, r := range done.Records {
			b.wantStored("a record returned as ended", r)
		}
		if done.Epoch <= first.SubjectEpoch {
			b.Errorf("the epoch was %d and is %d", first.SubjectEpoch, done.Epoch)
		}
		b.wantLive(bob)
		b.wantLive(nobody)
		entries, _ := b.feedAfter(cursor)
		b.wantEntries("the feed", entries, lanyard.Entry{
			Kind: lanyard.EntrySubject, Subject: "alice", Epoch: done.Epoch,
			Reason: lanyard.ReasonLogout, At: now, Until: until,
		})
		b.wantLive(b.start("alice"))
		if again := b.end(lanyard.End{Subject: "alice"}); again.Epoch <= done.Epoch {
			b.Errorf("the second time the epoch went from %d to %d", done.Epoch, again.Epoch)
		}
	})},
	{"Revoke of a subject without records raises its epoch", check(func(b *bed) {
		done := b.end(lanyard.End{Subject: "alice"})
		b.wantRecords("those ended", done.Records)
		entries, _ := b.feedAfter("")
		b.wantEntries("the feed", entries, lanyard.Entry{
			Kind: lanyard.EntrySubject, Subject: "alice", Epoch: done.Epoch,
			Reason: lanyard.ReasonLogout, At: now, Until: until,
		})
		if r := b.start("alice"); r.SubjectEpoch != done.Epoch {
			b.Errorf("stamped epoch %d, want %d", r.SubjectEpoch, done.Epoch)
		}
	})},
	{"Revoke of a subject takes its name by every byte", check(func(b *bed) {
		texts := oddTexts()
		made := make([]*lanyard.Record, len(texts))
		for i, text := range texts {
			made[i] = b.start(text)
		}
		cursor := b.head()
		for i, text := range texts {
			e := ending(lanyard.End{Subject: text})
			e.By = text
			done := b.revoke(e)
			b.wantEnded(made[i], b.only(done.Records), lanyard.ReasonLogout, text)
			var entries []lanyard.Entry
			entries, cursor = b.feedAfter(cursor)
			b.wantEntries("the feed", entries, lanyard.Entry{
				Kind: lanyard.EntrySubject, Subject: text, Epoch: done.Epoch,
				Reason: lanyard.ReasonLogout, At: now, Until: until,
			})
			if again := b.start(text); again.SubjectEpoch != done.Epoch {
				b.Errorf("%q: stamped epoch %d, want %d", text, again.SubjectEpoch, done.Epoch)
			}
		}
	})},
	{"Revoke of a subject keeps its epoch while it is in the feed", check(func(b *bed) {
		done := b.end(lanyard.End{Subject: "alice"})
		b.prune(lanyard.Prune{Now: until - 1, Forget: until - 1, Limit: 10})
		if r := b.start("alice"); r.SubjectEpoch != done.Epoch {
			b.Errorf("stamped epoch %d, want %d", r.SubjectEpoch, done.Epoch)
		}
		b.prune(lanyard.Prune{Now: until, Forget: until, Limit: 10})
		if r := b.start("alice"); r.SubjectEpoch < done.Epoch {
			b.Errorf("stamped epoch %d after %d", r.SubjectEpoch, done.Epoch)
		}
	})},
	{"Revoke of a subject spares Except and keeps the epoch", check(func(b *bed) {
		kept, first, second := b.start("alice"), b.start("alice"), b.start("alice")
		bob := b.start("bob")
		cursor := b.head()
		done := b.end(lanyard.End{Subject: "alice", Except: kept.SID})
		b.wantRecords("those ended", done.Records, first, second)
		b.wantStored("the record spared", kept)
		b.wantLive(bob)
		for _, r := range []*lanyard.Record{first, second} {
			b.wantEnded(r, nil, lanyard.ReasonLogout, "somebody")
		}
		if done.Epoch != 0 {
			b.Errorf("an epoch was raised to %d", done.Epoch)
		}
		if r := b.start("alice"); r.SubjectEpoch != kept.SubjectEpoch {
			b.Errorf("the epoch went from %d to %d", kept.SubjectEpoch, r.SubjectEpoch)
		}
		entries, _ := b.feedAfter(cursor)
		if len(entries) == 2 && entries[0].SID == second.SID {
			entries[0], entries[1] = entries[1], entries[0]
		}
		b.wantEntries("the feed", entries,
			ofSession(first, lanyard.ReasonLogout), ofSession(second, lanyard.ReasonLogout))
	})},
	{"Revoke of all fences every older record", check(func(b *bed) {
		old := []*lanyard.Record{b.start("alice"), b.start("bob"), b.start("")}
		cursor := b.head()
		done := b.end(lanyard.End{All: true})
		for _, r := range old {
			if got := b.get(r.SID); !got.Ended() {
				b.Errorf("%s of epoch %d is live below epoch %d", r.SID, r.GlobalEpoch, done.Epoch)
			}
			if done.Epoch <= r.GlobalEpoch {
				b.Errorf("the epoch was %d and is %d", r.GlobalEpoch, done.Epoch)
			}
		}
		b.wantLive(b.start("alice"))
		entries, _ := b.feedAfter(cursor)
		if len(entries) == 0 {
			b.Error("no feed entry")
		}
		for _, e := range entries { // one, or one for each partition
			b.wantEntries("the feed", []lanyard.Entry{e}, lanyard.Entry{
				Kind: lanyard.EntryAll, Epoch: done.Epoch, Reason: lanyard.ReasonLogout, At: now, Until: until,
			})
		}
	})},
	{"Revoke of all raises the epoch to AtLeast", check(func(b *bed) {
		first := b.end(lanyard.End{All: true, AtLeast: 40})
		if first.Epoch != 40 {
			b.Errorf("epoch %d, want 40", first.Epoch)
		}
		r := b.start("alice")
		if r.GlobalEpoch != 40 {
			b.Errorf("stamped epoch %d, want 40", r.GlobalEpoch)
		}
		second := b.end(lanyard.End{All: true, AtLeast: 12})
		if second.Epoch != 41 {
			b.Errorf("epoch %d, want 41: it is always raised", second.Epoch)
		}
		if got := b.get(r.SID); !got.Fenced {
			b.Error("the record of epoch 40 is not fenced")
		}
		if s, ok := b.store.(lanyard.Epochs); ok {
			if epoch, err := s.GlobalEpoch(b.ctx); err != nil || epoch != 41 {
				b.Errorf("GlobalEpoch returned %d and %v, want 41", epoch, err)
			}
		}
	})},
	{"Revoke of a key ends no record", check(func(b *bed) {
		r := b.start("alice")
		cursor := b.head()
		done := b.revoke(lanyard.End{Key: "k1", By: "somebody", Now: now, Until: until})
		b.wantRecords("those ended", done.Records)
		b.wantStored("the record", r)
		entries, _ := b.feedAfter(cursor)
		if len(entries) == 0 {
			b.Error("no feed entry")
		}
		for _, e := range entries {
			b.wantEntries("the feed", []lanyard.Entry{e},
				lanyard.Entry{Kind: lanyard.EntryKey, Key: "k1", At: now, Until: until})
		}
	})},
}
