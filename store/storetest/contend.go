package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// ContentionCases returns the cases of [Contend]. A round is about one contended
// write or one contended record.
func ContentionCases(rounds int) []Case {
	rounds = max(rounds, 1)
	with := func(f func(*bed, int)) func(testing.TB, lanyard.Store) {
		return check(func(b *bed) { f(b, rounds) })
	}
	return []Case{
		{"Create at once with one SID stores one record", with(contendSID)},
		{"Create at once keeps within the limit", with(contendLimit)},
		{"Create races with the end of its subject", with(contendEpoch)},
		{"Create races with the end of everything", with(contendFence)},
		{"Update at once loses no write", with(contendCounter)},
		{"Update at once spends a refresh token once", with(contendRotate)},
		{"Update never revives what ends meanwhile", with(contendEnd)},
		{"List walks while records come and change", with(contendList)},
		{"Revoke at once returns a record once", with(contendRevoke)},
		{"Revocations skips nothing while writers append", with(contendFeed)},
		{"Once at once has one winner", with(contendOnce)},
		{"Prune races with a touch", with(contendPrune)},
		{"Note at once has one winner", able(contendNote(rounds))},
		{"Leases at once are as of one moment", able(contendLeases(rounds))},
		{"DropLease never removes a lease that was just set", able(contendDrop(rounds))},
	}
}

// together runs n callers, which start as close to each other as can be, and
// waits for all. They report with Errorf only.
func together(n int, call func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			call(i)
		})
	}
	close(start)
	all.Wait()
}

func contendSID(b *bed, rounds int) {
	for range rounds/50 + 1 {
		first := b.record("alice")
		var won atomic.Pointer[lanyard.Record]
		together(8, func(i int) {
			r := first.Clone()
			r.Data = []byte{byte(i)}
			switch _, err := b.store.Create(b.ctx, r, lanyard.Limit{}); {
			case err == nil:
				if won.Swap(r) != nil {
					b.Errorf("two callers created %s", r.SID)
				}
			case !errors.Is(err, lanyard.ErrExists):
				b.Errorf("Create: %v", err)
			}
		})
		if r := won.Load(); r != nil {
			b.wantStored("the winner", r)
		} else {
			b.Error("nobody created the record")
		}
	}
}

func contendLimit(b *bed, rounds int) {
	const callers, most = 50, 5
	for round := range max(rounds/500, 6) {
		action := lanyard.LimitAction(round % 3)
		subject := fmt.Sprint("subject", round)
		var made, ended, refused atomic.Int64
		cursor := b.head()
		together(callers, func(int) {
			over, err := b.store.Create(b.ctx, b.record(subject), limit(most, action))
			ended.Add(int64(len(over)))
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, lanyard.ErrLimit) && action == lanyard.LimitRefuse:
				refused.Add(1)
			default:
				b.Errorf("Create: %v", err)
			}
		})
		live := int64(len(b.walk(lanyard.Query{Subject: subject, LiveAt: now})))
		all := int64(len(b.walk(lanyard.Query{Subject: subject})))
		entries, _ := b.feedAfter(cursor)
		if live != most || made.Load()-ended.Load() != live || made.Load()+refused.Load() != callers ||
			all != made.Load() || int64(len(entries)) != ended.Load() {
			b.Errorf("%d logins, limit %d: %d live, %d made, %d ended, %d refused, %d stored, %d in the feed",
				callers, most, live, made.Load(), ended.Load(), refused.Load(), all, len(entries))
		}
	}
}

func contendEpoch(b *bed, rounds int) {
	contendCreate(b, rounds, lanyard.End{Subject: "alice"}, func() string { return "alice" })
}

func contendFence(b *bed, rounds int) {
	var n atomic.Uint64
	contendCreate(b, rounds, lanyard.End{All: true}, func() string {
		return fmt.Sprint("subject", n.Add(1)%100)
	})
}

