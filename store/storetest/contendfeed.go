package storetest

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

// contendFeed has writers append in several ways while readers follow. An entry
// that appears behind a cursor that was handed out is never seen by the reader
// who holds it.
func contendFeed(b *bed, rounds int) {
	const writers, readers = 4, 3
	each := rounds/10 + 5
	var done atomic.Bool
	var wrote sync.WaitGroup
	wrote.Add(writers)
	appended := make([]map[lanyard.Entry]int, writers) // with each entry's number
	seen := make([][]lanyard.Entry, readers)
	together(writers+readers+1, func(i int) {
		switch {
		case i < writers:
			defer wrote.Done()
			appended[i] = b.appendEntries(i, each)
		case i < writers+readers:
			seen[i-writers] = b.follow(1+3*(i-writers), &done)
		default:
			wrote.Wait()
			done.Store(true)
		}
	})

	all, _ := b.feedAfter("")
	b.wantFeed("the feed", all, appended)
	for r, entries := range seen {
		b.wantFeed(fmt.Sprint("what reader ", r, " followed"), entries, appended)
	}
}

// wantFeed expects all that was appended, once, and the entries of each writer
// in their order.
func (b *bed) wantFeed(what string, got []lanyard.Entry, appended []map[lanyard.Entry]int) {
	b.Helper()
	place := make(map[lanyard.Entry]int)
	for i, e := range got {
		if _, twice := place[e]; twice {
			b.Errorf("%s: twice: %+v", what, e)
		}
		place[e] = i
	}
	total := 0
	for w, entries := range appended {
		order := make([]lanyard.Entry, len(entries))
		for e, i := range entries {
			order[i] = e
		}
		last := -1
		for i, e := range order {
			at, there := place[e]
			if !there {
				b.Errorf("%s: entry %d of writer %d is missing: %+v", what, i, w, e)
			} else if at < last {
				b.Errorf("%s: entry %d of writer %d comes before an earlier one", what, i, w)
			}
			last = max(last, at)
		}
		total += len(entries)
	}
	if len(got) != total {
		b.Errorf("%s: %d entries, %d were appended", what, len(got), total)
	}
}

// appendEntries appends through every method that does, for one subject, whose
// entries have an order whatever the store's partitions are.
func (b *bed) appendEntries(writer, n int) map[lanyard.Entry]int {
	subject := fmt.Sprint("writer", writer)
	mine := make(map[lanyard.Entry]int)
	add := func(e lanyard.Entry) {
		if _, there := mine[e]; !there {
			mine[e] = len(mine)
		}
	}
	for i := range n {
		r := b.record(subject)
		if _, err := b.store.Create(b.ctx, r, lanyard.Limit{}); err != nil {
			b.Errorf("Create: %v", err)
			return mine
		}
		var err error
		switch i % 3 {
		case 0:
			_, err = b.store.Revoke(b.ctx, ending(lanyard.End{SID: r.SID}))
			add(ofSession(r, lanyard.ReasonLogout))
		case 1:
			e := lanyard.Entry{Kind: lanyard.EntryGeneration, SID: r.SID, Generation: uint32(i), At: now, Until: until}
			err = b.store.Update(b.ctx, r, e)
			add(e)
			if err == nil {
				_, err = b.store.Revoke(b.ctx, ending(lanyard.End{SID: r.SID}))
				add(ofSession(r, lanyard.ReasonLogout))
			}
		case 2:
			_, err = b.store.Create(b.ctx, b.record(subject), limit(1, lanyard.LimitEndOldest))
			add(ofSession(r, lanyard.ReasonLimit))
			if err == nil {
				var done lanyard.Ended
				done, err = b.store.Revoke(b.ctx, ending(lanyard.End{Subject: subject}))
				add(lanyard.Entry{
					Kind: lanyard.EntrySubject, Subject: subject, Epoch: done.Epoch,
					Reason: lanyard.ReasonLogout, At: now, Until: until,
				})
			}
		}
		if err != nil {
			b.Errorf("appending: %v", err)
			return mine
		}
	}
	return mine
}

// follow reads the feed in pages of n until the writers are done and nothing is
// left.
func (b *bed) follow(n int, done *atomic.Bool) []lanyard.Entry {
	var seen []lanyard.Entry
	cursor := ""
	for len(seen) < 1_000_000 {
		last := done.Load()
		entries, next, err := b.store.Revocations(b.ctx, cursor, n)
		if err != nil {
			b.Errorf("Revocations: %v", err)
			return seen
		}
		seen = append(seen, entries...)
		cursor = next
		if len(entries) == 0 {
			if last {
				break
			}
			runtime.Gosched() // or the readers would have the processor
		}
	}
	return seen
}
