package redis

import (
	"context"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

const (
	maxOnceKey = 64 // bytes

	// onceMargin is how much longer than asked for the engine keeps a key, in
	// milliseconds, because the clocks of its callers differ.
	onceMargin = 60_000
)

// Once implements [lanyard.Store]. The engine forgets the key a minute after
// until, by its own measure of the time between now and until.
func (s *Store) Once(ctx context.Context, key string, now, until lanyard.Time) (bool, error) {
	if len(key) > maxOnceKey {
		return false, fmt.Errorf("redis: using a key once: it has %d bytes, at most %d", len(key), maxOnceKey)
	}
	if err := times(now, until); err != nil {
		return false, fmt.Errorf("redis: using a key once: %w", err)
	}
	k := s.keys[partitionOf(key)]
	lifetime := max(until-now, 0) + onceMargin
	reply, err := s.send(ctx, "using a key once",
		[]string{"SET", k.once(digest("once:" + key)), "1", "NX", "PX", number(lifetime)}, 1)
	if err != nil {
		return false, err
	}
	return reply != nil, nil
}