// contendCreate creates records while e is revoked again and again. A record is
// older than an end that was called after it was returned, and younger than one
// that had returned before it was asked for.
func contendCreate(b *bed, rounds int, e lanyard.End, subject func() string) {
	ends := int64(rounds/200 + 2)
	var called, returned atomic.Int64
	type birth struct {
		record        *lanyard.Record
		before, after int64 // ends returned before it, and called by the time it was there
	}
	births := make([][]birth, 4)
	together(len(births)+1, func(i int) {
		if i == len(births) {
			for range ends {
				enough := b.made.Load() + 20 // creations to race with
				for range 1000 {
					if b.made.Load() >= enough {
						break
					}
					runtime.Gosched()
				}
				called.Add(1)
				if _, err := b.store.Revoke(b.ctx, ending(e)); err != nil {
					b.Errorf("Revoke: %v", err)
				}
				returned.Add(1)
			}
			return
		}
		// A few more once all ends have returned, so that some have to live.
		for more := 3; more > 0; {
			if returned.Load() == ends {
				more--
			}
			one := birth{record: b.record(subject()), before: returned.Load()}
			if _, err := b.store.Create(b.ctx, one.record, lanyard.Limit{}); err != nil {
				b.Errorf("Create: %v", err)
				return
			}
			one.after = called.Load()
			births[i] = append(births[i], one)
		}
	})
	for _, list := range births {
		for _, one := range list {
			r, err := b.store.Get(b.ctx, one.record.SID)
			switch {
			case err != nil:
				b.Errorf("Get: %v", err)
			case one.after < ends && !r.Ended():
				b.Errorf("%s is older than end %d of %d and lives", r.SID, one.after+1, ends)
			case one.before == ends && r.Ended():
				b.Errorf("%s is younger than all %d ends and has ended (%q, fenced %v)", r.SID, ends, r.EndReason, r.Fenced)
			}
		}
	}
}

func contendCounter(b *bed, rounds int) {
	const callers = 8
	each := rounds/20 + 1
	r := b.start("alice")
	together(callers, func(int) {
		for range each {
			b.retry(r.SID, func(r *lanyard.Record) { r.Generation++ })
		}
	})
	if got := b.get(r.SID); got.Generation != uint32(1+callers*each) {
		b.Errorf("%d writes of %d were lost", uint32(1+callers*each)-got.Generation, callers*each)
	}
}

// retry updates the record until nobody comes between; it reports false when
// the record has ended.
func (b *bed) retry(sid lanyard.SID, change func(*lanyard.Record)) bool {
	for range 10_000 {
		r, err := b.store.Get(b.ctx, sid)
		if err != nil {
			b.Errorf("Get: %v", err)
			return false
		}
		if r.Ended() {
			return false
		}
		runtime.Gosched() // let the others in
		change(r)
		switch err := b.store.Update(b.ctx, r); {
		case err == nil:
			return true
		case errors.Is(err, lanyard.ErrEnded):
			return false
		case !errors.Is(err, lanyard.ErrConflict):
			b.Errorf("Update: %v", err)
			return false
		}
	}
	b.Errorf("%s: always a conflict", sid)
	return false
}

func contendEnd(b *bed, rounds int) {
	writers := []func(*lanyard.Record){
		func(r *lanyard.Record) { r.LastActive++; r.IdleExpiresAt++ },
		func(r *lanyard.Record) { r.Refresh = &lanyard.Refresh{Counter: uint32(r.Version)} },
		func(r *lanyard.Record) { r.Generation++; r.Handle[0]++ },
		func(r *lanyard.Record) { r.Data = []byte{byte(r.Version)} },
	}
	for round := range rounds {
		subject := fmt.Sprint("subject", round%50)
		r := b.start(subject)
		var wrote atomic.Int64
		together(len(writers)+1, func(i int) {
			if i < len(writers) {
				for range 10_000 {
					if b.Failed() || !b.retry(r.SID, writers[i]) {
						return
					}
					wrote.Add(1)
				}
				b.Errorf("%s: written 10000 times and not ended", r.SID)
				return
			}
			for n := 0; n < 1000 && wrote.Load() < int64(round%7); n++ {
				runtime.Gosched() // in the midst of writing
			}
			b.endSomehow(round, r)
			if got, err := b.store.Get(b.ctx, r.SID); err != nil || !got.Ended() {
				b.Errorf("%s lives after its end had returned (%v)", r.SID, err)
			}
		})
		if b.Failed() {
			return // the other rounds would say the same
		}
		got := b.get(r.SID)
		if !got.Ended() {
			b.Fatalf("%s was revived in round %d", r.SID, round)
		}
		got.EndReason, got.EndedAt, got.EndedBy, got.Fenced = "", 0, "", false
		b.wantIs("Update of the newest version", b.store.Update(b.ctx, got), lanyard.ErrEnded)
	}
}

// endSomehow ends r in one of the ways there are.
func (b *bed) endSomehow(round int, r *lanyard.Record) {
	var err error
	switch round % 5 {
	case 0, 1:
		_, err = b.store.Revoke(b.ctx, ending(lanyard.End{SID: r.SID}))
	case 2:
		_, err = b.store.Revoke(b.ctx, ending(lanyard.End{Subject: r.Subject}))
	case 3:
		_, err = b.store.Revoke(b.ctx, ending(lanyard.End{All: true}))
	case 4:
		_, err = b.store.Create(b.ctx, b.record(r.Subject), limit(1, lanyard.LimitEndOldest))
	}
	if err != nil {
		b.Errorf("ending %s: %v", r.SID, err)
	}
}

