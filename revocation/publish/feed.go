// Package publish joins a [lanyard.Manager] and a [revocation.Hub]: what the
// manager's node hears of revocations goes to followers in other processes.
package publish

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation"
)

// Config is what a [Feed] is made of. Issuer is required.
type Config struct {
	Issuer string // that of the manager

	// Bound is the manager's RevocationBound, 2 s if zero.
	Bound time.Duration

	// MaxFollowers and Ring are as in [revocation.HubConfig].
	MaxFollowers, Ring int

	// Logger gets what operators need to know. Nil discards it.
	Logger *slog.Logger

	// Metrics counts outcomes. Nil counts nothing.
	Metrics lanyard.Metrics

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Feed serves followers. Give it to one manager, as [lanyard.Config.Feed], and
// mount its three handlers where followers look for them:
//
//	GET  /v1/revocations           Stream
//	GET  /v1/revocations/snapshot  Snapshot
//	POST /v1/revocations/ack       Ack
//
// Who may ask is for the application to decide before it calls them.
type Feed struct {
	hub    *revocation.Hub
	log    *slog.Logger
	source atomic.Pointer[lanyard.FeedSource]
	// broken is set when something could not be passed on. Nobody is granted
	// anything from then on: a follower that missed an entry must not accept.
	broken atomic.Bool
}

// New makes a feed. Errors name the field.
func New(cfg Config) (*Feed, error) {
	f := &Feed{log: cfg.Logger}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	hub := revocation.HubConfig{
		Source: f, Issuer: cfg.Issuer, Bound: cfg.Bound, MaxFollowers: cfg.MaxFollowers, Ring: cfg.Ring, Logger: cfg.Logger, Now: cfg.Now,
	}
	if cfg.Metrics != nil {
		hub.Count = cfg.Metrics.Count
	}
	var err error
	f.hub, err = revocation.NewHub(hub)
	return f, err
}

// Hub returns what serves the followers.
func (f *Feed) Hub() *revocation.Hub { return f.hub }

// Stream answers with the feed until the follower goes or ctx ends.
func (f *Feed) Stream(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	f.hub.ServeStream(ctx, w, r)
}

// Snapshot answers with everything that is revoked.
func (f *Feed) Snapshot(w http.ResponseWriter, r *http.Request) { f.hub.ServeSnapshot(w, r) }

// Ack takes an acknowledgement of a follower with the credentials of owner.
func (f *Feed) Ack(w http.ResponseWriter, r *http.Request, owner string) { f.hub.ServeAck(w, r, owner) }

// Attach implements [lanyard.Feed].
func (f *Feed) Attach(source lanyard.FeedSource) { f.source.Store(&source) }

// Append implements [lanyard.Feed].
func (f *Feed) Append(entries []lanyard.Entry, cursor string) {
	out := make([]revocation.Entry, len(entries))
	for i := range entries {
		out[i] = translate(&entries[i])
	}
	if err := f.hub.Append(out, cursor); err != nil {
		f.broken.Store(true)
		f.log.Error("the revocation feed cannot pass on an entry; followers get no lease from this node any more and go blind", "error", err)
	}
}

// translate writes an entry in the words of the feed. How long it matters is a
// difference of two times of one clock.
func translate(e *lanyard.Entry) revocation.Entry {
	return revocation.Entry{
		Kind: revocation.Kind(e.Kind), SID: revocation.SID(e.SID), Generation: e.Generation, Subject: e.Subject, Epoch: e.Epoch, Key: e.Key,
		Reason: string(e.Reason), At: int64(e.At), Keep: max(e.Until.Sub(e.At), 0),
	}
}

// Restart implements [lanyard.Feed].
func (f *Feed) Restart() { f.hub.Restart() }

// Covered implements [lanyard.Feed].
func (f *Feed) Covered() lanyard.FeedState {
	c := f.hub.Covered()
	if f.broken.Load() {
		c.Cursor = ""
	}
	return lanyard.FeedState(c)
}

// Moved implements [lanyard.Feed].
func (f *Feed) Moved() <-chan struct{} { return f.hub.Moved() }

// Lease implements [revocation.Source].
func (f *Feed) Lease() time.Duration {
	if s := f.source.Load(); s != nil && !f.broken.Load() {
		return (*s).FeedLease()
	}
	return 0
}

// Covers implements [revocation.Source].
func (f *Feed) Covers(have, want string) (bool, error) {
	return (*f.source.Load()).FeedCovers(have, want)
}

// CatchUp implements [revocation.Source].
func (f *Feed) CatchUp(ctx context.Context) error { return (*f.source.Load()).FeedCatchUp(ctx) }
