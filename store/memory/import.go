package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Import implements [lanyard.Importer]. The epochs that the entries speak of are
// raised too. It stores nothing when a record cannot be taken over: one of
// another partition than its subject's or its origin's, or one that came back
// fenced from where it was, which has ended, and only its importer can say when.
func (s *Store) Import(_ context.Context, records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
	stored := make([]string, len(records))
	for i, rec := range records {
		err := importable(rec)
		if err == nil {
			stored[i], err = encode(rec)
		}
		if err != nil {
			return 0, fmt.Errorf("importing session %s: %w", rec.SID, err)
		}
	}
	taken := 0
	for i, rec := range records {
		s.raiseEpoch(rec.GlobalEpoch)
		if s.importRecord(rec, stored[i]) {
			taken++
		}
	}
	for i := range entries {
		switch e := &entries[i]; e.Kind {
		case lanyard.EntryAll:
			s.raiseEpoch(e.Epoch)
		case lanyard.EntrySubject:
			p := &s.parts[lanyard.SubjectPartition(e.Subject)]
			p.mu.Lock()
			p.raiseEpoch(e.Subject, e.Epoch, e.Until)
			p.mu.Unlock()
		}
	}
	s.feed.append(entries...)
	return taken, nil
}

func importable(rec *lanyard.Record) error {
	switch {
	case rec.Fenced:
		return errors.New("it is fenced: give it its EndReason and EndedAt first")
	case rec.Version == 0:
		return errors.New("it has no version")
	}
	return placeable(rec)
}

// importRecord reports whether there was no record with the SID yet.
func (s *Store) importRecord(rec *lanyard.Record, stored string) bool {
	p := s.partition(rec.SID)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.raiseEpoch(rec.Subject, rec.SubjectEpoch, 0)
	if p.records.has(rec.SID) {
		return false
	}
	p.insert(rec, stored)
	p.sweep = sweep{} // it may be fenced, and behind where the walk is
	return true
}

// raiseEpoch raises the global epoch to at least the given one.
func (s *Store) raiseEpoch(epoch uint64) {
	if epoch <= s.epoch.Load() {
		return // it never falls
	}
	defer s.lockAll()()
	s.epoch.Store(max(s.epoch.Load(), epoch))
}

// raiseEpoch raises the epoch of a subject to at least the given one.
func (p *partition) raiseEpoch(subject string, epoch uint64, until lanyard.Time) {
	if subject == "" || epoch <= p.epochOf(subject) {
		return
	}
	key := keyOf(subject)
	p.epochs[key] = subjectEpoch{epoch, max(until, p.epochs[key].until)}
}
