package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// notifier tells other nodes that the feed has grown, outside the transactions
// that write it: a notification inside makes every commit of the database wait
// for every other. While one is on its way, any number of others are one.
type notifier struct {
	mu            sync.Mutex
	sending, more bool
}

// notify sends a notification soon, if anybody may be listening. It waits for
// nothing, and a failure is nobody's: readers poll.
func (s *Store) notify() {
	if s.listen == nil {
		return
	}
	s.news.mu.Lock()
	defer s.news.mu.Unlock()
	if s.news.sending {
		s.news.more = true
		return
	}
	s.news.sending = true
	s.calls.Add(1) // the caller is counted in, so Close still waits
	go s.sendNews()
}

func (s *Store) sendNews() {
	defer s.calls.Done()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
		_, _ = s.db.ExecContext(ctx, s.query.notify, s.query.channel)
		cancel()
		s.news.mu.Lock()
		if !s.news.more {
			s.news.sending = false
			s.news.mu.Unlock()
			return
		}
		s.news.more = false
		s.news.mu.Unlock()
	}
}

// Watch implements [lanyard.Watcher]. It needs [Config.Listen].
func (s *Store) Watch(ctx context.Context, wake func()) error {
	if s.listen == nil {
		return errors.New("postgres: watching the feed: Config.Listen is not set")
	}
	if err := s.listen(ctx, s.query.channel, wake); err != nil {
		return fmt.Errorf("watching the feed: %w", explain(err))
	}
	return nil
}
