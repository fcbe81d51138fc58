package lanyard

import (
	"context"
	"time"
)

// The interfaces of this file are what a [Store] may be able to do besides.
// Whoever needs one asks with a type assertion and does without otherwise.
// Package storetest checks those that a store has.

// Pinger is an optional ability of a store: Ping reports whether it can be
// reached. Readiness checks use it.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Counter is an optional ability of a store: Count returns how many records are
// live at now, roughly (metrics only).
type Counter interface {
	Count(ctx context.Context, now Time) (int, error)
}

// Volatile is an optional ability of a store: true means that its records live
// and die with the process. Only then may keys be drawn at random at start, and
// calls go without a timeout because they never wait.
type Volatile interface {
	Volatile() bool
}

// Epochs is an optional ability of a store: GlobalEpoch returns the highest
// global epoch of its partitions. A server keeps it outside the store too, so
// that a restored backup can be put above it.
type Epochs interface {
	GlobalEpoch(ctx context.Context) (uint64, error)
}

// Watcher is an optional ability of a store: Watch calls wake soon after entries
// were appended to the feed, on any node, until ctx ends or the watch breaks,
// and returns why. It is only a hint that saves time: wake may be called late,
// too often or not at all, so that readers poll beside it. Wake returns quickly.
type Watcher interface {
	Watch(ctx context.Context, wake func()) error
}

// Noter is an optional ability of a store: it keeps a few small facts about
// itself, such as whose keys its records were made with, beside the records.
// Names and values are at most 64 and 512 bytes.
type Noter interface {
	// Note returns the value that is noted under name, empty if none is. If that
	// value is old, and value is another, value is noted and returned: a
	// compare-and-swap, one atomic step on every node. With old and value alike
	// nothing is written.
	Note(ctx context.Context, name, old, value string) (string, error)
}

// Comparer is an optional ability of a store: it compares cursors of the feed.
type Comparer interface {
	// Covers reports whether a reader at the cursor have has seen every entry
	// that a reader at want has seen. The empty cursor has seen nothing. Of two
	// cursors neither may cover the other, where a feed has several ends. Behind
	// everything there was, a cursor covers each that was handed out before. A
	// cursor that the store did not make gives [ErrBadCursor], as far as one can
	// see by it: the engine is not asked, and cursors behind entries that it has
	// lost are compared like any other.
	Covers(have, want string) (bool, error)
}

// Leaser is an optional ability of a store: it keeps what nodes promise each
// other, one value under the name of each node. Nothing removes a lease but
// DropLease. Names are 1 to 64 bytes and values at most 8 KiB; others are
// refused and change nothing.
type Leaser interface {
	// SetLease replaces what is kept under the node's name. It is as durable as
	// Revoke.
	SetLease(ctx context.Context, node, value string) error

	// DropLease removes what is kept under the node's name if that is value, in
	// one atomic step, and otherwise does nothing.
	DropLease(ctx context.Context, node, value string) error

	// Leases returns all values by name, as they are at one moment. It sees every
	// SetLease that returned before it was called, on any node. With them it
	// returns the engine's incarnation, read in the same step: a text, not empty,
	// that stays the same while the engine runs undisturbed and is another one
	// when the engine may have lost what it had acknowledged or gone back, as
	// after a restart, a failover or a restore. The stores say what theirs sees.
	Leases(ctx context.Context) (leases map[string]string, incarnation string, err error)
}

// Clocked is an optional ability of a store: Clock returns the engine's own
// time. Nothing is ever decided by it; a server compares it with its own clock
// once, at start, to find a machine whose clock is wrong.
type Clocked interface {
	Clock(ctx context.Context) (time.Time, error)
}

// Inspector is an optional ability of a store: Inspect returns a sentence for
// each setting of the engine under which a promise of this package would not
// hold, naming the setting and what would be lost. None means that all was
// found well. What the engine does not let anybody see is a sentence too.
type Inspector interface {
	Inspect(ctx context.Context) ([]string, error)
}

// Importer is an optional ability of a store: it takes over what another store
// held, so that sessions move between engines and nobody is signed out.
type Importer interface {
	// Import stores the records as they are, ended or not, with their versions
	// and epochs, and appends the entries to the feed. It raises the epochs of
	// their subjects and partitions to at least theirs, so that records made
	// later are never older. A record whose SID is taken already is left out.
	// It returns how many records were stored. A call that failed may have
	// stored some of them, and is repeated. It runs while nobody else writes.
	Import(ctx context.Context, records []*Record, entries []Entry) (int, error)
}

// Incarnated is an optional ability of a store whose parts live lives of their
// own, such as the servers of a Redis Cluster: Incarnation returns a text as
// [Leaser.Leases] does, but for all of them, so that the loss of an entry by any
// is seen. Where it is missing the one of Leases speaks for the whole engine.
type Incarnated interface {
	Incarnation(ctx context.Context) (string, error)
}

// Distant is an optional ability of a store: true means that each call is a
// round trip to another process, so that it is worth keeping records near.
type Distant interface {
	Distant() bool
}
