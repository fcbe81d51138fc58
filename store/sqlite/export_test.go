package sqlite

import "runtime"

// Hold keeps transactions from starting until the function it returns is
// called, so that calls gather in the queue.
func (s *Store) Hold() (release func()) {
	s.lead <- struct{}{}
	return func() { <-s.lead }
}

// AwaitQueue returns when n calls are waiting.
func (s *Store) AwaitQueue(n int) {
	for {
		s.mu.Lock()
		waiting := len(s.queue)
		s.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}
