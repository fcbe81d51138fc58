package storetest

import (
	"fmt"

	"github.com/lanyard-go/lanyard"
)

var comparerCases = []Case{
	{"Covers says whether a reader has seen all that another has", able(func(b *bed, s lanyard.Comparer) {
		cursors := []string{"", b.head()}
		slow := ""
		for _, e := range b.ends() {
			cursors = append(cursors, b.end(e).Cursor)
			_, next, err := b.store.Revocations(b.ctx, slow, 1)
			if err != nil {
				b.Fatalf("Revocations: %v", err)
			}
			slow = next
			cursors = append(cursors, slow, b.head())
		}
		unseen := make([]map[lanyard.Entry]bool, len(cursors))
		for i, cursor := range cursors {
			entries, _ := b.feedAfter(cursor)
			unseen[i] = make(map[lanyard.Entry]bool, len(entries))
			for _, e := range entries {
				unseen[i][e] = true
			}
		}
		for i, have := range cursors {
			for j, want := range cursors {
				missing := 0
				for e := range unseen[i] {
					if !unseen[j][e] {
						missing++
					}
				}
				if got := b.covers(s, have, want); got != (missing == 0) {
					b.Errorf("%q covers %q: %t, but of what the second has seen the first has not seen %d entries", have, want, got, missing)
				}
			}
		}
	})},
	{"Covers tells when a reader has seen an end", able(func(b *bed, s lanyard.Comparer) {
		for _, e := range b.ends() {
			cursor := b.head()
			goal := b.end(e).Cursor
			for _, subject := range []string{"dave", "erin"} { // what comes next is in the way
				b.end(lanyard.End{SID: b.start(subject).SID})
			}
			after, _ := b.feedAfter(cursor)
			left, _ := b.feedAfter(goal)
			need := make(map[lanyard.Entry]bool)
			for _, entry := range after {
				need[entry] = true
			}
			for _, entry := range left {
				delete(need, entry)
			}
			if len(need) == 0 {
				b.Fatalf("the cursor of %+v is behind no entry of its own", e)
			}
			for last := false; ; {
				if b.covers(s, cursor, goal) {
					if len(need) > 0 {
						b.Errorf("a reader of the end %+v has %d entries to see, and is said to have seen them", e, len(need))
					}
					break
				}
				if last {
					b.Errorf("a reader who has seen everything is said not to have seen the end %+v", e)
					break
				}
				entries, next, err := b.store.Revocations(b.ctx, cursor, 1)
				if err != nil {
					b.Fatalf("Revocations: %v", err)
				}
				for _, entry := range entries {
					delete(need, entry)
				}
				cursor, last = next, len(entries) == 0
			}
		}
	})},
	{"Covers refuses a cursor the store did not make", able(func(b *bed, s lanyard.Comparer) {
		b.end(lanyard.End{SID: b.start("alice").SID})
		good := b.head()
		for _, bad := range []string{"x", "-1", "999999999999", "' OR 1=1 --", "AAAA", "\x00", good + "A"} {
			for _, pair := range [][2]string{{bad, good}, {good, bad}, {bad, bad}, {bad, ""}, {"", bad}} {
				_, err := s.Covers(pair[0], pair[1])
				b.wantIs(fmt.Sprintf("%q and %q", pair[0], pair[1]), err, lanyard.ErrBadCursor)
			}
		}
	})},
}

// ends are ends of every kind, of new sessions of several subjects.
func (b *bed) ends() []lanyard.End {
	b.Helper()
	spared := b.start("carol")
	b.start("carol")
	b.linked(spared)
	return []lanyard.End{
		{SID: b.start("alice").SID},
		{SID: b.start("bob").SID},
		{Subject: "alice"},
		{Subject: "carol", Except: spared.SID},
		{Key: "k1"},
		{All: true},
		{SID: spared.SID},
		{Key: "k2"},
	}
}

func (b *bed) covers(s lanyard.Comparer, have, want string) bool {
	b.Helper()
	covers, err := s.Covers(have, want)
	if err != nil {
		b.Fatalf("Covers of %q and %q: %v", have, want, err)
	}
	return covers
}
