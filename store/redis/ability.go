package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard"
)

// Ping implements [lanyard.Pinger]: it reads the identity of the data, so that a
// server that answers without its data, or with that of another store, does not
// count as there.
func (s *Store) Ping(ctx context.Context) error {
	const doing = "looking for the store"
	reply, err := s.send(ctx, doing, []string{"HGET", s.keys[0].meta(), "id"}, 1)
	if err != nil {
		return err
	}
	if id, ok := reply.(string); !ok || id != s.id {
		return fmt.Errorf("redis: %s: %w: its identity has changed", doing, ErrLost)
	}
	return nil
}

// Count implements [lanyard.Counter]. Records that are past their deadlines or
// fenced count until they are pruned.
func (s *Store) Count(ctx context.Context, _ lanyard.Time) (int, error) {
	var sum atomic.Int64
	err := each(ctx, func(ctx context.Context, part int) error {
		reply, err := s.send(ctx, "counting sessions", []string{"ZCARD", s.keys[part].due()}, 1)
		if err != nil {
			return err
		}
		n, ok := reply.(int64)
		if !ok {
			return badReply("counting sessions", reply)
		}
		sum.Add(n)
		return nil
	})
	return int(sum.Load()), err
}

// GlobalEpoch implements [lanyard.Epochs].
func (s *Store) GlobalEpoch(ctx context.Context) (uint64, error) {
	var epochs [lanyard.Partitions]uint64
	err := each(ctx, func(ctx context.Context, part int) (err error) {
		epochs[part], err = s.partitionEpoch(ctx, part)
		return err
	})
	var highest uint64
	for _, epoch := range epochs {
		highest = max(highest, epoch)
	}
	return highest, err
}

func (s *Store) partitionEpoch(ctx context.Context, part int) (uint64, error) {
	const doing = "reading an epoch"
	reply, err := s.send(ctx, doing, []string{"GET", s.keys[part].epoch()}, 1)
	if err != nil {
		return 0, err
	}
	return epochOf(doing, reply)
}

// Watch implements [lanyard.Watcher] with Config.Subscribe. Without it the error
// matches [errors.ErrUnsupported].
func (s *Store) Watch(ctx context.Context, wake func()) error {
	if s.cfg.Subscribe == nil {
		return fmt.Errorf("redis: watching the feed: Config.Subscribe is nil: %w", errors.ErrUnsupported)
	}
	if err := s.cfg.Subscribe(ctx, s.channel, wake); err != nil {
		return explain("watching the feed", err)
	}
	return ctx.Err()
}

// Note implements [lanyard.Noter].
func (s *Store) Note(ctx context.Context, name, old, value string) (string, error) {
	const doing = "keeping a note"
	if len(name) > 64 || len(old) > 512 || len(value) > 512 {
		return "", fmt.Errorf("redis: keeping a note: a name of %d and a value of %d bytes, at most 64 and 512", len(name), max(len(old), len(value)))
	}
	answer, err := s.run(ctx, doing, stepNote, 0, name, old, value)
	if err != nil {
		return "", err
	}
	if len(answer) != 1 {
		return "", badReply(doing, answer)
	}
	have, ok := answer[0].(string)
	if !ok {
		return "", badReply(doing, answer[0])
	}
	return have, nil
}

// Clock implements [lanyard.Clocked]. In a Cluster it is the clock of the node
// that has the first partition.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	const doing = "reading the server's clock"
	reply, err := s.send(ctx, doing, []string{"EVAL", "return redis.call('TIME')", "1", s.keys[0].meta()}, 3)
	if err != nil {
		return time.Time{}, err
	}
	values, _ := reply.([]any)
	var parts [2]int64
	for i := range parts {
		if len(values) != len(parts) {
			return time.Time{}, badReply(doing, reply)
		}
		text, _ := values[i].(string)
		if parts[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return time.Time{}, badReply(doing, values[i])
		}
	}
	return time.Unix(parts[0], parts[1]*1000).UTC(), nil
}

// Distant implements [lanyard.Distant]: the server is another process.
func (s *Store) Distant() bool { return true }
