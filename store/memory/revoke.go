package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-go/lanyard"
)

// Revoke implements [lanyard.Store].
func (s *Store) Revoke(_ context.Context, e lanyard.End) (lanyard.Ended, error) {
	if err := revocable(&e); err != nil {
		return lanyard.Ended{}, fmt.Errorf("revoking: %w", err)
	}
	switch {
	case e.Key != "":
		return lanyard.Ended{Cursor: s.feed.append(lanyard.Entry{
			Kind: lanyard.EntryKey, Key: e.Key, Reason: e.Reason, At: e.Now, Until: e.Until,
		})}, nil
	case e.All:
		return s.revokeAll(&e), nil
	case e.Subject != "":
		return s.revokeSubject(&e)
	}
	return s.revokeOne(&e)
}

func revocable(e *lanyard.End) error {
	named := 0
	for _, set := range [...]bool{!e.SID.IsZero(), e.Subject != "", e.All, e.Key != ""} {
		if set {
			named++
		}
	}
	switch {
	case named != 1:
		return errors.New("name exactly one of SID, Subject, All and Key")
	case e.Reason == "" && e.Key == "":
		return errors.New("give a Reason")
	}
	return nil
}

func (s *Store) revokeOne(e *lanyard.End) (lanyard.Ended, error) {
	p := s.partition(e.SID)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.records.has(e.SID) {
		return lanyard.Ended{}, lanyard.ErrNotFound
	}
	named := []lanyard.SID{e.SID}
	if !e.KeepLinked {
		// Through records that have ended as well: an expired one in between
		// does not part the others from their origin.
		seen := map[lanyard.SID]bool{e.SID: true}
		for i := 0; i < len(named); i++ {
			for _, sid := range p.linked.of(named[i]) {
				if !seen[sid] {
					seen[sid] = true
					named = append(named, sid)
				}
			}
		}
	}
	return s.endAll(p, named, e)
}

func (s *Store) revokeSubject(e *lanyard.End) (lanyard.Ended, error) {
	p := &s.parts[lanyard.SubjectPartition(e.Subject)]
	p.mu.Lock()
	defer p.mu.Unlock()
	named := p.active.of(keyOf(e.Subject))
	if e.Except.IsZero() {
		return s.endSubject(p, named, e)
	}
	if i := slices.Index(named, e.Except); i >= 0 {
		named = slices.Delete(named, i, i+1)
	}
	return s.endAll(p, named, e)
}

// endAll ends each of the named records by itself.
func (s *Store) endAll(p *partition, named []lanyard.SID, e *lanyard.End) (lanyard.Ended, error) {
	ends, err := s.ending(p, named, e)
	if err != nil {
		return lanyard.Ended{}, err
	}
	p.commit(&ends)
	return lanyard.Ended{Records: ends.records, Cursor: s.feed.append(ends.entries(e.Until)...)}, nil
}

// endSubject ends all records of the subject under one feed entry.
func (s *Store) endSubject(p *partition, named []lanyard.SID, e *lanyard.End) (lanyard.Ended, error) {
	ends, err := s.ending(p, named, e)
	if err != nil {
		return lanyard.Ended{}, err
	}
	p.commit(&ends)
	key, epoch := keyOf(e.Subject), p.epochOf(e.Subject)+1
	p.epochs[key] = subjectEpoch{epoch, max(e.Until, p.epochs[key].until)}
	return lanyard.Ended{
		Records: ends.records,
		Epoch:   epoch,
		Cursor: s.feed.append(lanyard.Entry{
			Kind: lanyard.EntrySubject, Subject: strings.Clone(e.Subject), Epoch: epoch,
			Reason: e.Reason, At: e.Now, Until: e.Until,
		}),
	}, nil
}

func (s *Store) ending(p *partition, named []lanyard.SID, e *lanyard.End) (ending, error) {
	var ends ending
	epoch := s.epoch.Load()
	for _, sid := range named {
		rec, err := p.load(sid, epoch)
		if err != nil {
			return ends, err
		}
		if rec.EndReason != "" {
			continue
		}
		reason := e.Reason
		if !e.SID.IsZero() && sid != e.SID {
			reason = lanyard.ReasonLinked
		}
		if err := ends.add(rec, reason, e.By, e.Now); err != nil {
			return ends, err
		}
	}
	return ends, nil
}

// revokeAll holds all partitions, so that no other step sees the epoch change
// under it: a record was written before everything ended, or it is fenced.
func (s *Store) revokeAll(e *lanyard.End) lanyard.Ended {
	defer s.lockAll()()
	epoch := max(s.epoch.Load()+1, e.AtLeast)
	s.epoch.Store(epoch)
	return lanyard.Ended{Epoch: epoch, Cursor: s.feed.append(lanyard.Entry{
		Kind: lanyard.EntryAll, Epoch: epoch, Reason: e.Reason, At: e.Now, Until: e.Until,
	})}
}

// lockAll locks all partitions, in their order, and returns what unlocks them.
func (s *Store) lockAll() (unlock func()) {
	for i := range s.parts {
		s.parts[i].mu.Lock()
	}
	return func() {
		for i := range s.parts {
			s.parts[i].mu.Unlock()
		}
	}
}
