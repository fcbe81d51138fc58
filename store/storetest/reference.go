package storetest

import (
	"cmp"
	"slices"

	"github.com/lanyard-go/lanyard"
)

// reference is what a store should hold: the simplest thing that keeps the
// promises for one caller after another. Where the interface leaves a choice, it
// takes over what the store chose.
type reference struct {
	records  map[lanyard.SID]*lanyard.Record // as stored: never Fenced
	order    []lanyard.SID                   // of records, in the order of creation
	children map[lanyard.SID][]lanyard.SID   // handed off from it, as far as still known
	parent   map[lanyard.SID]lanyard.SID
	gone     []lanyard.SID // forgotten ones
	epochs   map[string]uint64
	global   uint64
	once     map[string]lanyard.Time
	notes    map[string]string
	feed     []line
	group    int // of feed entries appended in one step
}

// line is a feed entry that a reader has yet to see.
type line struct {
	entry lanyard.Entry
	group int
	past  bool // it matters no more, and may have been removed
}

func newReference() *reference {
	return &reference{
		records:  make(map[lanyard.SID]*lanyard.Record),
		children: make(map[lanyard.SID][]lanyard.SID),
		parent:   make(map[lanyard.SID]lanyard.SID),
		epochs:   make(map[string]uint64),
		once:     make(map[string]lanyard.Time),
		notes:    make(map[string]string),
	}
}

func (m *reference) fenced(r *lanyard.Record) bool {
	return r.EndReason == "" && r.GlobalEpoch < m.global
}

// view returns the record as the store should return it, or nil.
func (m *reference) view(sid lanyard.SID) *lanyard.Record {
	r := m.records[sid]
	if r == nil {
		return nil
	}
	r = r.Clone()
	r.Fenced = m.fenced(r)
	return r
}

// filter returns the records that keep wants, in the order of creation.
func (m *reference) filter(keep func(*lanyard.Record) bool) (found []*lanyard.Record) {
	for _, sid := range m.order {
		if r := m.records[sid]; keep(r) {
			found = append(found, r)
		}
	}
	return found
}

func (m *reference) live(r *lanyard.Record, now lanyard.Time) bool {
	return !m.fenced(r) && r.Live(now)
}

// over returns those that a limit ends, and whether it refuses the new record.
func (m *reference) over(subject string, l lanyard.Limit) (end []*lanyard.Record, refuse bool) {
	if l.Max == 0 || subject == "" {
		return nil, false
	}
	live := m.filter(func(r *lanyard.Record) bool { return r.Subject == subject && m.live(r, l.Now) })
	excess := len(live) + 1 - l.Max
	if excess <= 0 {
		return nil, false
	}
	if l.Action == lanyard.LimitRefuse {
		return nil, true
	}
	if l.Action == lanyard.LimitEndLeastRecent {
		slices.SortStableFunc(live, func(a, b *lanyard.Record) int { return cmp.Compare(a.LastActive, b.LastActive) })
	}
	return live[:excess], false
}

func (m *reference) add(r *lanyard.Record) {
	m.records[r.SID] = r.Clone()
	m.order = append(m.order, r.SID)
	if r.Subject != "" { // nobody has no epoch
		m.epochs[r.Subject] = max(m.epochs[r.Subject], r.SubjectEpoch)
	}
	if !r.Origin.IsZero() {
		m.link(r.SID, r.Origin)
	}
}

func (m *reference) link(child, parent lanyard.SID) {
	m.parent[child] = parent
	m.children[parent] = append(m.children[parent], child)
}

// linked returns the record and those handed off from it, directly or through
// others.
func (m *reference) linked(sid lanyard.SID) []lanyard.SID {
	all := []lanyard.SID{sid}
	for i := 0; i < len(all); i++ {
		all = append(all, m.children[all[i]]...)
	}
	return all
}

// forget removes a record. What was handed off from it belongs to its origin.
func (m *reference) forget(sid lanyard.SID) {
	delete(m.records, sid)
	m.order = slices.DeleteFunc(m.order, func(s lanyard.SID) bool { return s == sid })
	if m.gone = append(m.gone, sid); len(m.gone) > 20 {
		m.gone = m.gone[1:]
	}
	parent, linked := m.parent[sid]
	if linked {
		m.children[parent] = slices.DeleteFunc(m.children[parent], func(s lanyard.SID) bool { return s == sid })
		if len(m.children[parent]) == 0 {
			delete(m.children, parent)
		}
	}
	for _, child := range m.children[sid] {
		delete(m.parent, child)
		if linked {
			m.link(child, parent)
		}
	}
	delete(m.children, sid)
	delete(m.parent, sid)
}

// end ends r and returns the entry about it.
func (m *reference) end(r *lanyard.Record, reason lanyard.Reason, e lanyard.End) lanyard.Entry {
	if m.fenced(r) {
		reason = lanyard.ReasonRevokedAll
	}
	r.EndReason, r.EndedAt, r.EndedBy = reason, e.Now, e.By
	return lanyard.Entry{Kind: lanyard.EntrySession, SID: r.SID, Reason: reason, At: e.Now, Until: e.Until}
}

// partition tells which feed entries have an order: those of one partition.
func partition(e *lanyard.Entry) int {
	switch e.Kind {
	case lanyard.EntrySession, lanyard.EntryGeneration:
		return e.SID.Partition()
	case lanyard.EntrySubject:
		return lanyard.SubjectPartition(e.Subject)
	}
	return -1 // of all
}
