package storetest

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/lanyard-go/lanyard"
)

// appended notes entries of one step, for all who follow the feed. Their order
// among each other is the store's.
func (p *play) appended(entries ...lanyard.Entry) {
	p.model.group++
	for _, e := range entries {
		l := line{entry: e, group: p.model.group}
		p.model.feed = append(p.model.feed, l)
		for i := range p.callers {
			p.callers[i].unseen = append(p.callers[i].unseen, l)
		}
	}
}

// entriesElsewhere are those of other partitions than the newest entry, and those
// of all. Behind the cursor of the end that appended it they may come again.
func (p *play) entriesElsewhere() map[lanyard.Entry]bool {
	last := partition(&p.model.feed[len(p.model.feed)-1].entry)
	again := make(map[lanyard.Entry]bool)
	for _, l := range p.model.feed {
		if part := partition(&l.entry); part < 0 || part != last {
			again[l.entry] = true
		}
	}
	return again
}

// readFeed reads a page behind the caller's cursor. All that was appended has to
// come, once, in order; what was pruned meanwhile need not.
func (p *play) readFeed(d *dice) {
	w := p.who
	if d.chance(5) {
		w.cursor, w.unseen, w.again = "", slices.Clone(p.model.feed), nil
	}
	n := 1 + d.below(30)
	p.did("Revocations after %q, at most %d", w.cursor, n)
	entries, next, err := p.store.Revocations(p.ctx, w.cursor, n)
	if err != nil || len(entries) > n || next == "" {
		p.fail("Revocations returned %d entries, cursor %q and %v", len(entries), next, err)
		return
	}
	w.cursor = next
	for _, e := range entries {
		p.seen(e)
	}
	if len(entries) == 0 {
		for _, l := range w.unseen {
			if !l.past {
				p.fail("the cursor has passed an entry that was not seen: %+v", l.entry)
			}
		}
		w.unseen = nil
	}
}

// seen takes an entry from those that the caller has yet to see.
func (p *play) seen(e lanyard.Entry) {
	w := p.who
	at := slices.IndexFunc(w.unseen, func(l line) bool { return l.entry == e })
	if at < 0 {
		if !w.again[e] {
			p.fail("an entry that was not appended, or was seen before: %+v", e)
		}
		return
	}
	part, group := partition(&e), w.unseen[at].group
	if part < 0 {
		if w.again == nil {
			w.again = make(map[lanyard.Entry]bool)
		}
		w.again[e] = true
	}
	for _, l := range w.unseen[:at] {
		if part >= 0 && partition(&l.entry) == part && l.group != group && !l.past {
			p.fail("%+v\ncomes before %+v", e, l.entry)
		}
	}
	w.unseen = slices.Delete(w.unseen, at, at+1)
}

// list reads all pages of a query.
func (p *play) list(d *dice) {
	q := lanyard.Query{Limit: 1 + d.below(40)}
	if d.chance(70) {
		q.Subject = one(d, modelSubjects)
	}
	switch d.below(6) {
	case 0:
		q.LiveAt = p.clock
	case 1:
		q.Channel = lanyard.ChannelToken
	case 2:
		q.Device = "lap"
	case 3:
		q.ActiveBefore = p.clock - 10*minute
	case 4:
		q.IP, q.CreatedBefore = "192.0.2.1", p.clock-5*minute
	}
	p.did("List %+v", q)
	var want []*lanyard.Record
	for _, sid := range slices.Backward(p.model.order) {
		if r := p.model.view(sid); q.Match(r) {
			want = append(want, r)
		}
	}
	var got []*lanyard.Record
	for range 1000 {
		page, err := p.store.List(p.ctx, q)
		if err != nil || len(page.Records) > q.PageSize() {
			p.fail("List returned %d records and %v", len(page.Records), err)
			return
		}
		got = append(got, page.Records...)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if !slices.EqualFunc(got, want, func(g, w *lanyard.Record) bool { return reflect.DeepEqual(g, w) }) {
		p.fail("List returned %v\nwant %v", sids(got), sids(want))
	}
	if len(got) > 0 {
		p.keep(d, one(d, got))
	}
}

// walk is a list that a caller reads while others write.
type walk struct {
	query lanyard.Query
	stay  map[lanyard.SID]bool // what was there at the start, and is not met yet
	met   map[lanyard.SID]bool
	last  lanyard.SID
}

// walkOn reads one page of the caller's walk, which it begins if need be.
func (p *play) walkOn(d *dice) {
	w := p.who.walk
	if w == nil {
		w = &walk{query: lanyard.Query{Limit: 1 + d.below(20)}, stay: map[lanyard.SID]bool{}, met: map[lanyard.SID]bool{}}
		if d.chance(50) {
			w.query.Subject = one(d, modelSubjects)
		}
		for _, r := range p.model.filter(w.query.Match) {
			w.stay[r.SID] = true
		}
		p.who.walk = w
	}
	p.did("walk on with %+v", w.query)
	page, err := p.store.List(p.ctx, w.query)
	if err != nil {
		p.fail("List: %v", err)
		return
	}
	for _, r := range page.Records {
		if w.met[r.SID] || !w.last.IsZero() && compareSID(r.SID, w.last) >= 0 {
			p.fail("a walk met %s after %s", r.SID, w.last)
		}
		if want := p.model.view(r.SID); !reflect.DeepEqual(r, want) {
			p.fail("List returned\n     %+v\nwant %+v", r, want)
		}
		w.met[r.SID], w.last = true, r.SID
		delete(w.stay, r.SID)
	}
	if w.query.After = page.Next; page.Next != "" {
		return
	}
	p.who.walk = nil
	for sid := range w.stay {
		if p.model.records[sid] != nil {
			p.fail("a walk missed %s, which was there all the time", sid)
		}
	}
}

func (p *play) useOnce(d *dice) {
	key := fmt.Sprint("key", d.below(30))
	until := p.clock + lanyard.Time(1+d.below(60))*minute
	p.did("Once %s until %d", key, until)
	first, err := p.store.Once(p.ctx, key, p.clock, until)
	held, used := p.model.once[key]
	switch {
	case err != nil, !used && !first, used && p.clock < held && first:
		p.fail("Once returned %v and %v; used until %d, it is %d", first, err, held, p.clock)
	case first:
		p.model.once[key] = until
	}
}

func (p *play) takeNote(d *dice) {
	s, ok := p.store.(lanyard.Noter)
	if !ok {
		p.did("has no notes")
		return
	}
	name, value := fmt.Sprint("note", d.below(2)), fmt.Sprint("value", p.step)
	if d.chance(30) {
		value = p.who.note
	}
	p.did("Note %s: %q for %q", name, value, p.who.note)
	if p.model.notes[name] == p.who.note {
		p.model.notes[name] = value
	}
	got, err := s.Note(p.ctx, name, p.who.note, value)
	if want := p.model.notes[name]; err != nil || got != want {
		p.fail("Note returned %q and %v, want %q", got, err, want)
	}
	p.who.note = got
}
