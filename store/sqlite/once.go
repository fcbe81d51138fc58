package sqlite

import (
	"context"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// maxKey is the longest key of Once, in bytes.
const maxKey = 64

// Once implements [lanyard.Store].
func (s *Store) Once(ctx context.Context, key string, now, until lanyard.Time) (first bool, err error) {
	if len(key) > maxKey {
		return false, fmt.Errorf("sqlite: taking a key: %d bytes, at most %d", len(key), maxKey)
	}
	err = s.commit(ctx, "taking a key", func(t *tx) error {
		n, err := t.exec(sqlOnce, key, int64(until), int64(now))
		first = n == 1
		return err
	})
	return first && err == nil, err
}