func contendList(b *bed, rounds int) {
	var stay []*lanyard.Record
	for i := range 60 {
		stay = append(stay, b.start([]string{"alice", "bob", ""}[i%3]))
	}
	together(4, func(i int) {
		for n := range rounds/100 + 5 {
			switch i {
			case 0:
				if _, err := b.store.Create(b.ctx, b.record("alice"), lanyard.Limit{}); err != nil {
					b.Errorf("Create: %v", err)
				}
			case 1:
				b.retry(stay[n%len(stay)].SID, func(r *lanyard.Record) { r.LastActive++ })
			default:
				b.walkOnce(lanyard.Query{Limit: 7}, stay)
				b.walkOnce(lanyard.Query{Subject: "bob", Limit: 7}, nil)
			}
		}
	})
}

// walkOnce walks while others write. It expects to meet all of stay, and nobody
// twice.
func (b *bed) walkOnce(q lanyard.Query, stay []*lanyard.Record) {
	met := make(map[lanyard.SID]bool)
	for range 10_000 {
		page, err := b.store.List(b.ctx, q)
		if err != nil {
			b.Errorf("List: %v", err)
			return
		}
		for _, r := range page.Records {
			if met[r.SID] {
				b.Errorf("a walk met %s twice", r.SID)
				return
			}
			met[r.SID] = true
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	for _, r := range stay {
		if !met[r.SID] {
			b.Errorf("a walk missed %s", r.SID)
		}
	}
}

func contendRevoke(b *bed, rounds int) {
	for round := range rounds/20 + 1 {
		origin := b.start("alice")
		phone := b.linked(origin)
		cursor := b.head()
		var origins, phones atomic.Int64
		together(6, func(i int) {
			e := lanyard.End{SID: origin.SID}
			switch {
			case i == 1:
				e = lanyard.End{SID: phone.SID}
			case i == 2:
				e = lanyard.End{Subject: "alice", Except: sid("alice", base, 1<<40)}
			case i == 3 && round%2 == 0:
				e = lanyard.End{Subject: "alice"}
			}
			done, err := b.store.Revoke(b.ctx, ending(e))
			if err != nil {
				b.Errorf("Revoke: %v", err)
			}
			for _, r := range done.Records {
				switch r.SID {
				case origin.SID:
					origins.Add(1)
				case phone.SID:
					phones.Add(1)
				default:
					b.Errorf("%s ended again", r.SID)
				}
			}
		})
		if origins.Load() != 1 || phones.Load() != 1 {
			b.Errorf("returned as ended %d and %d times, want once each", origins.Load(), phones.Load())
		}
		told := make(map[lanyard.SID]int)
		entries, _ := b.feedAfter(cursor)
		for _, e := range entries {
			if e.Kind == lanyard.EntrySession {
				told[e.SID]++
			}
		}
		if told[origin.SID] > 1 || told[phone.SID] > 1 {
			b.Errorf("told of %d and %d times, want once at most", told[origin.SID], told[phone.SID])
		}
	}
}

func contendOnce(b *bed, rounds int) {
	for round := range rounds/10 + 1 {
		key := fmt.Sprint("key", round)
		var won atomic.Int64
		together(8, func(int) {
			first, err := b.store.Once(b.ctx, key, now, until)
			if err != nil {
				b.Errorf("Once: %v", err)
			}
			if first {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			b.Errorf("key %s had %d winners", key, won.Load())
		}
	}
}

func contendPrune(b *bed, rounds int) {
	for range rounds/20 + 1 {
		r := b.record("alice")
		r.IdleExpiresAt = now
		b.create(r, lanyard.Limit{})
		var pruned, touched atomic.Int64
		together(4, func(i int) {
			if i > 0 {
				done, err := b.store.Prune(b.ctx, lanyard.Prune{Now: now, Limit: 10})
				if err != nil {
					b.Errorf("Prune: %v", err)
				}
				pruned.Add(int64(len(done.Records)))
			} else if b.retry(r.SID, func(r *lanyard.Record) { r.IdleExpiresAt = idle }) {
				touched.Add(1)
			}
		})
		if touched.Load()+pruned.Load() != 1 {
			b.Errorf("touched %d times and pruned %d times, want one or the other", touched.Load(), pruned.Load())
		}
		if got := b.get(r.SID); got.Ended() != (pruned.Load() == 1) {
			b.Errorf("%s: ended is %v after %d prunes", r.SID, got.Ended(), pruned.Load())
		}
	}
}
