package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/lanyard-go/lanyard"
)

// Prune implements [lanyard.Store]. Of each other kind, too, it removes at most
// p.Limit a call. It waits for nobody: a record that is being written meanwhile
// is left for the next call. A record that is both fenced and past a deadline
// ends as fenced. When a record is removed, those handed off from it count as
// handed off from its own origin, so that ending that one still reaches them.
func (s *Store) Prune(ctx context.Context, p lanyard.Prune) (lanyard.Ended, error) {
	if p.Limit < 1 || p.Limit > math.MaxInt32 {
		return lanyard.Ended{}, fmt.Errorf("postgres: pruning: Prune.Limit is %d, want 1 to %d", p.Limit, math.MaxInt32)
	}
	if err := s.enter(); err != nil {
		return lanyard.Ended{}, fmt.Errorf("pruning: %w", err)
	}
	defer s.calls.Done()
	var ended lanyard.Ended
	err := again(func() error {
		ended = lanyard.Ended{}
		return s.outcomes(ctx, s.query.prune, func(row *outcome) {
			if row.ended != nil {
				ended.Records = append(ended.Records, row.ended)
			} else {
				ended.More = row.status == 1
			}
		}, int64(p.Now), int64(p.Forget), p.Limit)
	})
	if err != nil {
		return lanyard.Ended{}, fmt.Errorf("pruning: %w", explain(err))
	}
	return ended, nil
}
