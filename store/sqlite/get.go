package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lanyard-go/lanyard"
)

// Get implements [lanyard.Store]. With [Config.Exclusive] a record seen before
// is answered from memory.
func (s *Store) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	for epoch := s.epoch.Load(); ; {
		version, body, ok := s.cache.get(sid)
		if !ok {
			break
		}
		// Everything may have ended while the entry was looked up, after
		// another write to the record: the entry is of before then.
		now := s.epoch.Load()
		if now == epoch {
			return decode(sid, version, body, epoch)
		}
		epoch = now
	}
	before := s.cache.changes(sid)
	var version int64
	var body string
	var epoch uint64
	err := s.read(ctx, "reading a session", func(c *connection) error {
		err := c.stmt[sqlGet].QueryRowContext(ctx, sid[:]).Scan(&version, &body, &epoch)
		if errors.Is(err, sql.ErrNoRows) {
			return lanyard.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	rec, err := decode(sid, version, body, epoch)
	if err != nil {
		return nil, err
	}
	s.raiseEpoch(epoch)
	s.cache.fill(sid, version, body, before)
	return rec, nil
}

// raiseEpoch makes sure that records from the cache are judged by an epoch at
// least this high.
func (s *Store) raiseEpoch(epoch uint64) {
	for {
		known := s.epoch.Load()
		if known >= epoch || s.epoch.CompareAndSwap(known, epoch) {
			return
		}
	}
}

// GlobalEpoch implements [lanyard.Epochs].
func (s *Store) GlobalEpoch(ctx context.Context) (epoch uint64, err error) {
	err = s.read(ctx, "reading the global epoch", func(c *connection) error {
		return c.stmt[sqlEpoch].QueryRowContext(ctx).Scan(&epoch)
	})
	return epoch, err
}

// Ping implements [lanyard.Pinger]: it reads from the file.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.GlobalEpoch(ctx)
	return err
}

// Count implements [lanyard.Counter]. Records that are fenced but not yet ended
// by Prune are counted.
func (s *Store) Count(ctx context.Context, now lanyard.Time) (n int, err error) {
	err = s.read(ctx, "counting sessions", func(c *connection) error {
		return c.stmt[sqlCount].QueryRowContext(ctx, int64(now)).Scan(&n)
	})
	return n, err
}
