package storetest

import (
	"errors"

	"github.com/lanyard-go/lanyard"
)

var feedCases = []Case{
	{"Revocations returns entries in one order, in pages", check(func(b *bed) {
		var want []lanyard.Entry
		for range 20 {
			r := b.start("alice")
			b.end(lanyard.End{SID: r.SID})
			want = append(want, ofSession(r, lanyard.ReasonLogout))
		}
		for _, n := range []int{1, 2, 7, 20, 1000} {
			var got []lanyard.Entry
			cursor := ""
			for range 100 {
				page, next, err := b.store.Revocations(b.ctx, cursor, n)
				if err != nil {
					b.Fatalf("Revocations: %v", err)
				}
				if len(page) > n {
					b.Errorf("%d entries, asked for at most %d", len(page), n)
				}
				got = append(got, page...)
				if cursor = next; len(page) == 0 {
					break
				}
			}
			b.wantEntries("the feed", got, want...)
		}
	})},
	{"Revocations continues after any cursor", check(func(b *bed) {
		_, cursor, err := b.store.Revocations(b.ctx, "", 10)
		if err != nil {
			b.Fatalf("Revocations of an empty feed: %v", err)
		}
		for i := range 20 {
			r := b.start([]string{"alice", "bob", "carol"}[i%3])
			done := b.end(lanyard.End{SID: r.SID})
			entries, next, err := b.store.Revocations(b.ctx, cursor, 10)
			if err != nil {
				b.Fatalf("Revocations: %v", err)
			}
			b.wantEntries("the next entry", entries, ofSession(r, lanyard.ReasonLogout))
			for what, c := range map[string]string{"that returned it": next, "of the end": done.Cursor} {
				if c == "" {
					b.Fatalf("the cursor %s is empty", what)
				}
			}
			entries, cursor, err = b.store.Revocations(b.ctx, next, 10)
			if err != nil || len(entries) != 0 {
				b.Errorf("behind everything there are %d entries and error %v", len(entries), err)
			}
		}
	})},
	{"Revocations starts behind the entry that Revoke's cursor names", check(func(b *bed) {
		first, second, third := b.start("alice"), b.start("alice"), b.start("alice")
		cursor := b.end(lanyard.End{SID: first.SID}).Cursor
		last := b.end(lanyard.End{SID: second.SID}).Cursor
		entries, _ := b.feedAfter(cursor)
		b.wantEntries("behind the first", entries, ofSession(second, lanyard.ReasonLogout))
		entries, _ = b.feedAfter(last)
		b.wantEntries("behind the second", entries)
		last = b.end(lanyard.End{Subject: "alice"}).Cursor
		b.wantEnded(third, nil, lanyard.ReasonLogout, "somebody")
		entries, _ = b.feedAfter(last)
		b.wantEntries("behind the subject's", entries)
		if done := b.end(lanyard.End{Subject: "alice", Except: first.SID}); done.Cursor != "" {
			b.Errorf("the cursor of an end that appended nothing is %q", done.Cursor)
		}
	})},
	{"Revocations refuses a cursor the store did not make", check(func(b *bed) {
		b.end(lanyard.End{SID: b.start("alice").SID})
		for _, cursor := range []string{"x", "-1", "999999999999", "' OR 1=1 --", "AAAA", "\x00", b.head() + "A"} {
			if _, _, err := b.store.Revocations(b.ctx, cursor, 10); !errors.Is(err, lanyard.ErrBadCursor) {
				b.Errorf("cursor %q: error %v, want %v", cursor, err, lanyard.ErrBadCursor)
			}
		}
	})},
}
