package storetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// Call is a call that a store answered, as one record or one key of Once knows
// it. A call that concerns several records is noted once for each.
type Call struct {
	Object string // the record's SID, or the key
	Caller int
	// Start and Return are places in one order of all beginnings and returns.
	Start, Return int64

	Ask     Ask
	Answer  Answer
	Version uint64 // Update: of the caller's copy; Get: of the record
	Raised  uint64 // Update that was done: the version it made
	Data    uint64 // what Create and Update write, and Get returns
	Due     bool   // Create and Update: whether the record is past a deadline then
}

// Ask is what a [Call] asks for.
type Ask string

// What is asked of a record, and of a key.
const (
	AskCreate Ask = "create"
	AskGet    Ask = "get"
	AskUpdate Ask = "update"
	AskEnd    Ask = "end"   // by itself or with its subject
	AskLimit  Ask = "limit" // to make room; noted when it was done
	AskFence  Ask = "fence" // with everything
	AskPrune  Ask = "prune"
	AskOnce   Ask = "once"
)

// Answer is what a [Call] was answered.
type Answer string

// Answers.
const (
	Done     Answer = "done"  // Get: the record, and it has not ended; AskEnd: returned as ended
	Not      Answer = "not"   // not returned as ended; not the first to use the key
	Absent   Answer = "none"  // [lanyard.ErrNotFound]
	Taken    Answer = "taken" // [lanyard.ErrExists]
	Conflict Answer = "conflict"
	Over     Answer = "ended" // [lanyard.ErrEnded]; Get: the record, and it has ended
)

// objects is how many records a round of [Observe] is about.
const objects = 3

// Observe lets callers at once do random things to few records and returns what
// each asked and heard, for a checker of linearisability: every answer must fit
// one order of the calls in which each call lies between its Start and its
// Return. A round is twelve calls of each caller, on records of its own. Errors
// of the engine are reported through t.
func Observe(t testing.TB, s lanyard.Store, seed uint64, callers, rounds int) [][]Call {
	b := &bed{TB: t, store: s, ctx: t.Context()}
	all := make([][]Call, 0, rounds)
	for round := range rounds {
		g := &gathering{bed: b, key: fmt.Sprint("key", round)}
		for i := range g.sids {
			g.subjects[i] = []string{"alice", "alice", "bob"}[i]
			g.sids[i] = sid(g.subjects[i], base+lanyard.Time(round), uint64(i))
		}
		notes := make([][]Call, callers)
		together(callers, func(i int) {
			o := &observer{gathering: g, caller: i, dice: diceFor(seed, round*callers+i)}
			for range 12 {
				o.call()
			}
			notes[i] = o.calls
		})
		var calls []Call
		for _, n := range notes {
			calls = append(calls, n...)
		}
		all = append(all, calls)
		// The next round begins without them.
		b.end(lanyard.End{Subject: "alice"})
		b.end(lanyard.End{Subject: "bob"})
	}
	return all
}

// gathering is what the callers of a round share.
type gathering struct {
	*bed
	sids     [objects]lanyard.SID
	subjects [objects]string
	key      string
	clock    atomic.Int64
}

// observer is one caller.
type observer struct {
	*gathering
	*dice
	caller int
	copies [objects]*lanyard.Record
	calls  []Call
}

func (o *observer) call() {
	i := o.below(objects)
	switch n := o.below(100); {
	case n < 15 || o.copies[i] == nil && n < 40:
		o.askCreate(i)
	case n < 40 || o.copies[i] == nil && n < 75:
		o.askGet(i)
	case n < 75:
		o.askUpdate(i)
	case n < 81:
		o.askEnd(lanyard.End{SID: o.sids[i]}, i)
	case n < 83:
		o.askEnd(lanyard.End{Subject: "alice"}, 0, 1)
	case n < 84:
		o.askEnd(lanyard.End{All: true}, 0, 1, 2)
	case n < 90:
		o.askPrune()
	default:
		o.askOnce()
	}
}

// note adds a call that has been answered just now.
func (o *observer) note(c Call) {
	c.Caller, c.Return = o.caller, o.clock.Add(1)
	o.calls = append(o.calls, c)
}

func (o *observer) begin() int64 { return o.clock.Add(1) }

// deadline sets when the record ends; prunes are at now.
func (o *observer) deadline(r *lanyard.Record) (due bool) {
	r.IdleExpiresAt = idle
	if due = o.chance(20); due {
		r.IdleExpiresAt = now
	}
	return due
}

