package lanyard

import (
	"context"
	"time"
)

// Feed serves what a node hears of revocations to followers of its own, such as
// the verifiers of other services. Package revocation/publish makes one; a
// manager without one in [Config.Feed] keeps its news to itself. Its methods are
// called by one goroutine at a time, but for Covered and Moved.
type Feed interface {
	// Attach is called once, by [New].
	Attach(FeedSource)
	// Append takes entries in the order of the feed, and the cursor behind them.
	// There may be none: then the cursor has moved by itself.
	Append(entries []Entry, cursor string)
	// Restart says that the store's feed is another than before (a restored
	// backup, a store replaced): earlier cursors mean nothing now.
	Restart()
	// Covered returns the cursor up to which each follower has acknowledged, or
	// has run out, and who must be known to whoever revokes.
	Covered() FeedState
	// Moved receives a value when Covered may have changed.
	Moved() <-chan struct{}
}

// FeedSource is what a [Feed] may ask its node.
type FeedSource interface {
	// FeedLease returns for how long from now news of this node may be trusted.
	// Zero: not at all. No follower is granted more.
	FeedLease() time.Duration
	// FeedCatchUp reads the store's feed to its end.
	FeedCatchUp(ctx context.Context) error
	// FeedCovers compares cursors as [Comparer] does.
	FeedCovers(have, want string) (bool, error)
}

// FeedState is how far the followers of a node are.
type FeedState struct {
	Cursor    string   // acknowledged by each follower that may still accept anything
	Followers int      // heard of lately, whether they may or not
	Behind    []string // names of followers that Cursor waits for, some of them
	Local     []string // names of followers that have routes without a bound, some of them
}
