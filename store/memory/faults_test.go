package memory_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

// fault is one broken promise, and the case of storetest that is named after it.
type fault struct {
	name     string
	caughtBy string
	seed     func(*broken)
}

// pause lets other goroutines in between two steps that should be one.
func pause() {
	for range 20 {
		runtime.Gosched()
	}
}

// faults are those of Create, Get, Update and List.
var faults = []fault{
	{"Create keeps no data", "Create stores the record as version 1", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			c := r.Clone()
			c.Data = nil
			ended, err := b.Store.Create(ctx, c, l)
			r.Version, r.SubjectEpoch, r.GlobalEpoch = c.Version, c.SubjectEpoch, c.GlobalEpoch
			return ended, err
		}
	}},
	{"Create cuts strings at a zero byte", "Create keeps every byte of a string", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			if i := bytes.IndexByte(r.Data, 0); i > 0 {
				r = r.Clone()
				r.Data = r.Data[:i]
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create does not stamp the record passed in", "Create stores the record as version 1", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			return b.Store.Create(ctx, r.Clone(), l)
		}
	}},
	{"Create keeps the caller's epochs", "Create stamps the epoch of the subject", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			subject, global := r.SubjectEpoch, r.GlobalEpoch
			ended, err := b.Store.Create(ctx, r, l)
			r.SubjectEpoch, r.GlobalEpoch = subject, global
			return ended, err
		}
	}},
	{"Create says yes to a taken SID", "Create at once with one SID stores one record", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			if errors.Is(err, lanyard.ErrExists) {
				return nil, nil
			}
			return ended, err
		}
	}},
	{"Create ends others before it finds the SID taken", "Create refuses a SID that is taken", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			if errors.Is(err, lanyard.ErrExists) && l.Max > 0 {
				b.Store.Revoke(ctx, lanyard.End{Subject: r.Subject, Reason: lanyard.ReasonLimit, Now: l.Now, Until: l.Until})
			}
			return ended, err
		}
	}},
	{"Create knows no limit", "Create ends the oldest over the limit", func(b *broken) {
		b.create = func(r *lanyard.Record, _ lanyard.Limit) ([]*lanyard.Record, error) {
			return b.Store.Create(ctx, r, lanyard.Limit{})
		}
	}},
	{"Create has a limit nobody asked for", "Create without a limit ends nobody", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			if l.Max == 0 {
				l = lanyard.Limit{Max: 10, Now: r.CreatedAt, Until: r.ExpiresAt}
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create counts first and inserts then", "Create at once keeps within the limit", func(b *broken) {
		var counters sync.Map
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			page, err := b.Store.List(ctx, lanyard.Query{Subject: r.Subject, LiveAt: max(l.Now, 1)})
			if err != nil || l.Max == 0 || len(page.Records) >= l.Max {
				return b.Store.Create(ctx, r, l)
			}
			one, _ := counters.LoadOrStore(r.Subject, new(atomic.Int64))
			counted := one.(*atomic.Int64)
			counted.Add(1)
			for n := 0; n < 10_000 && counted.Load() <= int64(l.Max); n++ {
				runtime.Gosched() // one more than there is room for has counted
			}
			return b.Store.Create(ctx, r, lanyard.Limit{})
		}
	}},
	{"Create ends the least recently active for the oldest, and the other way round", "Create ends the least recently active over the limit", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			if l.Action != lanyard.LimitRefuse {
				l.Action = lanyard.LimitEndLeastRecent - l.Action
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create ends only one over the limit", "Create ends as many as are over the limit", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			page, err := b.Store.List(ctx, lanyard.Query{Subject: r.Subject, LiveAt: max(l.Now, 1)})
			if n := len(page.Records); err == nil && l.Max > 0 && l.Action != lanyard.LimitRefuse {
				l.Max = max(l.Max, n)
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create counts ended records too", "Create counts only live records of the subject", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			page, err := b.Store.List(ctx, lanyard.Query{Subject: r.Subject})
			if err == nil && l.Action == lanyard.LimitRefuse && l.Max > 0 && len(page.Records) >= l.Max {
				return nil, lanyard.ErrLimit
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create refuses and stores all the same", "Create refuses at the limit and stores nothing", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			if errors.Is(err, lanyard.ErrLimit) {
				b.Store.Create(ctx, r.Clone(), lanyard.Limit{})
			}
			return ended, err
		}
	}},
	{"Create tells nobody whom it ended", "Create ends the oldest over the limit", func(b *broken) {
		b.revocations = filterFeed(b, func(e lanyard.Entry) bool { return e.Reason != lanyard.ReasonLimit })
	}},
	{"Get makes an empty record of nothing", "Get answers that there is no such record", func(b *broken) {
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if errors.Is(err, lanyard.ErrNotFound) {
				return &lanyard.Record{SID: sid}, nil
			}
			return r, err
		}
	}},
	{"Get hides what has ended", "Get returns a record that has ended", func(b *broken) {
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err == nil && r.EndReason != "" {
				return nil, lanyard.ErrNotFound
			}
			return r, err
		}
	}},
	{"Get answers from a cache that no end reaches", "Update never revives what ends meanwhile", func(b *broken) {
		var cache sync.Map
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			if r, ok := cache.Load(sid); ok {
				return r.(*lanyard.Record).Clone(), nil
			}
			r, err := b.Store.Get(ctx, sid)
			if err == nil {
				cache.Store(sid, r.Clone())
			}
			return r, err
		}
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			cache.Delete(r.SID)
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"Get shares one record with all callers", "Get returns a record of the caller's own", func(b *broken) {
		type key struct {
			sid     lanyard.SID
			version uint64
			fenced  bool
		}
		var shared sync.Map
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err != nil {
				return nil, err
			}
			one, _ := shared.LoadOrStore(key{sid, r.Version, r.Fenced}, r)
			return one.(*lanyard.Record), nil
		}
	}},
	{"Get does not fence", "Get sets Fenced below the global epoch", func(b *broken) {
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err == nil {
				r.Fenced = false
			}
			return r, err
		}
	}},
	{"Update revives", "Update leaves an ended record ended", func(b *broken) {
		var revived sync.Map
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			err := b.Store.Update(ctx, r, announce...)
			if errors.Is(err, lanyard.ErrEnded) {
				revived.Store(r.SID, r.Clone())
				return nil
			}
			return err
		}
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			if r, ok := revived.Load(sid); ok {
				return r.(*lanyard.Record).Clone(), nil
			}
			return b.Store.Get(ctx, sid)
		}
	}},
	{"Update lets the last writer win", "Update gives a conflict for a record changed meanwhile", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			if now, err := b.Store.Get(ctx, r.SID); err == nil {
				r.Version = now.Version
			}
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"Update writes only some fields", "Update replaces the record and raises its version", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			c := r.Clone()
			if old, err := b.Store.Get(ctx, r.SID); err == nil {
				c.Refresh = old.Refresh
			}
			err := b.Store.Update(ctx, c, announce...)
			r.Version = c.Version
			return err
		}
	}},
	{"Update takes any version for the current one at zero", "Update gives a conflict for a record changed meanwhile", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			if now, err := b.Store.Get(ctx, r.SID); err == nil && r.Version == 0 {
				r.Version = now.Version
			}
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"Update makes the record it does not find", "Update never makes a record", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			err := b.Store.Update(ctx, r, announce...)
			if errors.Is(err, lanyard.ErrNotFound) {
				_, err = b.Store.Create(ctx, r, lanyard.Limit{})
			}
			return err
		}
	}},
	{"Update ends", "Update never ends a record", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			if r.EndReason != "" {
				_, err := b.Store.Revoke(ctx, lanyard.End{SID: r.SID, Reason: r.EndReason, Now: r.EndedAt})
				return err
			}
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"Update raises the version of what it refuses", "Update gives a conflict for a record changed meanwhile", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			err := b.Store.Update(ctx, r, announce...)
			if err != nil {
				r.Version++
			}
			return err
		}
	}},
	{"Update forgets its entries", "Update appends its entries in the same step", func(b *broken) {
		b.update = func(r *lanyard.Record, _ ...lanyard.Entry) error { return b.Store.Update(ctx, r) }
	}},
	{"Update announces what it then refuses", "Update leaves a fenced record fenced", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			err := b.Store.Update(ctx, r, announce...)
			if err != nil {
				b.Store.Revoke(ctx, lanyard.End{Key: "k1"})
			}
			return err
		}
	}},
	{"Update does not move deadlines", "Update with moved deadlines moves the end", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			old, err := b.Store.Get(ctx, r.SID)
			if err == nil {
				r.IdleExpiresAt = old.IdleExpiresAt
			}
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"List returns the oldest first", "List returns all records, newest first", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			slices.Reverse(page.Records)
			return page, err
		}
	}},
	{"List counts places for its cursor", "List shows what stays for the whole walk exactly once", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			skip := 0
			fmt.Sscan(q.After, &skip)
			size, all := q.PageSize(), q
			all.After, all.Limit = "", 1000
			page, err := b.Store.List(ctx, all)
			page.Next = ""
			page.Records = page.Records[min(skip, len(page.Records)):]
			if len(page.Records) > size {
				page.Records, page.Next = page.Records[:size], fmt.Sprint(skip+size)
			}
			return page, err
		}
	}},
	{"List loses the record between two pages", "List walks while records come and change", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			if n := len(page.Records); page.Next != "" && n > 1 {
				page.Records = page.Records[:n-1]
			}
			return page, err
		}
	}},
	{"List returns more than was asked for", "List pages hold at most Limit records", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			q.Limit = q.PageSize() + 1
			return b.Store.List(ctx, q)
		}
	}},
	{"List never has a next page", "List pages hold at most Limit records", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			page.Next = ""
			return page, err
		}
	}},
	{"List takes any cursor", "List refuses a cursor it did not make", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			if errors.Is(err, lanyard.ErrBadCursor) {
				return page, nil
			}
			return page, err
		}
	}},
	{"List does not know who is live", "List returns the records that match", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			q.LiveAt = 0
			return b.Store.List(ctx, q)
		}
	}},
	{"List does not fence", "List sets Fenced below the global epoch", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			for _, r := range page.Records {
				r.Fenced = false
			}
			return page, err
		}
	}},
	{"List takes a percent sign for a pattern", "List returns the records that match", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			q.Device = strings.ReplaceAll(q.Device, "%", "")
			return b.Store.List(ctx, q)
		}
	}},
	{"List minds the case of a device", "List returns the records that match", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			page.Records = slices.DeleteFunc(page.Records, func(r *lanyard.Record) bool {
				return !strings.Contains(r.Device.Label+r.Device.UserAgent, q.Device)
			})
			return page, err
		}
	}},
}

// filterFeed returns a Revocations that leaves out what keep does not want.
func filterFeed(b *broken, keep func(lanyard.Entry) bool) func(string, int) ([]lanyard.Entry, string, error) {
	return func(after string, limit int) ([]lanyard.Entry, string, error) {
		for {
			entries, next, err := b.Store.Revocations(ctx, after, limit)
			kept := slices.DeleteFunc(entries, func(e lanyard.Entry) bool { return !keep(e) })
			if err != nil || len(kept) > 0 || next == after || after == "" && len(entries) == 0 {
				return kept, next, err
			}
			after = next
		}
	}
}
