package contender

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/redisconn"
	"github.com/lanyard-go/lanyard/store/redis"
)

// RedisFloor reads the very values that the checks of a site on Redis read, with
// nothing but the client: a GET each.
type RedisFloor struct {
	client rueidis.Client
	keys   []string
	next   atomic.Int64
}

// NewRedisFloor connects a client of its own, with the settings of
// internal/redisconn.
func NewRedisFloor(ctx context.Context, s *Site, base Base) (*RedisFloor, error) {
	option, err := rueidis.ParseURL(base.Redis)
	if err != nil {
		return nil, err
	}
	option.DisableCache, option.DisableRetry, option.ForceSingleClient = true, true, true
	option.MaxFlushDelay, option.ConnWriteTimeout = 20*time.Microsecond, 2*time.Second
	f := &RedisFloor{}
	if f.keys, err = recordKeys(ctx, s, base); err != nil {
		return nil, fmt.Errorf("learning the keys of the records: %w", err)
	}
	if f.client, err = rueidis.NewClient(option); err != nil {
		return nil, fmt.Errorf("connecting to redis: %w", err)
	}
	return f, nil
}

// recordKeys watches another store on the same data while it reads every record.
func recordKeys(ctx context.Context, s *Site, base Base) ([]string, error) {
	conn, err := redisconn.Open(redisconn.Config{URL: base.Redis})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var keys []string
	watching := false
	store, err := redis.New(ctx, redis.Config{Do: func(ctx context.Context, cmd []string, key int) (any, error) {
		if watching {
			keys = append(keys, cmd[key])
		}
		return conn.Do(ctx, cmd, key)
	}})
	if err != nil {
		return nil, err
	}
	for q := (lanyard.Query{}); ; {
		page, err := store.List(ctx, q)
		if err != nil {
			return nil, err
		}
		watching = true
		for _, rec := range page.Records {
			if _, err := store.Get(ctx, rec.SID); err != nil {
				return nil, err
			}
		}
		watching = false
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if len(keys) != len(s.Badges) {
		return nil, fmt.Errorf("%d keys of %d records", len(keys), len(s.Badges))
	}
	return keys, nil
}

// Read reads n values in all with so many callers.
func (f *RedisFloor) Read(ctx context.Context, callers, n int) error {
	return share(callers, n, func(int) error {
		key := f.keys[int(f.next.Add(1))%len(f.keys)]
		text, err := f.client.Do(ctx, f.client.B().Get().Key(key).Build()).ToString()
		if err == nil && len(text) < 100 {
			err = fmt.Errorf("the value of %s has %d bytes", key, len(text))
		}
		return err
	})
}

// Close ends the connection.
func (f *RedisFloor) Close() error {
	f.client.Close()
	return nil
}
