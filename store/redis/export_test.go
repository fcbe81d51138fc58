package redis

// Waiting returns how many creations wait for a step.
func (s *Store) Waiting() (n int) {
	for i := range s.lanes {
		l := &s.lanes[i]
		l.mu.Lock()
		n += len(l.queue)
		l.mu.Unlock()
	}
	return n
}
