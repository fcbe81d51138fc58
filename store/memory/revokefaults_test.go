package memory_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

// revokeFaults are those of Revoke, Revocations, Once and Prune.
var revokeFaults = []fault{
	{"Revoke returns what had ended already", "Revoke leaves a record that has ended as it is", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			done, err := b.Store.Revoke(ctx, e)
			if r, found := b.Store.Get(ctx, e.SID); err == nil && found == nil && len(done.Records) == 0 {
				done.Records = []*lanyard.Record{r}
			}
			return done, err
		}
	}},
	{"Revoke does nothing", "Revoke ends one record and appends to the feed", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if r, err := b.Store.Get(ctx, e.SID); err == nil {
				return lanyard.Ended{Records: []*lanyard.Record{r}}, nil
			}
			return lanyard.Ended{}, nil
		}
	}},
	{"Revoke forgets who asked", "Revoke ends one record and appends to the feed", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			e.By = ""
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke writes the last reason over the first", "Revoke leaves a record that has ended as it is", func(b *broken) {
		var last sync.Map
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			done, err := b.Store.Revoke(ctx, e)
			last.Store(e.SID, e.Reason)
			return done, err
		}
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if reason, ok := last.Load(sid); ok && err == nil {
				r.EndReason = reason.(lanyard.Reason)
			}
			return r, err
		}
	}},
	{"Revoke finds every SID", "Revoke answers that there is no such record", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			done, err := b.Store.Revoke(ctx, e)
			if errors.Is(err, lanyard.ErrNotFound) {
				return done, nil
			}
			return done, err
		}
	}},
	{"Revoke loses those linked", "Revoke ends the records handed off, through others too", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			e.KeepLinked = true
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke never keeps those linked", "Revoke with KeepLinked spares the records handed off", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			e.KeepLinked = false
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke stops at a record that had ended", "Revoke reaches records handed off from one that has ended", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if r, err := b.Store.Get(ctx, e.SID); err == nil && r.EndReason != "" {
				return lanyard.Ended{}, nil
			}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke ends the origin too", "Revoke of a record handed off leaves its origin", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if r, err := b.Store.Get(ctx, e.SID); err == nil && !r.Origin.IsZero() && !r.Ended() {
				if _, err := b.Store.Get(ctx, r.Origin); err == nil {
					e.SID = r.Origin
				}
			}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke needs no reason", "Revoke refuses an End that does not say what or why", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if e.Reason == "" {
				e.Reason = lanyard.ReasonAdmin
			}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke keeps the reason it was given for a fenced record", "Revoke of a fenced record writes down why it ended", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			done, err := b.Store.Revoke(ctx, e)
			for _, r := range done.Records {
				r.EndReason = e.Reason
			}
			return done, err
		}
	}},
	{"Revoke of a subject misses a record", "Revoke of a subject raises its epoch and ends all its records", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			page, err := b.Store.List(ctx, lanyard.Query{Subject: e.Subject, Limit: 1})
			if e.Subject != "" && e.Except.IsZero() && err == nil && len(page.Records) > 0 {
				e.Except = page.Records[0].SID
			}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke of a subject keeps the epoch", "Revoke of a subject without records raises its epoch", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if e.Subject != "" && e.Except.IsZero() {
				e.Except = lanyard.SID{15: 1}
			}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke of a subject raises the epoch for all", "Create stamps the epoch of the subject", func(b *broken) {
		var extra atomic.Uint64
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			done, err := b.Store.Revoke(ctx, e)
			if e.Subject != "" {
				extra.Add(1)
			}
			return done, err
		}
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			r.SubjectEpoch += extra.Load()
			return ended, err
		}
	}},
	{"Revoke forgets the epoch of a subject at the next Prune", "Revoke of a subject keeps its epoch while it is in the feed", func(b *broken) {
		var pruned atomic.Bool
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			pruned.Store(true)
			return b.Store.Prune(ctx, p)
		}
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			if pruned.Load() {
				r.SubjectEpoch = 0
			}
			return ended, err
		}
	}},
	{"Revoke of a subject spares nobody", "Revoke of a subject spares Except and keeps the epoch", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			e.Except = lanyard.SID{}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke of all ignores AtLeast", "Revoke of all raises the epoch to AtLeast", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			e.AtLeast = 0
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke of a key tells nobody", "Revoke of a key ends no record", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if e.Key != "" {
				return lanyard.Ended{}, nil
			}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke tells of more than it ended", "Revocations starts behind the entry that Revoke's cursor names", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			done, err := b.Store.Revoke(ctx, e)
			if err == nil && len(done.Records) == 0 {
				again, _ := b.Store.Revoke(ctx, lanyard.End{Key: "k1", Until: e.Until})
				done.Cursor = again.Cursor
			}
			return done, err
		}
	}},
	{"Revocations skips an entry between pages", "Revocations returns entries in one order, in pages", func(b *broken) {
		b.revocations = func(after string, limit int) ([]lanyard.Entry, string, error) {
			entries, next, err := b.Store.Revocations(ctx, after, limit)
			if err == nil && len(entries) == limit {
				_, next, err = b.Store.Revocations(ctx, next, 1)
			}
			return entries, next, err
		}
	}},
	{"Revocations shows an entry late, behind its cursor", "Revocations skips nothing while writers append", func(b *broken) {
		b.revocations = func(after string, limit int) ([]lanyard.Entry, string, error) {
			entries, next, err := b.Store.Revocations(ctx, after, limit)
			if len(entries) > 1 {
				entries = slices.Delete(entries, len(entries)-2, len(entries)-1)
			}
			return entries, next, err
		}
	}},
	{"Revocations turns a page round", "Revocations returns entries in one order, in pages", func(b *broken) {
		b.revocations = func(after string, limit int) ([]lanyard.Entry, string, error) {
			entries, next, err := b.Store.Revocations(ctx, after, limit)
			slices.Reverse(entries)
			return entries, next, err
		}
	}},
	{"Revocations returns more than was asked for", "Revocations returns entries in one order, in pages", func(b *broken) {
		b.revocations = func(after string, limit int) ([]lanyard.Entry, string, error) {
			return b.Store.Revocations(ctx, after, limit+1)
		}
	}},
	{"Revocations takes any cursor", "Revocations refuses a cursor the store did not make", func(b *broken) {
		b.revocations = func(after string, limit int) ([]lanyard.Entry, string, error) {
			entries, next, err := b.Store.Revocations(ctx, after, limit)
			if errors.Is(err, lanyard.ErrBadCursor) {
				return b.Store.Revocations(ctx, "", limit)
			}
			return entries, next, err
		}
	}},
	{"Revocations has the empty cursor for an empty feed", "Revocations continues after any cursor", func(b *broken) {
		b.revocations = func(after string, limit int) ([]lanyard.Entry, string, error) {
			entries, next, err := b.Store.Revocations(ctx, after, limit)
			if len(entries) == 0 {
				next = ""
			}
			return entries, next, err
		}
	}},
	{"Once looks first and writes then", "Once at once has one winner", func(b *broken) {
		var used sync.Map
		var looked atomic.Int64
		b.once = func(key string, now, until lanyard.Time) (bool, error) {
			_, there := used.Load(key)
			looked.Add(1)
			for n := 0; n < 10_000 && looked.Load() < 2; n++ {
				runtime.Gosched() // two have looked
			}
			used.Store(key, true)
			return !there, nil
		}
	}},
	{"Once always says yes", "Once returns true to one caller", func(b *broken) {
		b.once = func(string, lanyard.Time, lanyard.Time) (bool, error) { return true, nil }
	}},
	{"Once says yes at a minute before its time", "Once returns true to one caller", func(b *broken) {
		b.once = func(key string, now, until lanyard.Time) (bool, error) {
			return b.Store.Once(ctx, key, now+60_000, until)
		}
	}},
	{"Once forgets its keys when pruned", "Once holds a key until its time, also when pruned", func(b *broken) {
		var prunes atomic.Int64
		b.once = func(key string, now, until lanyard.Time) (bool, error) {
			return b.Store.Once(ctx, fmt.Sprint(key, prunes.Load())[:min(len(key)+1, 64)], now, until)
		}
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			prunes.Add(1)
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Once takes a SID for a used key", "Once does not mix keys with SIDs or subjects", func(b *broken) {
		b.once = func(key string, now, until lanyard.Time) (bool, error) {
			if sid, err := lanyard.ParseSID(key); err == nil {
				_, err := b.Store.Get(ctx, sid)
				return errors.Is(err, lanyard.ErrNotFound), nil
			}
			return b.Store.Once(ctx, key, now, until)
		}
	}},
	{"Prune ends nobody", "Prune ends what is past its deadlines, with the reason", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			p.Now = 1
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Prune ends a moment early", "Prune ends what is past its deadlines, with the reason", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			p.Now++
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Prune ends a moment late", "Prune ends what is past its deadlines, with the reason", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			p.Now--
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Prune tells of ends by deadline", "Prune ends what is past its deadlines, with the reason", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			done, err := b.Store.Prune(ctx, p)
			for range done.Records {
				b.Store.Revoke(ctx, lanyard.End{Key: "k1", Until: p.Now + 1})
			}
			return done, err
		}
	}},
	{"Prune ends those linked", "Prune by deadline leaves the records handed off", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			done, err := b.Store.Prune(ctx, p)
			for _, r := range done.Records {
				more, _ := b.Store.Revoke(ctx, lanyard.End{SID: r.SID, Reason: lanyard.ReasonIdle, Now: p.Now})
				done.Records = append(done.Records, more.Records...)
			}
			return done, err
		}
	}},
	{"Prune leaves what is fenced", "Prune ends what is fenced", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			done, err := b.Store.Prune(ctx, p)
			done.Records = slices.DeleteFunc(done.Records, func(r *lanyard.Record) bool {
				return r.EndReason == lanyard.ReasonRevokedAll
			})
			return done, err
		}
	}},
	{"Prune knows no limit", "Prune ends at most Limit records and says when more are left", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			p.Limit = 1000
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Prune does not say that more is left", "Prune ends at most Limit records and says when more are left", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			done, err := b.Store.Prune(ctx, p)
			done.More = false
			return done, err
		}
	}},
	{"Prune never removes", "Prune removes what ended long enough ago", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			p.Forget = 0
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Prune removes a moment early", "Prune removes what ended long enough ago", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			p.Forget++
			return b.Store.Prune(ctx, p)
		}
	}},
	{"Prune never removes feed entries", "Prune removes feed entries that matter no more", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			e.Until += 1 << 40
			return b.Store.Revoke(ctx, e)
		}
		b.revocations = func(after string, limit int) ([]lanyard.Entry, string, error) {
			entries, next, err := b.Store.Revocations(ctx, after, limit)
			for i := range entries {
				if entries[i].Until > 1<<40 && entries[i].Kind != lanyard.EntryGeneration && entries[i].Reason != lanyard.ReasonLimit {
					entries[i].Until -= 1 << 40
				}
			}
			return entries, next, err
		}
	}},
}
