package memory

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"sync"

	"github.com/lanyard-go/lanyard"
)

// The longest name and value of a lease, in bytes.
const (
	maxLeaseName  = 64
	maxLeaseValue = 8 << 10
)

// leases are what nodes promise each other. In one process there is one node as
// a rule, so one lock does.
type leases struct {
	mu     sync.RWMutex
	values map[string]string
}

var _ lanyard.Leaser = (*Store)(nil)

// SetLease implements [lanyard.Leaser].
func (s *Store) SetLease(_ context.Context, node, value string) error {
	if node == "" || len(node) > maxLeaseName || len(value) > maxLeaseValue {
		return fmt.Errorf("memory: writing a lease: a name of %d bytes and a value of %d, want 1 to %d and at most %d",
			len(node), len(value), maxLeaseName, maxLeaseValue)
	}
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	if s.leases.values == nil {
		s.leases.values = make(map[string]string)
	}
	s.leases.values[node] = value
	return nil
}

// DropLease implements [lanyard.Leaser].
func (s *Store) DropLease(_ context.Context, node, value string) error {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	if kept, ok := s.leases.values[node]; ok && kept == value {
		delete(s.leases.values, node)
	}
	return nil
}

// Leases implements [lanyard.Leaser]. The incarnation is drawn by [New]: what
// this memory has acknowledged goes with it and never before.
func (s *Store) Leases(context.Context) (map[string]string, string, error) {
	s.leases.mu.RLock()
	defer s.leases.mu.RUnlock()
	leases := make(map[string]string, len(s.leases.values))
	maps.Copy(leases, s.leases.values)
	return leases, hex.EncodeToString(s.feed.instance[:]), nil
}
