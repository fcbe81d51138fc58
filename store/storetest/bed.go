package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// The times of the cases. Records are made one millisecond apart from base.
const (
	base     lanyard.Time = 1_800_000_000_000
	minute                = lanyard.Time(time.Minute / time.Millisecond)
	now                   = base + 10*minute // of the calls
	idle                  = base + 30*minute // IdleExpiresAt
	until                 = now + 15*minute  // of feed entries
	absolute              = base + 720*minute
)

// bed is a case at work: the store under test and the steps that cases share.
// Those named like methods of the store do not expect an error.
type bed struct {
	testing.TB
	store lanyard.Store
	ctx   context.Context
	made  atomic.Uint64 // records so far
}

func check(f func(*bed)) func(testing.TB, lanyard.Store) {
	return func(t testing.TB, s lanyard.Store) {
		f(&bed{TB: t, store: s, ctx: context.Background()})
	}
}

// record returns a new cookie record, later than all before it.
func (b *bed) record(subject string) *lanyard.Record {
	n := b.made.Add(1)
	created := base + lanyard.Time(n)
	r := &lanyard.Record{
		SID: sid(subject, created, n), State: lanyard.StateLive, Channel: lanyard.ChannelCookie,
		Subject: subject, Generation: 1,
		CreatedAt: created, AuthTime: created, LastActive: created,
		IdleExpiresAt: idle, ExpiresAt: absolute,
		Handle: sha256.Sum256(binary.BigEndian.AppendUint64(nil, n)),
	}
	if subject == "" {
		r.State = lanyard.StateAnonymous
	}
	return r
}

// sid makes an identifier with the shard tag that the subject's partition asks
// for, unique by n.
func sid(subject string, at lanyard.Time, n uint64) lanyard.SID {
	tag := n % lanyard.Partitions
	if subject != "" {
		tag = uint64(lanyard.SubjectPartition(subject))
	}
	var s lanyard.SID
	binary.BigEndian.PutUint64(s[:8], uint64(at)<<16|tag<<6)
	binary.BigEndian.PutUint64(s[8:], n)
	return s
}

// start creates a new record of the subject.
func (b *bed) start(subject string) *lanyard.Record {
	b.Helper()
	r := b.record(subject)
	b.create(r, lanyard.Limit{})
	return r
}

// linked creates a new record that was handed off from another.
func (b *bed) linked(origin *lanyard.Record) *lanyard.Record {
	b.Helper()
	r := b.record(origin.Subject)
	r.Origin = origin.SID
	b.create(r, lanyard.Limit{})
	return r
}

func (b *bed) create(r *lanyard.Record, limit lanyard.Limit) []*lanyard.Record {
	b.Helper()
	ended, err := b.store.Create(b.ctx, r, limit)
	if err != nil {
		b.Fatalf("Create: %v", err)
	}
	return ended
}

func (b *bed) get(sid lanyard.SID) *lanyard.Record {
	b.Helper()
	r, err := b.store.Get(b.ctx, sid)
	if err != nil {
		b.Fatalf("Get: %v", err)
	}
	return r
}

func (b *bed) update(r *lanyard.Record, announce ...lanyard.Entry) {
	b.Helper()
	if err := b.store.Update(b.ctx, r, announce...); err != nil {
		b.Fatalf("Update: %v", err)
	}
}

func (b *bed) revoke(e lanyard.End) lanyard.Ended {
	b.Helper()
	done, err := b.store.Revoke(b.ctx, e)
	if err != nil {
		b.Fatalf("Revoke: %v", err)
	}
	return done
}

// end completes e with a reason, who asks, and times, and revokes.
func (b *bed) end(e lanyard.End) lanyard.Ended {
	b.Helper()
	return b.revoke(ending(e))
}

func ending(e lanyard.End) lanyard.End {
	e.Reason, e.By, e.Now, e.Until = lanyard.ReasonLogout, "somebody", now, until
	return e
}

func (b *bed) prune(p lanyard.Prune) lanyard.Ended {
	b.Helper()
	done, err := b.store.Prune(b.ctx, p)
	if err != nil {
		b.Fatalf("Prune: %v", err)
	}
	return done
}

