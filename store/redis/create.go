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
	part := rec.SID.Partition()
	stamp := &s.stamps[part]
	c := &creation{part: part, weight: 1 + limit.Max/4, raised: stamp.raised.Load(), epoch: stamp.epoch.Load()}
	value := appendTexts(appendTimes(appendStamp(make([]byte, 0, 512), c.epoch, c.raised), rec), subject, origin)
	value, err := rec.AppendBinary(value)
	if err != nil {
		return nil, fmt.Errorf("redis: %s: %w", doing, err)
	}
	c.args = append(make([]string, 0, 10), rec.SID.String(), subject, string(value), number(s.lifetime(rec)),
		number(min(rec.IdleExpiresAt, rec.ExpiresAt)), origin, number(limit.Max))
	if limit.Max > 0 {
		c.args = append(c.args, number(limit.Action), number(limit.Now), number(limit.Until))
	}
	if err := s.create(ctx, doing, c); err != nil {
		return nil, err
	}
	s.heard(part, c.seq)
	stamp.raised.Store(c.raised)
	stamp.epoch.Store(c.epoch)
	rec.Version, rec.Fenced = 1, false
	rec.SubjectEpoch, rec.GlobalEpoch = c.raised, c.epoch
	return decodeEnded(c.ended)
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
