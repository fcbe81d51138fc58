package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lanyard-go/lanyard"
)

// Get implements [lanyard.Store]. It asks the primary for the record and its
// partition's epoch, which one command reads at one moment.
func (s *Store) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	if sid.IsZero() {
		return nil, lanyard.ErrNotFound
	}
	k := s.keys[sid.Partition()]
	const doing = "reading a session"
	reply, err := s.send(ctx, doing, []string{"MGET", k.record(sid), k.epoch()}, 1)
	if err != nil {
		return nil, err
	}
	values, _ := reply.([]any)
	if len(values) != 2 {
		return nil, badReply(doing, reply)
	}
	epoch, err := epochOf(doing, values[1])
	if err != nil {
		return nil, err
	}
	switch stored := values[0].(type) {
	case nil:
		return nil, lanyard.ErrNotFound
	case string:
		return decode(stored, sid, epoch)
	default:
		return nil, badReply(doing, stored)
	}
}

// epochOf reads a partition's global epoch. Without it every fenced record would
// come back to life, so its absence is no zero.
func epochOf(doing string, value any) (uint64, error) {
	text, ok := value.(string)
	if !ok {
		return 0, fmt.Errorf("redis: %s: %w: a partition has no epoch", doing, ErrLost)
	}
	epoch, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return 0, fmt.Errorf("redis: %s: an epoch of %q", doing, text)
	}
	return epoch, nil
}
