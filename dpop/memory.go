package dpop

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// ErrFull means that a [LocalMemory] has no room for another proof, which is
// then refused as if the memory were away.
var ErrFull = errors.New("dpop: the local memory of proofs is full")

const (
	shards = 16
	// An entry is forgotten with its slice of time, up to sliceLength late.
	sliceLength = 15 * time.Second
)

// LocalMemory remembers accepted proofs in this process alone. A proof that one
// process has accepted passes once more at another: behind several processes
// use a store. It forgets by itself and holds a bounded number. Safe for
// concurrent use.
type LocalMemory struct {
	seed   maphash.Seed
	shards [shards]memoryShard
	each   int
}

type memoryShard struct {
	mu     sync.Mutex
	slices map[int64]map[string]struct{} // by number of the slice in which they end
	count  int
}

// NewLocalMemory returns a memory of at most max proofs (about 120 bytes each):
// proofs per second times their longest age, and some more. At least 1024.
func NewLocalMemory(max int) (*LocalMemory, error) {
	if max < 1024 {
		return nil, fmt.Errorf("dpop: NewLocalMemory: %d is below 1024", max)
	}
	m := &LocalMemory{seed: maphash.MakeSeed(), each: (max + shards - 1) / shards}
	for i := range m.shards {
		m.shards[i].slices = make(map[int64]map[string]struct{})
	}
	return m, nil
}

// Once implements [Memory]. It does not look at its context.
func (m *LocalMemory) Once(_ context.Context, key string, now, until time.Time) (bool, error) {
	s := &m.shards[maphash.String(m.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	current := number(now)
	for n, slice := range s.slices {
		if n < current {
			s.count -= len(slice)
			delete(s.slices, n)
			continue
		}
		if _, ok := slice[key]; ok {
			return false, nil
		}
	}
	if s.count >= m.each {
		return false, ErrFull
	}
	n := number(until)
	if s.slices[n] == nil {
		s.slices[n] = make(map[string]struct{})
	}
	s.slices[n][key] = struct{}{}
	s.count++
	return true, nil
}

func number(t time.Time) int64 { return t.UnixMilli() / sliceLength.Milliseconds() }
