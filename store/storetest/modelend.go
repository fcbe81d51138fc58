package storetest

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/lanyard-go/lanyard"
)

// end returns an End that is complete but for what it names.
func (p *play) end() lanyard.End {
	return lanyard.End{
		Reason: lanyard.ReasonAdmin, By: fmt.Sprint("op", p.step), Now: p.clock, Until: p.clock + 15*minute,
	}
}

func (p *play) revokeSID(d *dice) {
	e := p.end()
	e.SID, e.KeepLinked = p.anySID(d), d.chance(20)
	p.did("Revoke %s, keep linked %v", e.SID, e.KeepLinked)
	done, err := p.store.Revoke(p.ctx, e)
	if _, there := p.model.records[e.SID]; !there {
		if !errors.Is(err, lanyard.ErrNotFound) || len(done.Records) > 0 {
			p.fail("Revoke of an unknown SID returned %d records and %v", len(done.Records), err)
		}
		return
	}
	named := []lanyard.SID{e.SID}
	if !e.KeepLinked {
		named = p.model.linked(e.SID)
	}
	p.endEach(d, e, named, done, err)
}

// endEach expects that done ended each of the named records by itself.
func (p *play) endEach(d *dice, e lanyard.End, named []lanyard.SID, done lanyard.Ended, err error) {
	if err != nil {
		p.fail("Revoke: %v", err)
		return
	}
	var ended []*lanyard.Record
	var entries []lanyard.Entry
	for _, sid := range named {
		r := p.model.records[sid]
		if r == nil || r.EndReason != "" {
			continue
		}
		reason := e.Reason
		if !e.SID.IsZero() && sid != e.SID {
			reason = lanyard.ReasonLinked
		}
		entries = append(entries, p.model.end(r, reason, e))
		ended = append(ended, r)
	}
	p.wantEnded(done.Records, ended)
	p.appended(entries...)
	p.wantOutcome(d, done, 0, len(entries) > 0)
}

func (p *play) revokeSubject(d *dice) {
	e := p.end()
	e.Subject = one(d, modelSubjects[:6])
	if d.chance(50) {
		e.Except = p.anySID(d)
	}
	p.did("Revoke all of %q except %s", e.Subject, e.Except)
	of := p.model.filter(func(r *lanyard.Record) bool { return r.Subject == e.Subject && r.EndReason == "" && r.SID != e.Except })
	done, err := p.store.Revoke(p.ctx, e)
	if !e.Except.IsZero() {
		named := make([]lanyard.SID, len(of))
		for i, r := range of {
			named[i] = r.SID
		}
		p.endEach(d, e, named, done, err)
		return
	}
	if err != nil || done.Epoch <= p.model.epochs[e.Subject] {
		p.fail("Revoke of a subject of epoch %d returned epoch %d and %v", p.model.epochs[e.Subject], done.Epoch, err)
		return
	}
	for _, r := range of {
		p.model.end(r, e.Reason, e)
	}
	p.model.epochs[e.Subject] = done.Epoch
	p.wantEnded(done.Records, of)
	p.appended(lanyard.Entry{
		Kind: lanyard.EntrySubject, Subject: e.Subject, Epoch: done.Epoch, Reason: e.Reason, At: e.Now, Until: e.Until,
	})
	p.wantOutcome(d, done, done.Epoch, true)
}

func (p *play) revokeAll(d *dice) {
	e := p.end()
	e.All = true
	if d.chance(50) {
		e.AtLeast = p.model.global + uint64(d.below(4))
	}
	p.did("Revoke all, at least %d", e.AtLeast)
	done, err := p.store.Revoke(p.ctx, e)
	if err != nil {
		p.fail("Revoke: %v", err)
		return
	}
	p.model.global = max(p.model.global+1, e.AtLeast)
	p.wantEnded(done.Records, nil)
	p.appended(lanyard.Entry{Kind: lanyard.EntryAll, Epoch: p.model.global, Reason: e.Reason, At: e.Now, Until: e.Until})
	p.wantOutcome(d, done, p.model.global, true)
	if s, ok := p.store.(lanyard.Epochs); ok {
		if epoch, err := s.GlobalEpoch(p.ctx); err != nil || epoch != p.model.global {
			p.fail("GlobalEpoch returned %d and %v, want %d", epoch, err, p.model.global)
		}
	}
}

