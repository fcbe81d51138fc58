package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Update implements [lanyard.Store]. The subject and the epochs of a record are
// settled when it is created; an Update that would change one is an error.
func (s *Store) Update(_ context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	if rec.EndReason != "" {
		return errors.New("updating a session: only Revoke and Prune end it")
	}
	made := *rec
	made.Version++
	stored, err := encode(&made)
	if err != nil {
		return fmt.Errorf("updating a session: %w", err)
	}

	p := s.partition(rec.SID)
	p.mu.Lock()
	defer p.mu.Unlock()
	old, err := p.load(rec.SID, s.epoch.Load())
	switch {
	case err != nil:
		return err
	case old.Ended(): // before the version: an end raises it too
		return lanyard.ErrEnded
	case old.Version != rec.Version:
		return lanyard.ErrConflict
	case old.Subject != rec.Subject || old.Origin != rec.Origin ||
		old.SubjectEpoch != rec.SubjectEpoch || old.GlobalEpoch != rec.GlobalEpoch:
		return fmt.Errorf("updating session %s: its subject, origin and epochs cannot change", rec.SID)
	}
	p.records.put(rec.SID, stored)
	if at := deadline(rec); at < deadline(old) {
		p.enqueue(at, rec.SID)
	}
	s.feed.append(announce...)
	rec.Version = made.Version
	return nil
}