// feedAfter returns all entries after the cursor and the cursor behind them,
// read in small pages.
func (b *bed) feedAfter(cursor string) ([]lanyard.Entry, string) {
	b.Helper()
	var all []lanyard.Entry
	for range 10_000 {
		page, next, err := b.store.Revocations(b.ctx, cursor, 3)
		if err != nil {
			b.Fatalf("Revocations: %v", err)
		}
		if len(page) > 3 {
			b.Fatalf("Revocations returned %d entries, asked for at most 3", len(page))
		}
		cursor = next
		if len(page) == 0 {
			return all, cursor
		}
		all = append(all, page...)
	}
	b.Fatal("Revocations goes on forever")
	return nil, ""
}

// head returns the cursor behind everything there is.
func (b *bed) head() string {
	b.Helper()
	_, cursor := b.feedAfter("")
	return cursor
}

// walk returns the records of all pages of a query, and checks the pages.
func (b *bed) walk(q lanyard.Query) []*lanyard.Record {
	b.Helper()
	var all []*lanyard.Record
	for range 10_000 {
		page, err := b.store.List(b.ctx, q)
		if err != nil {
			b.Fatalf("List: %v", err)
		}
		if len(page.Records) > q.PageSize() {
			b.Fatalf("List returned %d records, asked for at most %d", len(page.Records), q.PageSize())
		}
		all = append(all, page.Records...)
		if page.Next == "" {
			return all
		}
		q.After = page.Next
	}
	b.Fatal("List goes on forever")
	return nil
}

// wantIs expects err to match the sentinel.
func (b *bed) wantIs(what string, err, sentinel error) {
	b.Helper()
	if !errors.Is(err, sentinel) {
		b.Errorf("%s: error %v, want %v", what, err, sentinel)
	}
}

// wantSame expects two records to be alike in every field.
func (b *bed) wantSame(what string, got, want *lanyard.Record) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// wantStored expects the store to hold r as it is.
func (b *bed) wantStored(what string, r *lanyard.Record) {
	b.Helper()
	b.wantSame(what, b.get(r.SID), r)
}

// wantRecords expects exactly these records, in any order.
func (b *bed) wantRecords(what string, got []*lanyard.Record, want ...*lanyard.Record) {
	b.Helper()
	missing := make(map[lanyard.SID]bool)
	for _, r := range want {
		missing[r.SID] = true
	}
	for _, r := range got {
		if !missing[r.SID] {
			b.Errorf("%s: %s is not wanted there, or twice", what, r.SID)
		}
		delete(missing, r.SID)
	}
	for sid := range missing {
		b.Errorf("%s: %s is missing", what, sid)
	}
}

// wantEnded expects that before has ended in the store for the given reason,
// with every other field as it was, and that got, if not nil, is the same.
func (b *bed) wantEnded(before, got *lanyard.Record, reason lanyard.Reason, by string) {
	b.Helper()
	stored := b.get(before.SID)
	if !stored.Ended() || stored.EndReason != reason || stored.EndedBy != by || stored.EndedAt != now {
		b.Errorf("%s: reason %q by %q at %d, want %q by %q at %d",
			before.SID, stored.EndReason, stored.EndedBy, stored.EndedAt, reason, by, now)
	}
	if stored.Version <= before.Version {
		b.Errorf("%s: ended at version %d, was %d: its end is a write", before.SID, stored.Version, before.Version)
	}
	want := *before
	want.Version, want.Fenced = stored.Version, stored.Fenced
	want.EndedAt, want.EndReason, want.EndedBy = stored.EndedAt, stored.EndReason, stored.EndedBy
	b.wantSame("the ended record", stored, &want)
	if got != nil {
		b.wantSame("the record returned as ended", got, stored)
	}
}

// wantLive expects that r has not ended.
func (b *bed) wantLive(r *lanyard.Record) {
	b.Helper()
	if got := b.get(r.SID); got.Ended() {
		b.Errorf("%s has ended (%q, fenced %v), want it live", r.SID, got.EndReason, got.Fenced)
	}
}

// wantEntries expects these entries, in this order.
func (b *bed) wantEntries(what string, got []lanyard.Entry, want ...lanyard.Entry) {
	b.Helper()
	if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		b.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// ofSession is the feed entry for the end of one record.
func ofSession(r *lanyard.Record, reason lanyard.Reason) lanyard.Entry {
	return lanyard.Entry{Kind: lanyard.EntrySession, SID: r.SID, Reason: reason, At: now, Until: until}
}

// only returns the record of an outcome that should hold one.
func (b *bed) only(records []*lanyard.Record) *lanyard.Record {
	b.Helper()
	if len(records) != 1 {
		b.Fatalf("%d records were returned as ended, want 1", len(records))
	}
	return records[0]
}
