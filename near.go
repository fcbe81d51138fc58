package lanyard

import (
	"sync"
	"sync/atomic"
)

// near keeps records of a distant store in this process, so that a check costs
// no round trip. It answers only while its node's lease runs (see [node.fresh]),
// and never for application data.
//
// Every record of a subject is in one partition, and so is every entry of the
// feed about it, so each partition has a shelf of its own.
type near struct {
	size    int // records a shelf may hold
	shelves [Partitions]shelf
}

type shelf struct {
	mu      sync.RWMutex
	records map[SID]*Record
	// entries counts what the feed has said of this partition. Whoever reads the
	// store notes it before, and keeps what was read only if nothing was said
	// meanwhile: it may have been about that very record.
	entries atomic.Uint64
}

// newNear makes an empty cache of about size records.
func newNear(size int) *near { return &near{size: max(size/Partitions, 1)} }

// get returns the record kept for sid, or nil. It is shared and read-only.
func (n *near) get(sid SID) *Record {
	sh := &n.shelves[sid.Partition()]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.records[sid]
}

// said returns how much the feed has said that could concern sid.
func (n *near) said(sid SID) uint64 { return n.shelves[sid.Partition()].entries.Load() }

// keep takes a copy of what the store returned, if the feed has said nothing
// since said, and nothing newer is there.
func (n *near) keep(rec *Record, said uint64) {
	sh := &n.shelves[rec.SID.Partition()]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	old := sh.records[rec.SID]
	switch {
	case sh.entries.Load() != said, old != nil && old.Version > rec.Version:
		return
	case rec.Ended():
		delete(sh.records, rec.SID)
		return
	case sh.records == nil:
		sh.records = make(map[SID]*Record)
	case old == nil && len(sh.records) >= n.size:
		for sid := range sh.records { // any: a map's order is as good as a draw
			delete(sh.records, sid)
			break
		}
	}
	kept := rec.Clone()
	kept.Data = nil
	sh.records[rec.SID] = kept
}

// drop forgets one record.
func (n *near) drop(sid SID) {
	sh := &n.shelves[sid.Partition()]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.entries.Add(1)
	delete(sh.records, sid)
}

// apply forgets what an entry of the feed is about.
func (n *near) apply(e *Entry) {
	switch e.Kind {
	case EntrySession, EntryGeneration:
		n.drop(e.SID)
	case EntrySubject:
		n.shelves[SubjectPartition(e.Subject)].forget(func(rec *Record) bool { return rec.Subject == e.Subject })
	case EntryAll:
		n.clear()
	}
}

// clear forgets everything.
func (n *near) clear() {
	for i := range n.shelves {
		n.shelves[i].forget(func(*Record) bool { return true })
	}
}

func (sh *shelf) forget(gone func(*Record) bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.entries.Add(1)
	for sid, rec := range sh.records {
		if gone(rec) {
			delete(sh.records, sid)
		}
	}
}
