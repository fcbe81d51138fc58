package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/lanyard-go/lanyard"
)

var _ lanyard.Incarnated = (*Store)(nil)

// Incarnation implements [lanyard.Incarnated]: it asks the server of each
// partition of a Cluster, all at once, and sees a restart, a failover or the move
// of a slot of any of them. One server, or one behind Sentinel, is asked once.
func (s *Store) Incarnation(ctx context.Context) (string, error) {
	const doing = "reading the incarnations of the servers"
	parts := 1
	if s.slots {
		parts = lanyard.Partitions
	}
	words, errs := make([]string, parts), make([]error, parts)
	var all sync.WaitGroup
	for part := range parts {
		all.Go(func() {
			answer, err := s.run(ctx, doing, stepLeases, part)
			if err == nil && len(answer) > 0 {
				words[part], _ = answer[0].(string)
			}
			if errs[part] = err; err == nil && words[part] == "" {
				errs[part] = fmt.Errorf("redis: %s: INFO shows no run_id or no master_replid, so that a restart would not be seen", doing)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(words, " ")))
	return hex.EncodeToString(sum[:16]), nil
}
