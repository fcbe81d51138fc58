package memory

import (
	"fmt"
	"sync"

	"github.com/lanyard-go/lanyard"
)

// partition holds the records of its subjects with their indexes. Its methods
// expect mu to be held.
type partition struct {
	mu      sync.RWMutex
	records table
	unended int // how many records have no EndReason

	// The records of each subject. Ended ones are kept apart, so that a limit
	// costs no more when its subject has a long history.
	active index[subjectKey]
	ended  index[subjectKey]

	// linked has the records handed off from a record, whatever its state. Moved
	// has the nearest origin still kept of those whose own was forgotten.
	linked index[lanyard.SID]
	moved  map[lanyard.SID]lanyard.SID

	epochs map[subjectKey]subjectEpoch
	floor  uint64 // epoch of the subjects not in epochs

	due  queue[lanyard.SID] // of records without EndReason, by deadline; see enqueue
	gone queue[lanyard.SID] // of records with EndReason, by EndedAt

	sweep sweep
}

// subjectEpoch is remembered until no access token of an older epoch is left.
type subjectEpoch struct {
	epoch uint64
	until lanyard.Time
}

func (p *partition) init() {
	p.active = newIndex[subjectKey]()
	p.ended = newIndex[subjectKey]()
	p.linked = newIndex[lanyard.SID]()
	p.moved = make(map[lanyard.SID]lanyard.SID)
	p.epochs = make(map[subjectKey]subjectEpoch)
}

func (p *partition) load(sid lanyard.SID, epoch uint64) (*lanyard.Record, error) {
	stored, version, ok := p.records.get(sid)
	if !ok {
		return nil, lanyard.ErrNotFound
	}
	return decode(stored, version, epoch)
}

// insert adds a new record, ended or not, with its indexes.
func (p *partition) insert(rec *lanyard.Record, stored string) {
	p.records.put(rec.SID, stored)
	if !rec.Origin.IsZero() {
		p.linked.add(rec.Origin, rec.SID)
	}
	bySubject := p.active
	if rec.EndReason != "" {
		bySubject = p.ended
		p.gone.push(rec.EndedAt, rec.SID)
	} else {
		p.unended++
		p.enqueue(deadline(rec), rec.SID)
	}
	if rec.Subject != "" {
		bySubject.add(keyOf(rec.Subject), rec.SID)
	}
}

// unindex prepares the removal of a record that has ended.
func (p *partition) unindex(rec *lanyard.Record) {
	if rec.Subject != "" {
		p.ended.drop(keyOf(rec.Subject), rec.SID)
	}
	// Its origin still ends the records that were handed off through this one.
	origin, moved := p.moved[rec.SID]
	if !moved {
		origin = rec.Origin
	}
	for _, sid := range p.linked.of(rec.SID) {
		p.linked.drop(rec.SID, sid)
		delete(p.moved, sid)
		if !origin.IsZero() {
			p.linked.add(origin, sid)
			p.moved[sid] = origin
		}
	}
	delete(p.moved, rec.SID)
	if !origin.IsZero() {
		p.linked.drop(origin, rec.SID)
	}
}

// enqueue notes that sid may be due at the given time. The queue is put right
// late: an entry whose record has moved on is dropped or moved when its time
// comes. All it promises is one entry at or before the deadline of each record
// that has not ended.
func (p *partition) enqueue(at lanyard.Time, sid lanyard.SID) {
	p.due.push(at, sid)
	if len(p.due) <= 2*p.unended+64 {
		return
	}
	// Most entries are of records that ended early.
	p.due = p.due[:0]
	for _, sid := range p.records.sids {
		if rec, err := p.load(sid, 0); err == nil && rec.EndReason == "" {
			p.due.push(deadline(rec), sid)
		}
	}
}

func (p *partition) epochOf(subject string) uint64 {
	if len(p.epochs) == 0 {
		return p.floor
	}
	return max(p.epochs[keyOf(subject)].epoch, p.floor)
}

// ending is a set of records about to end, each in its new stored form before
// the first is written, so that the step happens whole or not at all.
type ending struct {
	records []*lanyard.Record
	stored  []string
}

// add ends the decoded record rec, which has no EndReason yet.
func (e *ending) add(rec *lanyard.Record, reason lanyard.Reason, by string, now lanyard.Time) error {
	if rec.Fenced {
		reason = lanyard.ReasonRevokedAll // it ended then; nobody had written it down
	}
	rec.EndedAt, rec.EndReason, rec.EndedBy, rec.Fenced = now, reason, by, false
	rec.Version++
	stored, err := encode(rec)
	if err != nil {
		// Who ended it, and why, made it too long. An end must not fail for that.
		rec.Data = nil
		if stored, err = encode(rec); err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
	}
	e.records = append(e.records, rec)
	e.stored = append(e.stored, stored)
	return nil
}

func (p *partition) commit(e *ending) {
	for i, rec := range e.records {
		p.records.put(rec.SID, e.stored[i])
		if rec.Subject != "" {
			key := keyOf(rec.Subject)
			p.active.drop(key, rec.SID)
			p.ended.add(key, rec.SID)
		}
		p.unended--
		p.gone.push(rec.EndedAt, rec.SID)
	}
}

// entries returns the feed entries for the records that end.
func (e *ending) entries(until lanyard.Time) []lanyard.Entry {
	out := make([]lanyard.Entry, len(e.records))
	for i, rec := range e.records {
		out[i] = lanyard.Entry{
			Kind: lanyard.EntrySession, SID: rec.SID,
			Reason: rec.EndReason, At: rec.EndedAt, Until: until,
		}
	}
	return out
}

// deadline returns the first instant at which rec is over.
func deadline(rec *lanyard.Record) lanyard.Time {
	return min(rec.IdleExpiresAt, rec.ExpiresAt)
}
