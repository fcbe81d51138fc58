package api

import "time"

// Verifiers is the answer of GET /v1/admin/verifiers: who hears of revocations
// by way of the node that answers, and how late.
type Verifiers struct {
	BoundMS   int64      `json:"bound_ms"` // how old anybody's news may be
	Node      Node       `json:"node"`     // the one that answers
	Nodes     []Node     `json:"nodes"`    // those it shares the store with
	Verifiers []Verifier `json:"verifiers"`
}

// Node is a server process.
type Node struct {
	Name      string   `json:"name"` // of this start of it
	Near      bool     `json:"near"` // it keeps sessions near it
	LeaseMS   int64    `json:"lease_ms"`
	AgeMS     int64    `json:"age_ms"`  // of its lease, as this node has met it
	InStep    bool     `json:"in_step"` // it goes by everything that this node does
	Followers int      `json:"followers"`
	Behind    []string `json:"behind"` // followers it waits for, some of them
	Local     []string `json:"local"`  // followers with routes without a bound, some of them
}

// Verifier is a follower of the feed.
type Verifier struct {
	Name    string    `json:"name"`      // what it calls itself
	Client  string    `json:"client_id"` // whose credentials it comes with
	ID      string    `json:"id"`        // of this start of it
	Local   bool      `json:"local"`     // it has routes without a bound
	Since   time.Time `json:"since"`
	LastAck time.Time `json:"last_ack"`
	AgeMS   int64     `json:"age_ms"`   // since then
	LeaseMS int64     `json:"lease_ms"` // 0: it may accept nothing on routes with a bound
	Behind  uint64    `json:"behind"`   // batches it has not acknowledged
	Lag     Lag       `json:"lag"`

	Canaries uint64  `json:"canaries"`            // revocations of a canary that it has told of
	CanaryMS []int64 `json:"canary_ms,omitempty"` // how late the newest of them were, if asked for
}

// Lag is how late revocations were met. The figures are ends of buckets, up to
// an eighth too high.
type Lag struct {
	Count uint64 `json:"count"`
	P50MS int64  `json:"p50_ms"`
	P99MS int64  `json:"p99_ms"`
	MaxMS int64  `json:"max_ms"`
}
