package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Create implements [lanyard.Store].
func (s *Store) Create(ctx context.Context, rec *lanyard.Record, limit lanyard.Limit) ([]*lanyard.Record, error) {
	const doing = "creating a session"
	if err := creatable(rec, &limit); err != nil {
		return nil, fmt.Errorf("redis: %s: %w", doing, err)
	}
	subject, origin := digest(rec.Subject), rec.Origin.String()
	tail, err := rec.AppendBinary(appendTexts(appendTimes(make([]byte, 0, 512), rec), subject, origin))
	if err != nil {
		return nil, fmt.Errorf("redis: %s: %w", doing, err)
	}
	part := rec.SID.Partition()
	answer, err := s.run(ctx, doing, stepCreate, part,
		rec.SID.String(), subject, origin,
		number(s.lifetime(rec)), number(min(rec.IdleExpiresAt, rec.ExpiresAt)), string(tail),
		number(limit.Max), number(limit.Action), number(limit.Now), number(limit.Until))
	if err != nil {
		return nil, err
	}
	head, rest, err := numbers(doing, answer, 3)
	if err != nil {
		return nil, err
	}
	s.heard(part, head[2])
	rec.Version, rec.Fenced = 1, false
	rec.SubjectEpoch, rec.GlobalEpoch = uint64(head[0]), uint64(head[1])
	return decodeEnded(rest)
}

// creatable refuses what the scripts rely on never to meet.
func creatable(rec *lanyard.Record, limit *lanyard.Limit) error {
	if err := placed(rec); err != nil {
		return err
	}
	if rec.EndReason != "" {
		return errors.New("it has ended already")
	}
	if limit.Max < 0 {
		return fmt.Errorf("a limit of %d", limit.Max)
	}
	probe := *rec
	probe.GlobalEpoch, probe.SubjectEpoch, probe.Version = 0, 0, 0 // stamped by the store
	if err := storable(&probe); err != nil {
		return err
	}
	return times(limit.Now, limit.Until)
}

// numbers takes the first n values of an answer, which are integers.
func numbers(doing string, answer []any, n int) (first []int64, rest []any, err error) {
	if len(answer) < n {
		return nil, nil, badReply(doing, answer)
	}
	for _, v := range answer[:n] {
		i, ok := v.(int64)
		if !ok {
			return nil, nil, badReply(doing, v)
		}
		first = append(first, i)
	}
	return first, answer[n:], nil
}
