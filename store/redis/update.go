package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Update implements [lanyard.Store]. The subject, the origin and the epochs of a
// record are settled when it is created; an Update that would change one is an
// error. The entries go into the feed of the record's partition.
func (s *Store) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	const doing = "updating a session"
	if rec.EndReason != "" {
		return errors.New("redis: updating a session: only Revoke and Prune end it")
	}
	if rec.SID.IsZero() {
		return lanyard.ErrNotFound
	}
	if err := storable(rec); err != nil {
		return fmt.Errorf("redis: %s: %w", doing, err)
	}
	body, err := rec.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("redis: %s: %w", doing, err)
	}
	part := rec.SID.Partition()
	args := []string{
		rec.SID.String(), number(rec.Version), digest(rec.Subject), rec.Origin.String(),
		number(rec.GlobalEpoch), number(rec.SubjectEpoch),
		number(s.lifetime(rec)), number(min(rec.IdleExpiresAt, rec.ExpiresAt)),
		string(appendTimes(nil, rec)), string(body),
	}
	for i := range announce {
		entry, err := encodeEntry(&announce[i])
		if err != nil {
			return fmt.Errorf("redis: %s: %w", doing, err)
		}
		args = append(args, number(announce[i].Until), entry)
	}
	answer, err := s.run(ctx, doing, stepUpdate, part, args...)
	if err != nil {
		return err
	}
	head, _, err := numbers(doing, answer, 1)
	if err != nil {
		return err
	}
	s.heard(part, head[0])
	rec.Version++
	return nil
}
