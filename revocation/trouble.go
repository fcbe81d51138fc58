package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Trouble names what is wrong between a follower and a node, in logs and in
// [Status.Troubles].
type Trouble string

// The troubles that a follower knows.
const (
	// TroubleUnreachable: a node does not answer, or not in time.
	TroubleUnreachable Trouble = "unreachable"
	// TroubleEnded: a node ended the stream.
	TroubleEnded Trouble = "ended"
	// TroubleIdle: nothing came for three heartbeats.
	TroubleIdle Trouble = "idle"
	// TroubleStatus: a node answered with an unexpected status.
	TroubleStatus Trouble = "status"
	// TroubleRedirect: a node answered with a redirect; none is followed.
	TroubleRedirect Trouble = "redirect"
	// TroubleCredentials: a node refuses the follower's credentials.
	TroubleCredentials Trouble = "credentials"
	// TroubleMalformed: an event or an answer cannot be read, or is too long.
	TroubleMalformed Trouble = "malformed"
	// TroubleIssuer: the feed is that of another issuer.
	TroubleIssuer Trouble = "issuer"
	// TroubleInstance: two nodes answer on one connection's behalf.
	TroubleInstance Trouble = "instance"
	// TroubleOrder: events are missing, repeated or out of order.
	TroubleOrder Trouble = "order"
	// TroubleSnapshot: a snapshot cannot be read or is not whole.
	TroubleSnapshot Trouble = "snapshot"
	// TroubleFull: the feed holds more entries than the follower takes.
	TroubleFull Trouble = "full"
	// TroubleResync: the node no longer has what the follower missed. It takes a
	// snapshot, and nothing is lost.
	TroubleResync Trouble = "resync"
	// TroubleRegress: the node does not know the follower's cursor, as after a
	// backup was restored, or another store took over.
	TroubleRegress Trouble = "regress"
	// TroubleClock: the follower's wall clock and the issuer's differ too much.
	TroubleClock Trouble = "clock"
)

// fault is a trouble with what is known about it.
type fault struct {
	trouble Trouble
	err     error
}

func (f *fault) Error() string { return string(f.trouble) + ": " + f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func faultf(t Trouble, format string, args ...any) error {
	return &fault{t, fmt.Errorf(format, args...)}
}

// troubleOf returns the trouble that an error stands for.
func troubleOf(err error) Trouble {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.trouble
	}
	return TroubleUnreachable
}

// logPause is the least time between two lines about the same trouble.
const logPause = time.Minute

// troubles counts what went wrong and logs it without flooding anybody. It is
// safe for concurrent use.
type troubles struct {
	log  *slog.Logger
	read func() instant

	mu     sync.Mutex
	counts map[Trouble]uint64
	logged map[Trouble]instant
}

// met counts a trouble and logs it, unless it was logged in the last minute.
func (t *troubles) met(endpoint string, err error) {
	trouble, now := troubleOf(err), t.read()
	t.mu.Lock()
	if t.counts == nil {
		t.counts, t.logged = make(map[Trouble]uint64), make(map[Trouble]instant)
	}
	t.counts[trouble]++
	n := t.counts[trouble]
	last, before := t.logged[trouble]
	quiet := before && now.since(last) < logPause
	if !quiet {
		t.logged[trouble] = now
	}
	t.mu.Unlock()
	if quiet {
		return
	}
	level := slog.LevelWarn
	switch trouble {
	case TroubleEnded, TroubleResync:
		level = slog.LevelInfo
	case TroubleRegress, TroubleIssuer, TroubleOrder, TroubleInstance, TroubleCredentials, TroubleClock, TroubleFull:
		level = slog.LevelError
	}
	t.log.LogAttrs(context.Background(), level, "revocation feed: "+string(trouble), slog.String("endpoint", endpoint),
		slog.String("trouble", string(trouble)), slog.Uint64("times", n), slog.Any("error", err))
}

// copy returns how often each trouble was met.
func (t *troubles) copy() map[Trouble]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}
