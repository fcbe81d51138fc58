package storetest

import "github.com/lanyard-go/lanyard"

var getCases = []Case{
	{"Get answers that there is no such record", check(func(b *bed) {
		r := b.start("alice")
		for _, unknown := range []lanyard.SID{sid("alice", base, 999), sid("", base, 999), {}} {
			_, err := b.store.Get(b.ctx, unknown)
			b.wantIs("Get of an unknown SID", err, lanyard.ErrNotFound)
		}
		b.wantStored("the other record", r)
	})},
	{"Get returns the record of that SID and no other", check(func(b *bed) {
		first := b.start("alice")
		all := []*lanyard.Record{first}
		for i := range len(first.SID) {
			r := b.record("alice")
			r.SID = first.SID
			if i == 6 || i == 7 {
				continue // there the partition is, which its subject decides
			}
			r.SID[i] ^= 0x80
			b.create(r, lanyard.Limit{})
			all = append(all, r)
		}
		all[1].Data = []byte("changed")
		b.update(all[1])
		b.end(lanyard.End{SID: all[2].SID})
		for i, r := range all {
			if i == 2 {
				b.wantEnded(r, nil, lanyard.ReasonLogout, "somebody")
				continue
			}
			b.wantStored("a record with much the same SID", r)
		}
	})},
	{"Get returns a record that has ended", check(func(b *bed) {
		r := b.start("alice")
		b.end(lanyard.End{SID: r.SID})
		b.wantEnded(r, nil, lanyard.ReasonLogout, "somebody")
	})},
	{"Get sets Fenced below the global epoch", check(func(b *bed) {
		old := []*lanyard.Record{b.start("alice"), b.start("bob"), b.start("")}
		for _, r := range old {
			b.wantLive(r)
		}
		b.end(lanyard.End{All: true})
		for _, r := range old {
			got := b.get(r.SID)
			if !got.Fenced || !got.Ended() || got.Live(now) {
				b.Error("a record older than the global epoch is not fenced")
			}
			got.Fenced = false
			b.wantSame("a fenced record, apart from that", got, r)
		}
	})},
	{"Get returns a record of the caller's own", check(func(b *bed) {
		r := b.fullToken()
		want := r.Clone()
		b.create(r, lanyard.Limit{})
		want.Version = 1
		scribble(r)
		b.wantStored("after the record passed to Create changed", want)
		got := b.get(want.SID)
		scribble(got)
		b.wantStored("after a returned record changed", want)
		got = b.get(want.SID)
		b.update(got)
		want.Version = 2
		scribble(got)
		b.wantStored("after the record passed to Update changed", want)
		scribble(b.walk(lanyard.Query{})...)
		b.wantStored("after a listed record changed", want)
		want = b.only(b.end(lanyard.End{SID: want.SID}).Records).Clone()
		scribble(b.get(want.SID))
		b.wantStored("after a returned record that has ended changed", want)
	})},
}

// scribble changes everything that a copy of a full record could share.
func scribble(records ...*lanyard.Record) {
	for _, r := range records {
		clear(r.Methods)
		clear(r.Audience)
		clear(r.Data)
		if r.Refresh != nil {
			r.Refresh.Counter++
		}
		r.State, r.Subject, r.Version = lanyard.StatePending, "mallory", 99
	}
}