func (p *play) revokeKey() {
	e := p.end()
	e.Key = fmt.Sprint("key", p.step)
	p.did("Revoke key %s", e.Key)
	done, err := p.store.Revoke(p.ctx, e)
	if err != nil {
		p.fail("Revoke: %v", err)
		return
	}
	p.wantEnded(done.Records, nil)
	p.appended(lanyard.Entry{Kind: lanyard.EntryKey, Key: e.Key, Reason: e.Reason, At: e.Now, Until: e.Until})
}

// wantOutcome compares the rest of what Revoke returned. The caller may follow
// the feed from there.
func (p *play) wantOutcome(d *dice, done lanyard.Ended, epoch uint64, appended bool) {
	if done.Epoch != epoch || (done.Cursor != "") != appended || done.More {
		p.fail("Revoke returned epoch %d and cursor %q, want %d and a cursor: %v", done.Epoch, done.Cursor, epoch, appended)
	}
	if appended && d.chance(20) {
		p.who.cursor, p.who.unseen, p.who.again = done.Cursor, nil, p.entriesElsewhere()
	}
}

// wantEnded expects got to be the records of want, which have ended in the model,
// and takes over their versions.
func (p *play) wantEnded(got, want []*lanyard.Record) {
	left := make(map[lanyard.SID]*lanyard.Record, len(want))
	for _, r := range want {
		left[r.SID] = r
	}
	for _, g := range got {
		r := left[g.SID]
		if r == nil {
			p.fail("returned as ended, and should not be: %+v", g)
			return
		}
		delete(left, g.SID)
		if g.Version <= r.Version {
			p.fail("%s ended at version %d, was %d", g.SID, g.Version, r.Version)
		}
		r.Version = g.Version
		if !reflect.DeepEqual(g, r) {
			p.fail("returned as ended\n     %+v\nwant %+v", g, r)
		}
	}
	for sid := range left {
		p.fail("%s should have ended", sid)
	}
}

func (p *play) prune(d *dice) {
	q := lanyard.Prune{Now: p.clock, Forget: p.clock - lanyard.Time(d.below(4))*minute, Limit: 1 + d.below(40)}
	p.did("Prune %+v", q)
	done, err := p.store.Prune(p.ctx, q)
	if err != nil || len(done.Records) > q.Limit {
		p.fail("Prune returned %d records and %v", len(done.Records), err)
		return
	}
	var ended []*lanyard.Record
	for _, g := range done.Records {
		r := p.model.records[g.SID]
		if r == nil || r.EndReason != "" || r.Expired(q.Now) == "" && !p.model.fenced(r) {
			p.fail("Prune ended what was not over: %+v", g)
			return
		}
		if g.EndedAt <= 0 || g.EndedAt > q.Now {
			p.fail("Prune ended %s at %d, it is %d", g.SID, g.EndedAt, q.Now)
		}
		p.model.end(r, r.Expired(q.Now), lanyard.End{By: g.EndedBy, Now: g.EndedAt})
		ended = append(ended, r)
	}
	p.wantEnded(done.Records, ended)
	for _, r := range p.model.filter(func(*lanyard.Record) bool { return true }) {
		switch {
		case r.EndReason == "" && (p.model.fenced(r) || r.Expired(q.Now) != ""):
			if !done.More {
				p.fail("Prune left %s and says that nothing is left", r.SID)
			}
		case r.EndReason != "" && r.EndedAt <= q.Forget:
			p.wantForgotten(r.SID, done.More)
		}
	}
	p.model.feed = pass(p.model.feed, q.Now, done.More)
	for i := range p.callers {
		p.callers[i].unseen = pass(p.callers[i].unseen, q.Now, done.More)
	}
}

// wantForgotten expects that the record is gone, or stays for a later call.
func (p *play) wantForgotten(sid lanyard.SID, more bool) {
	if more {
		if _, err := p.store.Get(p.ctx, sid); err == nil {
			return
		}
	}
	p.model.forget(sid)
	p.look(sid)
}

// pass marks the entries that matter no more at now, or removes them.
func pass(lines []line, now lanyard.Time, more bool) []line {
	kept := lines[:0:0]
	for _, l := range lines {
		if l.past = l.entry.Until <= now; !l.past || more {
			kept = append(kept, l)
		}
	}
	return kept
}
