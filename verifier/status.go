package verifier

import "github.com/lanyard-go/lanyard/revocation"

// Status is how a verifier stands to the revocation feed, for metrics. All of it
// is a copy.
type Status struct {
	// The state of the feed: how old its news is, for how long it may still be
	// believed, the node at the other end, what is kept, and counts of what has
	// happened, troubles by name.
	revocation.Status
	// Lag is how late entries were met, as a difference between the issuer's clock
	// and this one; see [revocation.Lags].
	Lag revocation.Lags
}

// Status returns how things are now. It is zero, and so blind, without
// [Config.Feed].
func (v *Verifier) Status() Status {
	if v.feed == nil {
		return Status{}
	}
	return Status{v.feed.follower.Status(), v.feed.follower.Lag()}
}
