package sqlite

import (
	"context"
	"sync"
)

// bell rings for everybody who waits for new feed entries.
type bell struct {
	mu   sync.Mutex
	next chan struct{} // closed at the next ring; nil while nobody waits
}

// wait returns a channel that the next ring closes.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Watch implements [lanyard.Watcher]. It hears of what this Store appends, at
// once, and not of what other processes append to the file.
func (s *Store) Watch(ctx context.Context, wake func()) error {
	rung := s.bell.wait()
	for {
		select {
		case <-rung:
			rung = s.bell.wait() // before wake reads, so that nothing falls between
			wake()
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return ErrClosed
		}
	}
}
