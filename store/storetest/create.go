package storetest

import (
	"strings"

	"github.com/lanyard-go/lanyard"
)

var createCases = []Case{
	{"Create stores the record as version 1", check(func(b *bed) {
		anonymous := b.record("")
		anonymous.Data = []byte("a cart")
		for _, r := range []*lanyard.Record{b.record("alice"), b.fullCookie(), b.fullToken(), anonymous} {
			want := r.Clone()
			if ended := b.create(r, lanyard.Limit{}); len(ended) != 0 {
				b.Errorf("%d records ended without a limit", len(ended))
			}
			want.Version = 1
			b.wantSame("the record passed in", r, want)
			b.wantStored("the stored record", want)
		}
	})},
	{"Create keeps every byte of a string", check(func(b *bed) {
		for _, text := range []string{
			"x' OR '1'='1", `"; DROP TABLE sessions; --`, `\`, "%", "_", "a:b{c}*[d]?", "line\r\nbreak",
			"DEL sess:*", "Zoë", "\u202euser", strings.Repeat("w", 300),
		} {
			r := b.record(text)
			r.Device = lanyard.Device{Label: text, UserAgent: text}
			r.ClientID, r.Data = text, []byte(text+"\x00\xff")
			b.create(r, lanyard.Limit{})
			b.wantStored("a record with "+text, r)
			b.wantRecords("the records of "+text, b.walk(lanyard.Query{Subject: text}), r)
		}
	})},
	{"Create refuses a SID that is taken", check(func(b *bed) {
		live, ended := b.start("alice"), b.start("alice")
		b.end(lanyard.End{SID: ended.SID})
		for _, r := range []*lanyard.Record{live, ended} {
			before, cursor := b.get(r.SID), b.head()
			again := b.record("alice")
			again.SID, again.Data = r.SID, []byte("other")
			_, err := b.store.Create(b.ctx, again, lanyard.Limit{Max: 1, Now: now, Until: until})
			b.wantIs("a second record with the SID", err, lanyard.ErrExists)
			b.wantStored("the first record", before)
			b.wantLive(live)
			entries, _ := b.feedAfter(cursor)
			b.wantEntries("the feed after a refused Create", entries)
		}
	})},
	{"Create stamps the epoch of the subject", check(func(b *bed) {
		alice, bob := b.start("alice"), b.start("bob")
		done := b.end(lanyard.End{Subject: "alice"})
		if alice.SubjectEpoch >= done.Epoch {
			b.Errorf("epoch %d was stamped before it was raised to %d", alice.SubjectEpoch, done.Epoch)
		}
		again := b.record("alice")
		again.SubjectEpoch = 77 // not the caller's to say
		b.create(again, lanyard.Limit{})
		if again.SubjectEpoch != done.Epoch {
			b.Errorf("stamped epoch %d, want %d", again.SubjectEpoch, done.Epoch)
		}
		b.wantStored("a record of the new epoch", again)
		if other := b.start("bob"); other.SubjectEpoch != bob.SubjectEpoch {
			b.Errorf("the epoch of one subject moved another's from %d to %d", bob.SubjectEpoch, other.SubjectEpoch)
		}
	})},
	{"Create stamps the global epoch", check(func(b *bed) {
		b.start("alice")
		done := b.end(lanyard.End{All: true})
		for _, subject := range []string{"alice", "bob", "carol", ""} {
			r := b.record(subject)
			r.GlobalEpoch = 77
			b.create(r, lanyard.Limit{})
			if r.GlobalEpoch != done.Epoch {
				b.Errorf("stamped epoch %d, want %d", r.GlobalEpoch, done.Epoch)
			}
			b.wantStored("a record after everything ended", r)
		}
	})},
}

// fullCookie returns a cookie record with every field in use.
func (b *bed) fullCookie() *lanyard.Record {
	r := b.record("alice")
	r.Binding = lanyard.BindingDBSC
	r.ClientID = "shop"
	r.Generation = 3
	r.Methods, r.Class = []string{"pwd", "otp"}, "urn:example:2"
	r.Device = lanyard.Device{Label: "kitchen laptop", UserAgent: "Mozilla/5.0 (X11; Linux x86_64)", IP: "192.0.2.7"}
	r.Audience, r.Scope = []string{"https://api.example", "https://img.example"}, "read write"
	r.Origin = sid("alice", base, 1<<40)
	r.Data = []byte{0, 1, 2, 0xff}
	return r
}

// fullToken returns a token record with every field in use.
func (b *bed) fullToken() *lanyard.Record {
	r := b.fullCookie()
	r.Channel, r.Binding, r.Handle = lanyard.ChannelToken, lanyard.BindingDPoP, lanyard.Digest{}
	r.Refresh = &lanyard.Refresh{
		Counter: 41, Digest: lanyard.Digest{1}, Predecessor: lanyard.Digest{2}, Nonce: [16]byte{3},
		RotatedAt: now, Agent: 1 << 63, Range: "192.0.2.0/24", MovedRange: "2001:db8::/48",
		Retried: true, RetriedRow: 7,
	}
	return r
}
