package memory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard"
)

// keepFaults are those of engines: what they lose, mix up or keep too long.
var keepFaults = []fault{
	{"the store reads a clock", "No method reads a clock", func(b *broken) {
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err == nil && r.ExpiresAt < lanyard.Time(time.Now().UnixMilli()) {
				return nil, lanyard.ErrNotFound // as an expiry of the engine's own would have it
			}
			return r, err
		}
	}},
	{"a column is too short for the largest record", "Create keeps a record as large as one can be", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			if body, err := r.AppendBinary(nil); err != nil || len(body) > 20<<10 {
				return nil, errors.New("value too long")
			}
			return b.Store.Create(ctx, r, l)
		}
	}},
	{"the end of the largest record has no room", "Revoke ends a record as large as one can be", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if r, err := b.Store.Get(ctx, e.SID); err == nil {
				r.EndReason, r.EndedBy = e.Reason, e.By
				if _, err := r.AppendBinary(nil); err != nil {
					return lanyard.Ended{}, err
				}
			}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Create stamps the global epoch of the start", "Create stamps the global epoch", func(b *broken) {
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			r.GlobalEpoch = 0
			return ended, err
		}
	}},
	{"Get returns the record of another SID", "Get returns the record of that SID and no other", func(b *broken) {
		var byKey sync.Map
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			first, _ := byKey.LoadOrStore([15]byte(sid[:15]), sid) // the key is one byte short
			return b.Store.Get(ctx, first.(lanyard.SID))
		}
	}},
	{"Update loses the predecessor's digest", "Update replaces the record and raises its version", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			c := r.Clone()
			if c.Refresh != nil {
				c.Refresh.Predecessor = lanyard.Digest{}
			}
			err := b.Store.Update(ctx, c, announce...)
			r.Version = c.Version
			return err
		}
	}},
	{"the index of subjects leaks what was forgotten", "Prune removes what ended long enough ago", func(b *broken) {
		leaked := make(map[string][]*lanyard.Record)
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			ended, err := b.Store.Create(ctx, r, l)
			leaked[r.Subject] = append(leaked[r.Subject], r.Clone())
			return ended, err
		}
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			page, err := b.Store.List(ctx, q)
			if q.Subject != "" && page.Next == "" {
				for _, r := range leaked[q.Subject] {
					if _, gone := b.Store.Get(ctx, r.SID); gone != nil {
						page.Records = append(page.Records, r)
					}
				}
			}
			return page, err
		}
	}},
	{"Prune goes by the idle limit alone", "Prune ends what is past its deadlines, with the reason", func(b *broken) {
		limits := make(map[lanyard.SID]lanyard.Time)
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			limits[r.SID] = r.ExpiresAt
			r.ExpiresAt = 1 << 60
			ended, err := b.Store.Create(ctx, r, l)
			r.ExpiresAt = limits[r.SID]
			return ended, err
		}
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err == nil {
				r.ExpiresAt = limits[sid]
			}
			return r, err
		}
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			done, err := b.Store.Prune(ctx, p)
			for _, r := range done.Records {
				r.ExpiresAt = limits[r.SID]
			}
			return done, err
		}
	}},
	{"List orders by the time of the insert", "List orders by creation, whatever was first written", func(b *broken) {
		place := make(map[lanyard.SID]int)
		b.create = func(r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
			place[r.SID] = len(place)
			return b.Store.Create(ctx, r, l)
		}
		b.list = func(q lanyard.Query) (lanyard.Page, error) {
			skip, all := 0, q
			_, _ = fmt.Sscan(q.After, &skip)
			all.After, all.Limit = "", 1000
			page, err := b.Store.List(ctx, all)
			slices.SortFunc(page.Records, func(x, y *lanyard.Record) int { return place[y.SID] - place[x.SID] })
			page.Records = page.Records[min(skip, len(page.Records)):]
			if page.Next = ""; len(page.Records) > q.PageSize() {
				page.Records, page.Next = page.Records[:q.PageSize()], fmt.Sprint(skip+q.PageSize())
			}
			return page, err
		}
	}},
	{"Revoke cuts what was handed off through a forgotten record", "Revoke reaches records handed off from one that was forgotten", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if e.SID.IsZero() || e.KeepLinked {
				return b.Store.Revoke(ctx, e)
			}
			named, err := b.Store.Get(ctx, e.SID)
			if err != nil {
				return lanyard.Ended{}, err
			}
			page, err := b.Store.List(ctx, lanyard.Query{Subject: named.Subject, Limit: 1000})
			if err != nil {
				return lanyard.Ended{}, err
			}
			var all lanyard.Ended
			for queue := []lanyard.SID{e.SID}; len(queue) > 0; queue = queue[1:] {
				one := e
				one.SID, one.KeepLinked = queue[0], true
				if one.SID != e.SID {
					one.Reason = lanyard.ReasonLinked
				}
				done, err := b.Store.Revoke(ctx, one)
				if err != nil {
					return all, err
				}
				all.Records, all.Cursor = append(all.Records, done.Records...), done.Cursor
				for _, r := range page.Records {
					if r.Origin == one.SID {
						queue = append(queue, r.SID)
					}
				}
			}
			return all, nil
		}
	}},
	{"Prune cuts links when several records go at once", "Revoke reaches records handed off through several that were forgotten at once", func(b *broken) {
		cut := false
		count := func() int {
			page, _ := b.Store.List(ctx, lanyard.Query{Limit: 1000})
			return len(page.Records)
		}
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			before := count()
			done, err := b.Store.Prune(ctx, p)
			cut = cut || before-count() == 3
			return done, err
		}
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			e.KeepLinked = e.KeepLinked || cut && !e.SID.IsZero()
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke minds no case in a subject", "Revoke of a subject takes its name by every byte", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if e.Except.IsZero() {
				e.Subject = strings.ToLower(e.Subject)
			}
			return b.Store.Revoke(ctx, e)
		}
	}},
	{"Revoke of all forgets those nobody signed in to", "Revoke of all fences every older record", func(b *broken) {
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err == nil && r.Subject == "" {
				r.Fenced = false
			}
			return r, err
		}
	}},
}
