package verifier

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/token"
)

// feed judges tokens by what the issuer's revocation feed has told.
type feed struct {
	follower *revocation.Follower
	keys     *source // nil if Config.Keys was given
	// gone are the keys that were withdrawn. They stay, where the set of entries
	// keeps them only as long as an honest token lives: whoever has stolen a key
	// signs tokens that live longer, and a cached key set may still have it.
	gone atomic.Pointer[map[string]bool]
}

func newFeed(cfg Config, keys *source) (*feed, error) {
	f := &feed{keys: keys}
	in := revocation.FollowerConfig{
		Endpoints: cfg.feeds(), Issuer: cfg.Issuer, Name: cfg.FollowerName, Local: cfg.AllowLocal, Transport: cfg.Transport,
		Logger: cfg.Logger, Now: cfg.Now, Restart: func(s *revocation.Snapshot) {
			for e := range s.All() {
				f.withdraw(&e)
			}
		}, Apply: func(entries []revocation.Entry, _ string) {
			for i := range entries {
				f.withdraw(&entries[i])
			}
		},
	}
	if cfg.Credentials.ClientID != "" {
		user, password := cfg.Credentials.basic()
		in.Authorize = func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	var err error
	if f.follower, err = revocation.NewFollower(in); err != nil {
		return nil, fmt.Errorf("verifier: Config.Feed: %w", err)
	}
	return f, nil
}

// withdraw takes in an entry about a key. One goroutine at a time calls it.
func (f *feed) withdraw(e *revocation.Entry) {
	if e.Kind != revocation.KindKey || f.withdrawn(e.Key) {
		return
	}
	more := map[string]bool{e.Key: true}
	if old := f.gone.Load(); old != nil {
		maps.Copy(more, *old)
	}
	f.gone.Store(&more)
	if f.keys != nil {
		f.keys.renew(e.Key)
	}
}

func (f *feed) withdrawn(kid string) bool {
	gone := f.gone.Load()
	return gone != nil && (*gone)[kid]
}

// check returns nil for a token that lives, an error that is [ErrRevoked] for one
// that does not, and revocation.ErrBlind if nobody can tell.
func (f *feed) check(c *token.Claims) error {
	b, ok := badge(c)
	if !ok {
		return &Refused{Cause: CauseBadToken, Err: errBadSID}
	}
	// The follower first: it knows at which moment its news was sure.
	err := f.follower.Check(&b)
	if f.withdrawn(c.KeyID) {
		err = revocation.RevokedError{Kind: revocation.KindKey}
	}
	if err != nil {
		return inOwnWords(err)
	}
	return nil
}

// inOwnWords makes an [ErrRevoked] of what a follower says of the dead.
func inOwnWords(err error) error {
	if dead, ok := errors.AsType[revocation.RevokedError](err); ok {
		return fmt.Errorf("%w: by an entry of kind %s", ErrRevoked, dead.Kind)
	}
	return err
}

// readyPause is how often a wait for the feed looks again.
const readyPause = 5 * time.Millisecond

// ready waits until the feed is in step, for as long as limit, and says what is
// in the way.
func (f *feed) ready(ctx context.Context, limit time.Duration) error {
	over := time.NewTimer(limit)
	defer over.Stop()
	look := time.NewTicker(readyPause)
	defer look.Stop()
	for {
		if state, _, _ := f.follower.State(); state != revocation.Blind {
			return nil
		}
		select {
		case <-look.C:
			continue
		case <-over.C:
			return f.missing()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", f.missing(), ctx.Err())
		}
	}
}

// missing says why there is no lease, as far as is known.
func (f *feed) missing() error {
	s := f.follower.Status()
	var met []string
	for _, trouble := range slices.Sorted(maps.Keys(s.Troubles)) {
		met = append(met, fmt.Sprintf("%s (%d times)", trouble, s.Troubles[trouble]))
	}
	switch {
	case len(met) > 0:
		return fmt.Errorf("following the revocation feed: %w; met so far: %s", revocation.ErrBlind, strings.Join(met, ", "))
	case s.Endpoint != "":
		return fmt.Errorf("following the revocation feed: %w; %s gives no lease", revocation.ErrBlind, s.Endpoint)
	}
	return fmt.Errorf("following the revocation feed: %w; no node has answered yet: does Run go on?", revocation.ErrBlind)
}
