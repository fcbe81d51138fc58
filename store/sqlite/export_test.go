package sqlite

import (
	"context"
	"runtime"
	"testing"

	"github.com/lanyard-go/lanyard"
)

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

// ListHeld is List from memory, and whether that was possible.
func (s *Store) ListHeld(ctx context.Context, q lanyard.Query) (lanyard.Page, bool) {
	from, err := listFrom(&q)
	if err != nil {
		return lanyard.Page{}, false
	}
	return s.listHeld(ctx, &q, from)
}

// ListFile is List without what is in memory.
func (s *Store) ListFile(t testing.TB, q lanyard.Query) lanyard.Page {
	t.Helper()
	from, err := listFrom(&q)
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.listFile(t.Context(), &q, from)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// Expect begins a change of a session and returns what ends it.
func (s *Store) Expect(sid lanyard.SID) (settle func()) {
	s.cache.expect([]change{{sid: sid}})
	return s.cache.settle
}
