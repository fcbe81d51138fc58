package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard"
)

// Get implements [lanyard.Store]: one read by primary key. The global epoch that
// decides about a fence is read at the same moment.
func (s *Store) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	if err := s.enter(); err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	defer s.calls.Done()
	var r row
	var global epoch
	err := s.db.QueryRowContext(ctx, s.query.get, sid[:]).Scan(
		&r.version, &r.subjectEpoch, &r.globalEpoch, &r.endedAt, &r.reason, &r.by, &r.body, &global)
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", explain(err))
	}
	if r.version == 0 {
		return nil, fmt.Errorf("reading a session: %w", lanyard.ErrNotFound)
	}
	rec, err := r.record(sid, uint64(global))
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	return rec, nil
}

// scan reads one row.
func (s *Store) scan(ctx context.Context, doing, text string, args []any, into ...any) error {
	if err := s.enter(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer s.calls.Done()
	if err := s.db.QueryRowContext(ctx, text, args...).Scan(into...); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	return nil
}

// GlobalEpoch implements [lanyard.Epochs].
func (s *Store) GlobalEpoch(ctx context.Context) (uint64, error) {
	var global epoch
	err := s.scan(ctx, "reading the global epoch", s.query.epoch, nil, &global)
	return uint64(global), err
}

// Ping implements [lanyard.Pinger]: it reads from a table of the primary.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.GlobalEpoch(ctx)
	return err
}

// countExactly is up to how many live records Count counts.
const countExactly = 10_000

// Count implements [lanyard.Counter]. Up to ten thousand live records are
// counted; of more, the server's own estimate of those not yet ended is
// returned, which costs nothing and is as old as its last vacuum or analyze.
func (s *Store) Count(ctx context.Context, now lanyard.Time) (int, error) {
	var counted, estimate int
	err := s.scan(ctx, "counting sessions", s.query.count, []any{int64(now), countExactly}, &counted, &estimate)
	if counted < countExactly {
		return counted, err
	}
	return max(counted, estimate), err
}

// Clock implements [lanyard.Clocked].
func (s *Store) Clock(ctx context.Context) (at time.Time, err error) {
	err = s.scan(ctx, "reading the server's clock", s.query.clock, nil, &at)
	return at, err
}

// Distant implements [lanyard.Distant]: the server is another process.
func (s *Store) Distant() bool { return true }
