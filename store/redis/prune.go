package redis

import (
	"context"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// pruneChunk is how many of each kind one script looks at: about two
// milliseconds during which the server answers nobody else.
const pruneChunk = 200

// Prune implements [lanyard.Store]. It visits the partitions one after another,
// each in one step, and goes on where one cannot be reached: the error of that
// comes with a call that ends nothing, so that no end goes untold. It also
// completes an "end everything" that was cut short after it had reached some
// partitions. Keys of Once are removed by the engine.
func (s *Store) Prune(ctx context.Context, p lanyard.Prune) (lanyard.Ended, error) {
	if p.Limit < 1 {
		return lanyard.Ended{}, fmt.Errorf("redis: pruning: a limit of %d, at least 1", p.Limit)
	}
	if err := times(p.Now, max(p.Forget, 0)); err != nil {
		return lanyard.Ended{}, fmt.Errorf("redis: pruning: %w", err)
	}
	highest, failed := s.GlobalEpoch(ctx)
	var done lanyard.Ended
	for part := range lanyard.Partitions {
		if err := s.prunePartition(ctx, part, &p, highest, &done); err != nil {
			failed = err
		}
	}
	if failed == nil {
		return done, nil
	}
	if len(done.Records) == 0 {
		return lanyard.Ended{}, failed
	}
	done.More = true
	return done, nil
}

func (s *Store) prunePartition(ctx context.Context, part int, p *lanyard.Prune, epoch uint64, done *lanyard.Ended) error {
	const doing = "pruning"
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("redis: %s: %w", doing, err)
	}
	room := p.Limit - len(done.Records)
	answer, err := s.run(ctx, doing, stepPrune, part,
		number(p.Now), number(p.Forget), number(room), number(min(p.Limit, pruneChunk)), number(epoch))
	if err != nil {
		return err
	}
	head, values, err := numbers(doing, answer, 1)
	if err != nil {
		return err
	}
	ended, err := decodeEnded(values)
	done.Records = append(done.Records, ended...)
	done.More = done.More || head[0] != 0
	return err
}
