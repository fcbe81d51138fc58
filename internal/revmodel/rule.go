package revmodel

// Rule is one rule of the protocol.
type Rule uint8

// The rules.
const (
	NoRule Rule = iota

	// A follower stops accepting when its grant has run out.
	FollowerStops
	// A node stops accepting from its near cache, and granting, when its lease
	// has run out.
	NodeStops
	// The revoker waits for the leases it has read.
	RevokerWaits
	// A grant counts from the sending of the acknowledgement it answers.
	FromSending
	// Only the answer to an acknowledgement makes fresh, never a heartbeat.
	AnswersOnly
	// The entry is appended before the leases are read.
	AppendFirst
	// A node says that an entry is covered only when none of its followers
	// blocks it.
	NodeWaits
	// A node grants no more than what is left of its own lease.
	GrantWithinLease
	// A node's lease counts from before its writing was sent.
	LeaseFromSending
	// A follower uses a grant only once it has applied the newest entry that the
	// grant names.
	NewestApplied
	// A node uses a lease only once it has read the feed to an end that was read
	// after the lease was written.
	HeadAfterLease
	// A node draws its name anew at each start.
	FreshIdentity
	// A lease is not removed before it has run out.
	LeaseKept
	// With an incarnation that is new to it the revoker waits the full bound.
	FullWait
	// An incarnation is new for the bound, not only when it is first seen.
	NewForBound
	// The revoker waits for the drift too.
	RevokerAllowance
	// A node lets the drift pass before it calls a grant run out.
	NodeAllowance
	// A node remembers every running grant of a follower, not only the last.
	EveryGrant
	// A snapshot is added to what a follower knows and replaces nothing of it.
	SnapshotAdds
	// A cursor of another incarnation covers nothing.
	CursorsOfOneLife
	// The revoker appends again when the incarnation at its last look is not
	// that of the append.
	SameLifeAtEnd
	// An end that finds the session ended waits all the same.
	EndedWaits
	// Waiting for others goes by the monotonic clock, which nobody can set.
	MonotonicWaits
	// A follower draws its name anew at each start, so no two share one.
	OwnNames

	rules = iota
)

var ruleNames = [rules]string{
	FollowerStops:    "a follower stops when its grant has run out",
	NodeStops:        "a node stops when its lease has run out",
	RevokerWaits:     "the revoker waits for leases",
	FromSending:      "a grant counts from the sending of the acknowledgement",
	AnswersOnly:      "a heartbeat never makes fresh",
	AppendFirst:      "append before reading the leases",
	NodeWaits:        "a node waits for its followers",
	GrantWithinLease: "a grant does not outlast the node's lease",
	LeaseFromSending: "a node's lease counts from before its writing was sent",
	NewestApplied:    "a grant counts only once its newest entry is applied",
	HeadAfterLease:   "the feed is read after the lease was written",
	FreshIdentity:    "a node's name is drawn anew at each start",
	LeaseKept:        "a lease is not removed early",
	FullWait:         "a new incarnation means the full bound",
	NewForBound:      "an incarnation is new for the bound",
	RevokerAllowance: "the revoker allows for drift",
	NodeAllowance:    "a node allows for drift",
	EveryGrant:       "a node remembers every running grant",
	SnapshotAdds:     "a snapshot is added",
	CursorsOfOneLife: "a cursor of another incarnation covers nothing",
	SameLifeAtEnd:    "append again when the incarnation has changed",
	EndedWaits:       "an end that finds the session ended waits all the same",
	MonotonicWaits:   "waiting goes by the monotonic clock",
	OwnNames:         "followers do not share a name",
}

// String returns the rule as a sentence without a full stop.
func (r Rule) String() string {
	if r == NoRule || r >= rules {
		return "no rule"
	}
	return ruleNames[r]
}
