package storetest

import (
	"encoding/binary"
	"errors"
	"reflect"

	"github.com/lanyard-go/lanyard"
)

var modelSubjects = []string{"alice", "bob", "carol", "dave:{x}", "erin' --", "Fr\u00e4nk", ""}

// newRecord returns a record that could be created now.
func (p *play) newRecord(d *dice) *lanyard.Record {
	n := uint64(p.step)
	r := &lanyard.Record{
		State: lanyard.StateLive, Channel: lanyard.ChannelCookie, Subject: one(d, modelSubjects), Generation: 1,
		CreatedAt: p.clock, AuthTime: p.clock, LastActive: p.clock,
		IdleExpiresAt: p.clock + lanyard.Time(1+d.below(40))*minute,
		ExpiresAt:     p.clock + lanyard.Time(30+d.below(400))*minute,
		Device:        lanyard.Device{Label: one(d, []string{"phone", "Laptop", ""}), IP: one(d, []string{"192.0.2.1", "2001:db8::1"})},
	}
	binary.BigEndian.PutUint64(r.Handle[:], n)
	if d.chance(40) {
		r.Channel, r.Handle, r.ClientID = lanyard.ChannelToken, lanyard.Digest{}, "shop"
		r.Refresh = &lanyard.Refresh{Digest: digestOf(0, p.step), RotatedAt: p.clock}
	}
	if d.chance(50) {
		if origin := one(d, p.who.copies); origin != nil && p.model.records[origin.SID] != nil {
			r.Subject, r.Origin = origin.Subject, origin.SID
		}
	}
	if r.Subject == "" {
		r.State = lanyard.StateAnonymous
	}
	r.SID = sid(r.Subject, p.clock, n)
	if !r.Origin.IsZero() && r.Subject == "" { // the partition is the origin's
		tag := uint64(r.Origin.Shard())
		binary.BigEndian.PutUint64(r.SID[:8], uint64(p.clock)<<16|tag<<6)
	}
	if d.chance(4) {
		if taken := one(d, p.who.copies); taken != nil && p.model.records[taken.SID] != nil {
			r.SID, r.Subject, r.Origin = taken.SID, taken.Subject, lanyard.SID{}
		}
	}
	return r
}

func (p *play) create(d *dice) {
	r := p.newRecord(d)
	var l lanyard.Limit
	if d.chance(50) {
		l = lanyard.Limit{Max: 2 + d.below(12), Action: lanyard.LimitAction(d.below(3)), Now: p.clock, Until: p.clock + 15*minute}
	}
	p.did("Create %s of %q from %s, limit %+v", r.SID, r.Subject, r.Origin, l)
	_, taken := p.model.records[r.SID]
	over, refuse := p.model.over(r.Subject, l)
	made := r.Clone()
	ended, err := p.store.Create(p.ctx, made, l)
	switch {
	case taken && errors.Is(err, lanyard.ErrExists), refuse && errors.Is(err, lanyard.ErrLimit):
		if len(ended) > 0 {
			p.fail("a refused Create returned %d records as ended", len(ended))
		}
		return
	case taken || refuse || err != nil:
		p.fail("Create returned %v; the SID is taken: %v, the limit refuses: %v", err, taken, refuse)
		return
	}
	var entries []lanyard.Entry
	for _, e := range over {
		by := "?" // the store's to say
		for _, g := range ended {
			if g.SID == e.SID {
				by = g.EndedBy
			}
		}
		entries = append(entries, p.model.end(e, lanyard.ReasonLimit, lanyard.End{By: by, Now: l.Now, Until: l.Until}))
	}
	p.wantEnded(ended, over)
	p.appended(entries...)

	want := r
	want.Version, want.GlobalEpoch, want.SubjectEpoch = 1, p.model.global, made.SubjectEpoch
	if !reflect.DeepEqual(made, want) || made.SubjectEpoch < p.model.epochs[r.Subject] {
		p.fail("Create stamped %+v\nwant %+v, subject epoch at least %d", made, want, p.model.epochs[r.Subject])
	}
	p.model.add(made)
	p.keep(d, made)
}

