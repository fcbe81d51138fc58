package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyard-go/lanyard"
)

// Create implements [lanyard.Store].
func (s *Store) Create(_ context.Context, rec *lanyard.Record, limit lanyard.Limit) ([]*lanyard.Record, error) {
	if err := creatable(rec); err != nil {
		return nil, fmt.Errorf("creating a session: %w", err)
	}
	p := s.partition(rec.SID)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.records.has(rec.SID) {
		return nil, lanyard.ErrExists
	}
	epoch := s.epoch.Load()
	over, err := p.overLimit(rec.Subject, limit, epoch)
	if err != nil {
		return nil, err
	}
	made := *rec
	made.Version, made.SubjectEpoch, made.GlobalEpoch = 1, p.epochOf(rec.Subject), epoch
	stored, err := encode(&made)
	if err != nil {
		return nil, fmt.Errorf("creating a session: %w", err)
	}

	p.commit(&over)
	p.insert(&made, stored)
	if len(over.records) > 0 {
		s.feed.append(over.entries(limit.Until)...)
	}
	rec.Version, rec.SubjectEpoch, rec.GlobalEpoch = made.Version, made.SubjectEpoch, made.GlobalEpoch
	return over.records, nil
}

// creatable refuses what the rest of the package relies on never to meet.
func creatable(rec *lanyard.Record) error {
	if rec.EndReason != "" {
		return errors.New("it has ended already")
	}
	return placeable(rec)
}

// placeable refuses a record that is not where its subject and its origin are.
func placeable(rec *lanyard.Record) error {
	switch part := rec.SID.Partition(); {
	case rec.SID.IsZero():
		return errors.New("it has no sid")
	case rec.Subject != "" && part != lanyard.SubjectPartition(rec.Subject):
		return fmt.Errorf("sid %s is not of its subject's partition", rec.SID)
	case !rec.Origin.IsZero() && part != rec.Origin.Partition():
		return fmt.Errorf("sid %s is not of its origin's partition", rec.SID)
	}
	return nil
}

// overLimit returns those that have to end to make room for one more.
func (p *partition) overLimit(subject string, limit lanyard.Limit, epoch uint64) (ending, error) {
	var over ending
	if limit.Max <= 0 || subject == "" {
		return over, nil
	}
	var live []*lanyard.Record
	for _, sid := range p.active.of(keyOf(subject)) {
		rec, err := p.load(sid, epoch)
		if err != nil {
			return over, err
		}
		if rec.Live(limit.Now) {
			live = append(live, rec)
		}
	}
	excess := len(live) + 1 - limit.Max
	if excess <= 0 {
		return over, nil
	}
	if limit.Action == lanyard.LimitRefuse {
		return over, lanyard.ErrLimit
	}
	slices.SortFunc(live, func(a, b *lanyard.Record) int {
		first := cmp.Compare(a.CreatedAt, b.CreatedAt)
		if limit.Action == lanyard.LimitEndLeastRecent {
			first = cmp.Compare(a.LastActive, b.LastActive)
		}
		return cmp.Or(first, compareSID(a.SID, b.SID))
	})
	for _, rec := range live[:excess] {
		if err := over.add(rec, lanyard.ReasonLimit, system, limit.Now); err != nil {
			return over, err
		}
	}
	return over, nil
}

// system is the EndedBy of ends that nobody asked for.
const system = "system"
