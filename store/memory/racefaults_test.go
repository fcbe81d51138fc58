package memory_test

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

// raceFaults are right for one caller after another, and wrong for callers at
// once. Most look first and write then.
var raceFaults = []fault{
	{"Create reads the global epoch now and then", "Create races with the end of everything", func(b *broken) {
		var n atomic.Int64
		b.get = func(sid lanyard.SID) (*lanyard.Record, error) {
			r, err := b.Store.Get(ctx, sid)
			if err == nil && n.Add(1)%5 == 0 {
				r.Fenced = false
			}
			return r, err
		}
	}},
	{"Revoke of a subject ends one page of records", "Create races with the end of its subject", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			if e.Subject == "" || !e.Except.IsZero() {
				return b.Store.Revoke(ctx, e)
			}
			page, err := b.Store.List(ctx, lanyard.Query{Subject: e.Subject, Limit: 10})
			var all lanyard.Ended
			for _, r := range page.Records {
				one := e
				one.Subject, one.SID, one.KeepLinked = "", r.SID, true
				done, failed := b.Store.Revoke(ctx, one)
				all.Records = append(all.Records, done.Records...)
				all.Cursor = done.Cursor
				err = errors.Join(err, failed)
			}
			return all, err
		}
	}},
	{"Update looks first and writes then", "Update at once loses no write", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			return b.lookAndWrite(r, announce)
		}
	}},
	{"Update rotates in two steps", "Update at once spends a refresh token once", func(b *broken) {
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			if r.Refresh == nil {
				return b.Store.Update(ctx, r, announce...)
			}
			return b.lookAndWrite(r, announce)
		}
	}},
	{"Update touches what ended meanwhile", "Update never revives what ends meanwhile", func(b *broken) {
		var revived sync.Map
		b.update = func(r *lanyard.Record, announce ...lanyard.Entry) error {
			old, err := b.Store.Get(ctx, r.SID)
			switch {
			case err != nil:
				return err
			case old.Ended():
				return lanyard.ErrEnded
			}
			pause()
			err = b.Store.Update(ctx, r, announce...)
			if errors.Is(err, lanyard.ErrEnded) { // whole rows are written, with or without an end
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
	{"Revoke looks first and ends then", "Revoke at once returns a record once", func(b *broken) {
		b.revoke = func(e lanyard.End) (lanyard.Ended, error) {
			old, err := b.Store.Get(ctx, e.SID)
			if err != nil || old.EndReason != "" {
				return b.Store.Revoke(ctx, e)
			}
			pause()
			done, err := b.Store.Revoke(ctx, e)
			if err == nil && len(done.Records) == 0 {
				done.Records = []*lanyard.Record{old}
			}
			return done, err
		}
	}},
	{"Prune looks first and ends then", "Prune races with a touch", func(b *broken) {
		b.prune = func(p lanyard.Prune) (lanyard.Ended, error) {
			page, err := b.Store.List(ctx, lanyard.Query{Limit: 1000})
			pause()
			var all lanyard.Ended
			for _, r := range page.Records {
				if r.Ended() || r.Expired(p.Now) == "" {
					continue
				}
				done, failed := b.Store.Revoke(ctx, lanyard.End{SID: r.SID, KeepLinked: true, Reason: r.Expired(p.Now), Now: p.Now, Until: p.Now})
				all.Records = append(all.Records, done.Records...)
				err = errors.Join(err, failed)
			}
			return all, err
		}
	}},
}

// lookAndWrite is an Update that compares versions in one step and writes in
// another.
func (b *broken) lookAndWrite(r *lanyard.Record, announce []lanyard.Entry) error {
	old, err := b.Store.Get(ctx, r.SID)
	switch {
	case err != nil:
		return err
	case old.Ended():
		return lanyard.ErrEnded
	case old.Version != r.Version:
		return lanyard.ErrConflict
	}
	pause()
	for {
		err := b.Store.Update(ctx, r, announce...)
		if !errors.Is(err, lanyard.ErrConflict) {
			return err
		}
		now, err := b.Store.Get(ctx, r.SID)
		if err != nil {
			return err
		}
		r.Version = now.Version
	}
}