func (p *play) get(d *dice) *lanyard.Record {
	sid := p.anySID(d)
	p.did("Get %s", sid)
	r := p.look(sid)
	if r != nil {
		p.keep(d, r)
	}
	return r
}

// look gets a record and compares it.
func (p *play) look(sid lanyard.SID) *lanyard.Record {
	want := p.model.view(sid)
	r, err := p.store.Get(p.ctx, sid)
	switch {
	case want == nil && errors.Is(err, lanyard.ErrNotFound):
		return nil
	case want == nil || err != nil:
		p.fail("Get %s returned %v, should it be there: %v", sid, err, want != nil)
		return nil
	case !reflect.DeepEqual(r, want):
		p.fail("Get %s returned\n     %+v\nwant %+v", sid, r, want)
	}
	return r
}

// update writes a copy that others may have made stale, and tries again with a
// new one when somebody was faster.
func (p *play) update(d *dice) {
	if len(p.who.copies) == 0 {
		p.did("idles")
		return
	}
	at := d.below(len(p.who.copies))
	for range 2 {
		r := p.who.copies[at].Clone()
		conflict := p.write(d, r)
		if p.wrong != "" || !conflict && d.chance(25) {
			return // the old copy is kept, for a late write
		}
		if conflict {
			if !d.chance(60) {
				return
			}
			r = p.look(r.SID)
		}
		if r == nil {
			return
		}
		p.who.copies[at] = r
		if !conflict {
			return
		}
	}
}

// write changes r and updates it. It reports whether somebody else had written
// meanwhile.
func (p *play) write(d *dice, r *lanyard.Record) (conflict bool) {
	what, announce := p.change(d, r)
	p.did("Update %s version %d: %s;", r.SID, r.Version, what)
	stored := p.model.records[r.SID]
	var want error
	switch {
	case stored == nil:
		want = lanyard.ErrNotFound
	case stored.EndReason != "" || p.model.fenced(stored):
		want = lanyard.ErrEnded
	case stored.Version != r.Version:
		want = lanyard.ErrConflict
	}
	before := r.Clone()
	err := p.store.Update(p.ctx, r, announce...)
	if !errors.Is(err, want) {
		p.fail("Update %s returned %v, want %v", r.SID, err, want)
		return false
	}
	if want == nil && r.Version > before.Version {
		before.Version = r.Version
	}
	if !reflect.DeepEqual(r, before) {
		p.fail("Update %s, which returned %v, made of the record\n     %+v\nwant %+v", r.SID, err, r, before)
	}
	if want == nil {
		p.model.records[r.SID] = r.Clone()
		p.appended(announce...)
	}
	return want == lanyard.ErrConflict
}

// change does to r what a manager would.
func (p *play) change(d *dice, r *lanyard.Record) (what string, announce []lanyard.Entry) {
	if r.EndReason != "" || r.Fenced { // what nobody may do
		r.EndReason, r.EndedAt, r.EndedBy, r.Fenced = "", 0, "", false
		what = "revive, "
	}
	switch n := d.below(5); {
	case n == 0:
		what += "touch"
		r.LastActive = p.clock
		r.IdleExpiresAt = min(r.ExpiresAt, p.clock+lanyard.Time(1+d.below(40))*minute)
	case n == 1:
		what += "write data"
		r.Data = binary.BigEndian.AppendUint64(nil, d.next())
	case n == 2 && r.Refresh != nil:
		what += "rotate"
		f := r.Refresh
		f.Counter++
		f.Predecessor, f.Digest, f.RotatedAt = f.Digest, digestOf(f.Counter, p.step), p.clock
	case n == 3:
		what += "shorten"
		r.IdleExpiresAt = max(p.clock, r.IdleExpiresAt-10*minute)
	default:
		what += "step up"
		r.Generation++
		r.AuthTime = p.clock
		// The record's number makes the entry unlike all others.
		announce = []lanyard.Entry{{
			Kind: lanyard.EntryGeneration, SID: r.SID, Generation: r.Generation, At: p.clock, Until: p.clock + 15*minute,
		}}
	}
	return what, announce
}
