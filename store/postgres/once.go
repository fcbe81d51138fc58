package postgres

import (
	"context"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// maxKey is the longest key of Once, in bytes.
const maxKey = 64

// taking is a call of Once and its outcome.
type taking struct {
	key        string
	now, until lanyard.Time
	first      bool
}

// Once implements [lanyard.Store].
func (s *Store) Once(ctx context.Context, key string, now, until lanyard.Time) (first bool, err error) {
	if len(key) > maxKey {
		return false, fmt.Errorf("postgres: taking a key: %d bytes, at most %d", len(key), maxKey)
	}
	t, err := s.taking.do(ctx, "taking a key", key, taking{key: key, now: now, until: until})
	return t.first && err == nil, err
}

func (s *Store) takeAll(ctx context.Context, batch []*op[taking]) error {
	var keys, nows, untils array
	for _, o := range batch {
		o.what.first = false
		keys.string(o.what.key)
		nows.integer(int64(o.what.now))
		untils.integer(int64(o.what.until))
	}
	rows, err := s.db.QueryContext(ctx, s.query.take, keys.String(), nows.String(), untils.String())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return err
		}
		batch[n-1].what.first = true
	}
	return rows.Err()
}
