package directory

import (
	"context"
	"sync"
)

// turns lets a fixed number of attempts at one account be under way in this
// process; more wait for the outcome of those. Attempts are counted as failures
// until they have turned out good, so without it the sixth of a dozen good
// logins at one moment would be refused. It only delays: what limits guessing
// is the count in the database.
type turns struct {
	size int

	mu    sync.Mutex
	lanes map[string]*lane // those in use
}

type lane struct {
	slots chan struct{}
	users int // who hold a slot or wait for one
}

func newTurns(size int) *turns {
	return &turns{size: size, lanes: make(map[string]*lane)}
}

// take waits for a slot at key and returns the function that gives it back, or
// the context's error.
func (t *turns) take(ctx context.Context, key string) (release func(), err error) {
	t.mu.Lock()
	l := t.lanes[key]
	if l == nil {
		l = &lane{slots: make(chan struct{}, t.size)}
		t.lanes[key] = l
	}
	l.users++
	t.mu.Unlock()

	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(t.lanes, key)
		}
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
