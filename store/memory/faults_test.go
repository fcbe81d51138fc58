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

// fault is one broken promise.
type fault struct {
	name string
	seed func(*broken)
}

// sharing is the fault that is a data race itself: contention cases would end
// the test under the race detector.
const sharing = "Get shares one record with all callers"

// faults are those of Create, Get, Update and List.
var faults = []fault{
	{"Create keeps no data", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			c := r.Clone()
			c.Data = nil
			ended, err := b.Store.Create(ctx, c, l)
			r.Version, r.SubjectEpoch, r.GlobalEpoch = c.Version, c.SubjectEpoch, c.GlobalEpoch
			return ended, err
		}
	}},
	{"Create cuts strings at a zero byte", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			if i := bytes.IndexByte(r.Data, 0); i > 0 {
				r = r.Clone()
				r.Data = r.Data[:i]
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create does not stamp the record passed in", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			return b.Store.Create(ctx, r.Clone(), l)
		}
	}},
	{"Create keeps the caller's epochs", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			subject, global := r.SubjectEpoch, r.GlobalEpoch
			ended, err := b.Store.Create(ctx, r, l)
			r.SubjectEpoch, r.GlobalEpoch = subject, global
			return ended, err
		}
	}},
	{"Create says yes to a taken SID", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			if errors.Is(err, lanyard.ErrExists) {
				return nil, nil
			}
			return ended, err
		}
	}},
	{"Create ends others before it finds the SID taken", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			if errors.Is(err, lanyard.ErrExists) && l.Max > 0 {
				b.Store.Revoke(ctx, lanyard.End{Subject: r.Subject, Reason: lanyard.ReasonLimit, Now: l.Now, Until: l.Until})
			}
			return ended, err
		}
	}},
	{"Create knows no limit", func(b *broken) {
		b.create = func(r *lanyard.Record, _ lanyard.Limit) ([]*lanyard.Record, error) {
			return b.Store.Create(ctx, r, lanyard.Limit{})
		}
	}},
	{"Create has a limit nobody asked for", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			if l.Max == 0 {
				l = lanyard.Limit{Max: 10, Now: r.CreatedAt, Until: r.ExpiresAt}
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create counts first and inserts then", func(b *broken) {
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
	{"Create ends the least recently active for the oldest, and the other way round", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			if l.Action != lanyard.LimitRefuse {
				l.Action = lanyard.LimitEndLeastRecent - l.Action
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create ends only one over the limit", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			page, err := b.Store.List(ctx, lanyard.Query{Subject: r.Subject, LiveAt: max(l.Now, 1)})
			if n := len(page.Records); err == nil && l.Max > 0 && l.Action != lanyard.LimitRefuse {
				l.Max = max(l.Max, n)
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create counts ended records too", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			page, err := b.Store.List(ctx, lanyard.Query{Subject: r.Subject})
			if err == nil && l.Action == lanyard.LimitRefuse && l.Max > 0 && len(page.Records) >= l.Max {
				return nil, lanyard.ErrLimit
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"Create refuses and stores all the same", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			if errors.Is(err, lanyard.ErrLimit) {
				b.Store.Create(ctx, r.Clone(), lanyard.Limit{})
			}
			return ended, err
		}
	}},
	{"Create tells nobody whom it ended", func(b *broken) {
		b.revocations = filterFeed(b, func(e lanyard.Entry) bool { return e.Reason != lanyard.ReasonLimit })
	}},
	{"Get makes an empty record of nothing", func(b *broken) {
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if errors.Is(err, lanyard.ErrNotFound) {
				return &lanyard.Record{SID: sid}, nil
			}
			return r, err
		}
	}},
	{"Get hides what has ended", func(b *broken) {
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err == nil && r.EndReason != "" {
				return nil, lanyard.ErrNotFound
			}
			return r, err
		}
	}},
	{"Get answers from a cache that no end reaches", func(b *broken) {
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
	{sharing, func(b *broken) {
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
	{"Get does not fence", func(b *broken) {
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err == nil {
				r.Fenced = false
			}
			return r, err
		}
	}},
	{"Update revives", func(b *broken) {
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
	{"Update lets the last writer win", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			if now, err := b.Store.Get(ctx, r.SID); err == nil {
				r.Version = now.Version
			}
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"Update writes only some fields", func(b *broken) {
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
	{"Update takes any version for the current one at zero", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			if now, err := b.Store.Get(ctx, r.SID); err == nil && r.Version == 0 {
				r.Version = now.Version
			}
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"Update makes the record it does not find", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			err := b.Store.Update(ctx, r, announce...)
			if errors.Is(err, lanyard.ErrNotFound) {
				_, err = b.Store.Create(ctx, r, lanyard.Limit{})
			}
			return err
		}
	}},
	{"Update ends", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			if r.EndReason != "" {
				_, err := b.Store.Revoke(ctx, lanyard.End{SID: r.SID, Reason: r.EndReason, Now: r.EndedAt})
				return err
			}
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"Update raises the version of what it refuses", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			err := b.Store.Update(ctx, r, announce...)
			if err != nil {
				r.Version++
			}
			return err
		}
	}},
	{"Update forgets its entries", func(b *broken) {
		b.update = func(r *lanyard.Record, _ ...lanyard.Entry) error { return b.Store.Update(ctx, r) }
	}},
	{"Update announces what it then refuses", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			err := b.Store.Update(ctx, r, announce...)
			if err != nil {
				b.Store.Revoke(ctx, lanyard.End{Key: "k1"})
			}
			return err
		}
	}},
	{"Update does not move deadlines", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			old, err := b.Store.Get(ctx, r.SID)
			if err == nil {
				r.IdleExpiresAt = old.IdleExpiresAt
			}
			return b.Store.Update(ctx, r, announce...)
		}
	}},
	{"List returns the oldest first", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			slices.Reverse(page.Records)
			return page, err
		}
	}},
	{"List counts places for its cursor", func(b *broken) {
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
	{"List loses the record between two pages", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			if n := len(page.Records); page.Next != "" && n > 1 {
				page.Records = page.Records[:n-1]
			}
			return page, err
		}
	}},
	{"List returns more than was asked for", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			q.Limit = q.PageSize() + 1
			return b.Store.List(ctx, q)
		}
	}},
	{"List never has a next page", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			page.Next = ""
			return page, err
		}
	}},
	{"List takes any cursor", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			if errors.Is(err, lanyard.ErrBadCursor) {
				return page, nil
			}
			return page, err
		}
	}},
	{"List does not know who is live", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			q.LiveAt = 0
			return b.Store.List(ctx, q)
		}
	}},
	{"List does not fence", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			for _, r := range page.Records {
				r.Fenced = false
			}
			return page, err
		}
	}},
	{"List takes a percent sign for a pattern", func(b *broken) {
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			q.Device = strings.ReplaceAll(q.Device, "%", "")
			return b.Store.List(ctx, q)
		}
	}},
	{"List minds the case of a device", func(b *broken) {
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
