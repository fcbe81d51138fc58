package redis

import (
	"context"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// The longest name and value of a lease, in bytes.
const (
	maxLeaseName  = 64
	maxLeaseValue = 8 << 10
)

var _ lanyard.Leaser = (*Store)(nil)

// SetLease implements [lanyard.Leaser]. It works while the server's memory is
// full.
func (s *Store) SetLease(ctx context.Context, node, value string) error {
	const doing = "writing a lease"
	if node == "" || len(node) > maxLeaseName || len(value) > maxLeaseValue {
		return fmt.Errorf("redis: %s: a name of %d bytes and a value of %d, want 1 to %d and at most %d",
			doing, len(node), len(value), maxLeaseName, maxLeaseValue)
	}
	_, err := s.run(ctx, doing, stepLease, 0, node, value)
	return err
}

// DropLease implements [lanyard.Leaser].
func (s *Store) DropLease(ctx context.Context, node, value string) error {
	_, err := s.run(ctx, "removing a lease", stepUnlease, 0, node, value)
	return err
}

// Leases implements [lanyard.Leaser]. All leases are in the first partition. The
// incarnation is that of the server which has it: its run id, which is drawn at
// each start, and its replication id, which is drawn at each promotion. It sees
// a restart, a failover and, in a Cluster, a move of the slot. What
// happens to the other servers of a Cluster, which have no leases but entries of
// the feed, is what [Store.Incarnation] sees. It does not see that the server which answers was replaced and does not know it yet; how long
// that can last is what min-replicas-to-write bounds. Data that were put in the
// place of these while the server ran give [ErrLost].
func (s *Store) Leases(ctx context.Context) (leases map[string]string, incarnation string, err error) {
	const doing = "reading the leases"
	answer, err := s.run(ctx, doing, stepLeases, 0)
	if err != nil {
		return nil, "", err
	}
	texts := make([]string, len(answer))
	for i, v := range answer {
		text, ok := v.(string)
		if !ok {
			return nil, "", badReply(doing, v)
		}
		texts[i] = text
	}
	if len(texts)%2 != 1 {
		return nil, "", badReply(doing, answer)
	}
	if texts[0] == "" {
		return nil, "", fmt.Errorf("redis: %s: INFO shows no run_id or no master_replid, so that a restart would not be seen", doing)
	}
	leases = make(map[string]string, len(texts)/2)
	for i := 1; i < len(texts); i += 2 {
		leases[texts[i]] = texts[i+1]
	}
	return leases, texts[0], nil
}
