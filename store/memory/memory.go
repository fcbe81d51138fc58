// Package memory keeps session records in the memory of one process. It is the
// reference for what a [lanyard.Store] does, and the store for tests, examples
// and single processes that may forget everybody when they stop.
//
// Start with [New]. The package writes nothing to disk and starts no goroutine;
// records past their deadlines stay until somebody calls [Store.Prune], as the
// manager does.
package memory

import (
	"context"
	"crypto/rand"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

// Store is a [lanyard.Store] in memory, made by [New]. Its methods are safe for
// concurrent use. They never wait for anything but each other and therefore do
// not look at their contexts.
//
// It also is a [lanyard.Volatile], a [lanyard.Pinger], a [lanyard.Counter], a
// [lanyard.Epochs], a [lanyard.Importer], a [lanyard.Comparer] and a
// [lanyard.Leaser].
type Store struct {
	// Locks are taken in this order: one partition, or all in their order, then the
	// feed. Only the end of everything takes more than one, because all records of
	// a subject share one.
	parts  [lanyard.Partitions]partition
	feed   feed
	once   once
	leases leases

	// epoch is the global epoch. It changes while all partitions are locked, and
	// is read under the lock of the partition whose records it is to judge.
	epoch atomic.Uint64
}

var (
	_ lanyard.Store    = (*Store)(nil)
	_ lanyard.Volatile = (*Store)(nil)
	_ lanyard.Pinger   = (*Store)(nil)
	_ lanyard.Counter  = (*Store)(nil)
	_ lanyard.Epochs   = (*Store)(nil)
	_ lanyard.Importer = (*Store)(nil)
)

// New returns an empty store.
func New() *Store {
	s := &Store{}
	// A follower outlives this process and comes back with a cursor of the one
	// before, which must not pass for a place in the new feed.
	rand.Read(s.feed.instance[:])
	for i := range s.parts {
		s.parts[i].init()
	}
	s.once.keys = make(map[string]lanyard.Time)
	return s
}

// Get implements [lanyard.Store].
func (s *Store) Get(_ context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	p := s.partition(sid)
	p.mu.RLock()
	stored, version, ok := p.records.get(sid)
	epoch := s.epoch.Load()
	p.mu.RUnlock()
	if !ok {
		return nil, lanyard.ErrNotFound
	}
	return decode(stored, version, epoch)
}

// Volatile implements [lanyard.Volatile]: it returns true.
func (s *Store) Volatile() bool { return true }

// Ping implements [lanyard.Pinger]: memory is always there.
func (s *Store) Ping(context.Context) error { return nil }

// Count implements [lanyard.Counter]. Records that are past their deadlines or
// fenced count until they are pruned.
func (s *Store) Count(context.Context, lanyard.Time) (int, error) {
	n := 0
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		n += p.unended
		p.mu.RUnlock()
	}
	return n, nil
}

// GlobalEpoch implements [lanyard.Epochs].
func (s *Store) GlobalEpoch(context.Context) (uint64, error) { return s.epoch.Load(), nil }

func (s *Store) partition(sid lanyard.SID) *partition { return &s.parts[sid.Partition()] }
