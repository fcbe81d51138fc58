package memory

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/lanyard-go/lanyard"
)

const maxOnceKey = 64 // bytes

// once remembers the keys that were used up, and until when.
type once struct {
	mu   sync.Mutex
	keys map[string]lanyard.Time
	due  queue[string]
}

// Once implements [lanyard.Store].
func (s *Store) Once(_ context.Context, key string, now, until lanyard.Time) (bool, error) {
	if len(key) > maxOnceKey {
		return false, fmt.Errorf("using a key once: it has %d bytes, at most %d", len(key), maxOnceKey)
	}
	o := &s.once
	o.mu.Lock()
	defer o.mu.Unlock()
	if held, used := o.keys[key]; used && now < held {
		return false, nil
	}
	key = strings.Clone(key) // it may be part of a whole request
	o.keys[key] = until
	o.due.push(until, key)
	return true, nil
}

// prune forgets the keys whose time has come.
func (o *once) prune(now lanyard.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		key, ok := o.due.due(now)
		if !ok {
			return
		}
		o.due.pop()
		if o.keys[key] <= now { // not used again meanwhile
			delete(o.keys, key)
		}
	}
}