func (o *observer) askCreate(i int) {
	r := o.record(o.subjects[i])
	r.SID = o.sids[i]
	c := Call{Object: r.SID.String(), Ask: AskCreate, Answer: Done, Data: o.next(), Due: o.deadline(r)}
	r.Data = binary.BigEndian.AppendUint64(nil, c.Data)
	var l lanyard.Limit
	if o.chance(25) {
		l = limit(1, lanyard.LimitEndOldest)
		l.Now = now - 1 // so that one that is due is live
	}
	c.Start = o.begin()
	ended, err := o.store.Create(o.ctx, r, l)
	switch {
	case err == nil:
		o.copies[i] = r
	case errors.Is(err, lanyard.ErrExists):
		c.Answer = Taken
	default:
		o.Errorf("Create: %v", err)
	}
	o.note(c)
	for _, r := range ended {
		if r.SID == o.sids[0] || r.SID == o.sids[1] {
			o.note(Call{Object: r.SID.String(), Ask: AskLimit, Answer: Done, Start: c.Start})
		}
	}
}

func (o *observer) askGet(i int) {
	c := Call{Object: o.sids[i].String(), Ask: AskGet, Answer: Done, Start: o.begin()}
	r, err := o.store.Get(o.ctx, o.sids[i])
	switch {
	case errors.Is(err, lanyard.ErrNotFound):
		c.Answer = Absent
	case err != nil:
		o.Errorf("Get: %v", err)
		return
	default:
		o.copies[i] = r
		c.Version = r.Version
		if len(r.Data) == 8 {
			c.Data = binary.BigEndian.Uint64(r.Data)
		}
		if r.Ended() {
			c.Answer = Over
		}
	}
	o.note(c)
}

func (o *observer) askUpdate(i int) {
	r := o.copies[i].Clone()
	r.EndReason, r.EndedAt, r.EndedBy, r.Fenced = "", 0, "", false
	c := Call{Object: r.SID.String(), Ask: AskUpdate, Answer: Done, Version: r.Version, Data: o.next(), Due: o.deadline(r)}
	r.Data = binary.BigEndian.AppendUint64(nil, c.Data)
	c.Start = o.begin()
	err := o.store.Update(o.ctx, r)
	switch {
	case err == nil:
		c.Raised = r.Version
		o.copies[i] = r
	case errors.Is(err, lanyard.ErrConflict):
		c.Answer = Conflict
	case errors.Is(err, lanyard.ErrEnded):
		c.Answer = Over
	case errors.Is(err, lanyard.ErrNotFound):
		c.Answer = Absent
	default:
		o.Errorf("Update: %v", err)
	}
	o.note(c)
}

// askEnd revokes e, which concerns the given records.
func (o *observer) askEnd(e lanyard.End, concerned ...int) {
	start := o.begin()
	done, err := o.store.Revoke(o.ctx, ending(e))
	absent := errors.Is(err, lanyard.ErrNotFound)
	if err != nil && !absent {
		o.Errorf("Revoke: %v", err)
	}
	for _, i := range concerned {
		c := Call{Object: o.sids[i].String(), Ask: AskEnd, Answer: Not, Start: start}
		switch {
		case e.All:
			c.Ask, c.Answer = AskFence, Done
		case absent:
			c.Answer = Absent
		}
		for _, r := range done.Records {
			if r.SID == o.sids[i] {
				c.Answer = Done
			}
		}
		o.note(c)
	}
}

func (o *observer) askPrune() {
	start := o.begin()
	done, err := o.store.Prune(o.ctx, lanyard.Prune{Now: now, Limit: 1000})
	if err != nil {
		o.Errorf("Prune: %v", err)
	}
	for _, r := range done.Records {
		for _, sid := range o.sids {
			if sid == r.SID {
				o.note(Call{Object: sid.String(), Ask: AskPrune, Answer: Done, Start: start})
			}
		}
	}
}

func (o *observer) askOnce() {
	c := Call{Object: o.key, Ask: AskOnce, Answer: Not, Start: o.begin()}
	first, err := o.store.Once(o.ctx, o.key, now, until)
	if err != nil {
		o.Errorf("Once: %v", err)
	}
	if first {
		c.Answer = Done
	}
	o.note(c)
}
