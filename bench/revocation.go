package main

import (
	"context"
	"fmt"
)

// revocations measures how ends of sessions reach those who check without asking.
func (b *bench) revocations(ctx context.Context, dir string) (section, error) {
	s := section{Title: "Instant revocation", Notes: []string{
		fmt.Sprintf("The %d followers are in this process and the node in another, on the same processors. Each follower has a connection for its stream and one for its acknowledgements, in plain HTTP. A lag is the time from the append at the node until the follower has applied the entry, by one clock. An acknowledgement of something new is spaced from the last such one, as the node asks; with five ends a second that is most of the time until the last follower has acknowledged.", flockSize),
		"What a look at the revocations adds to a check is the difference of neighbouring slices: the check alone and a clock read, against the check and the look, which reads the clock once itself. The column of the peer has the whole check. The sessions looked for are others each time, and none of them was revoked.",
		"Pages with the near cache are those of `lanyard serve`: the node follows the revocations, as the pages in the part on stores do not. Whoever ends a session waits until every node has heard of it, so no page is older than with a look at the store each time.",
	}}
	for _, part := range []func(context.Context, string) ([]row, error){
		b.following, b.coldStart, b.weightOfEntries, b.addedCost, b.throughput, b.nearCache,
	} {
		rows, err := part(ctx, dir)
		if err != nil {
			return s, err
		}
		s.Rows = append(s.Rows, rows...)
	}
	return s, nil
}
