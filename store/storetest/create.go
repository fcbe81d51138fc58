package storetest

import (
	"bytes"
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
		for _, text := range oddTexts() {
			r := b.fullToken()
			r.SID, r.Origin = sid(text, r.CreatedAt, b.made.Add(1)), lanyard.SID{}
			r.Subject, r.ClientID, r.Class, r.Scope = text, text, text, text
			r.Device = lanyard.Device{Label: text, UserAgent: text, IP: text}
			r.Refresh.Range, r.Refresh.MovedRange, r.Data = text, text, []byte(text+"\x00\xff")
			b.create(r, lanyard.Limit{})
			b.wantStored("a record with "+text, r)
			r.Data = append(r.Data, text...)
			b.update(r)
			b.wantStored("an updated record with "+text, r)
			for what, q := range map[string]lanyard.Query{
				"subject": {Subject: text}, "client": {Client: text}, "address": {IP: text},
			} {
				b.wantRecords("the records of "+what+" "+text, b.walk(q), r)
			}
		}
	})},
	{"Create keeps a record as large as one can be", check(func(b *bed) {
		r := b.largest()
		b.create(r, lanyard.Limit{})
		b.wantStored("the largest record", r)
		r.Data[0]++
		b.update(r)
		b.wantStored("the largest record, updated", r)
		b.wantRecords("those listed", b.walk(lanyard.Query{Subject: r.Subject}), r)
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
	r.Status = lanyard.StatusIndex{List: [16]byte{9, 15: 8}, Index: 1 << 17}
	return r
}

// fullToken returns a token record with every field in use.
func (b *bed) fullToken() *lanyard.Record {
	r := b.fullCookie()
	r.Channel, r.Binding, r.Handle = lanyard.ChannelToken, lanyard.BindingDPoP, lanyard.Digest{}
	r.Key = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	r.Refresh = &lanyard.Refresh{
		Counter: 41, Digest: lanyard.Digest{1}, Predecessor: lanyard.Digest{2}, Nonce: [16]byte{3},
		RotatedAt: now, Agent: 1 << 63, Range: "192.0.2.0/24", MovedRange: "2001:db8::/48",
		Retried: true, RetriedRow: 7,
	}
	return r
}

// largest returns a token record with all application data there may be and
// texts up to the limit of the stored form.
func (b *bed) largest() *lanyard.Record {
	r := b.fullToken()
	r.Subject = strings.Repeat("s", 255)
	r.SID, r.Origin = sid(r.Subject, r.CreatedAt, b.made.Add(1)), sid(r.Subject, base, 1<<40)
	r.Data = bytes.Repeat([]byte{0xff, 0}, lanyard.MaxData/2)
	r.Refresh.Range, r.Refresh.MovedRange = strings.Repeat("r", 255), strings.Repeat("m", 255)
	fits := func(n int) bool {
		r.Scope = strings.Repeat("x", n)
		_, err := r.AppendBinary(nil)
		return err == nil
	}
	low, high := 0, lanyard.MaxRecordSize // the first fits, the last does not
	for high-low > 1 {
		if mid := (low + high) / 2; fits(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	if !fits(low) {
		b.Fatalf("a record with %d bytes of data has no stored form", len(r.Data))
	}
	return r
}
