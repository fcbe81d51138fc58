package memory

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-go/lanyard"
)

// partition holds the records of its subjects with their indexes. Its methods
// expect mu to be held.
type partition struct {
	mu      sync.RWMutex
	records map[lanyard.SID]row
	order   []lanyard.SID // of all records, ascending
	unended int           // how many records have no EndReason

	// The SIDs of each subject. Ended ones are kept apart, so that a limit costs
	// no more when its subject has a long history.
	active map[string][]lanyard.SID
	ended  map[string][]lanyard.SID

	// linked has the SIDs of the records handed off from a record. It holds
	// whatever the record's state is, also after it was removed.
	linked map[lanyard.SID][]lanyard.SID

	epochs map[string]subjectEpoch
	floor  uint64 // epoch of the subjects not in epochs

	due  queue[lanyard.SID] // of records without EndReason, by deadline; see enqueue
	gone queue[lanyard.SID] // of records with EndReason, by EndedAt

	// Records older than sweepEpoch and before sweepFrom have been ended.
	sweepEpoch uint64
	sweepFrom  lanyard.SID
	swept      bool
}

// subjectEpoch is remembered until no access token of an older epoch is left.
type subjectEpoch struct {
	epoch uint64
	until lanyard.Time
}

// row is a record in its stored form. A string is a fraction of the decoded
// record's size, cannot be changed by whoever reads it, and costs the garbage
// collector one pointer.
type row struct {
	bytes   string
	version uint64
}

func (p *partition) init() {
	p.records = make(map[lanyard.SID]row)
	p.active = make(map[string][]lanyard.SID)
	p.ended = make(map[string][]lanyard.SID)
	p.linked = make(map[lanyard.SID][]lanyard.SID)
	p.epochs = make(map[string]subjectEpoch)
}

func encode(rec *lanyard.Record) (string, error) {
	var room [512]byte // enough for most, and off the heap
	b, err := rec.AppendBinary(room[:0])
	return string(b), err
}

// decode returns the record with Fenced set as the global epoch says.
func (r row) decode(epoch uint64) (*lanyard.Record, error) {
	rec, err := lanyard.DecodeRecord(r.bytes, r.version)
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	rec.Fenced = rec.EndReason == "" && rec.GlobalEpoch < epoch
	return rec, nil
}

func (p *partition) load(sid lanyard.SID, epoch uint64) (*lanyard.Record, error) {
	r, ok := p.records[sid]
	if !ok {
		return nil, lanyard.ErrNotFound
	}
	return r.decode(epoch)
}

// insert adds a new record, which has not ended, to the indexes.
func (p *partition) insert(rec *lanyard.Record, stored string) {
	p.records[rec.SID] = row{stored, rec.Version}
	at, _ := slices.BinarySearchFunc(p.order, rec.SID, compareSID)
	p.order = slices.Insert(p.order, at, rec.SID)
	if rec.Subject != "" {
		// A key that came out of a request would keep all of it in memory.
		subject := rec.Subject
		if _, known := p.active[subject]; !known {
			subject = strings.Clone(subject)
		}
		p.active[subject] = append(p.active[subject], rec.SID)
	}
	if !rec.Origin.IsZero() {
		p.linked[rec.Origin] = append(p.linked[rec.Origin], rec.SID)
	}
	p.unended++
	p.enqueue(deadline(rec), rec.SID)
}

// remove forgets a record that has ended, except for its place in order.
func (p *partition) remove(rec *lanyard.Record) {
	delete(p.records, rec.SID)
	drop(p.ended, rec.Subject, rec.SID)
	if rec.Origin.IsZero() {
		delete(p.linked, rec.SID)
		return
	}
	// Its origin still ends the records that were handed off through this one.
	drop(p.linked, rec.Origin, rec.SID)
	if through := p.linked[rec.SID]; len(through) > 0 {
		p.linked[rec.Origin] = append(p.linked[rec.Origin], through...)
		delete(p.linked, rec.SID)
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
	for _, sid := range p.order {
		if rec, err := p.load(sid, 0); err == nil && rec.EndReason == "" {
			p.due.push(deadline(rec), sid)
		}
	}
}

func (p *partition) epochOf(subject string) uint64 {
	return max(p.epochs[subject].epoch, p.floor)
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
		return fmt.Errorf("ending a session: %w", err)
	}
	e.records = append(e.records, rec)
	e.stored = append(e.stored, stored)
	return nil
}

func (p *partition) commit(e *ending) {
	for i, rec := range e.records {
		p.records[rec.SID] = row{e.stored[i], rec.Version}
		if rec.Subject != "" {
			drop(p.active, rec.Subject, rec.SID)
			subject := strings.Clone(rec.Subject)
			p.ended[subject] = append(p.ended[subject], rec.SID)
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

func compareSID(a, b lanyard.SID) int { return bytes.Compare(a[:], b[:]) }

// drop takes sid out of the list at key. The first of a list, which is the
// usual one to leave, goes without moving the others.
func drop[K comparable](lists map[K][]lanyard.SID, key K, sid lanyard.SID) {
	list := lists[key]
	switch i := slices.Index(list, sid); {
	case i < 0:
		return
	case len(list) == 1:
		delete(lists, key)
	case i == 0:
		lists[key] = list[1:]
	default:
		lists[key] = slices.Delete(list, i, i+1)
	}
}
