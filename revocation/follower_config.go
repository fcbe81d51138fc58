package revocation

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

const (
	defaultMaxLease = 10 * time.Second
	maxLeaseLimit   = 5 * time.Minute
	maxEndpoints    = 64
	maxFollowerName = 64
)

// FollowerConfig is what a [Follower] needs. Endpoints and Issuer are required;
// the zero value of everything else is safe.
type FollowerConfig struct {
	// Endpoints are the base URLs of the nodes' feeds, such as
	// https://app.example/v1/revocations, tried in turn. They serve the same
	// store. Plain http is accepted for this machine only.
	Endpoints []string
	// Issuer is the only issuer whose feed is followed, compared as an exact
	// string.
	Issuer string
	// Name is how the follower is called in acknowledgements, metrics and the
	// answers of strict revocations: up to 64 letters, digits, "-", "_" and ".".
	// No two followers share one. Empty means a random name.
	Name string
	// Authorize puts credentials on each request. Nil means none.
	Authorize func(*http.Request)
	// Local says that some of this service's routes answer even while the
	// follower is blind; strict revocations then name it.
	Local bool
	// MaxLease is the longest lease believed, whatever a node says; zero means 10
	// seconds, the most is 5 minutes.
	MaxLease time.Duration
	// MaxEntries is how many entries are kept; a feed with more is not followed,
	// and so the follower goes blind. Zero means [DefaultMaxEntries].
	MaxEntries int
	// Transport carries the requests. Nil means one of its own that demands TLS
	// 1.2 and uses the proxy of the environment. It must not buffer answers.
	Transport http.RoundTripper
	// Logger gets every trouble with the feed, once a minute at most for each
	// kind, and each change to and from blindness. Nil discards.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now. Another clock should have a monotonic
	// reading too, or else setting it back makes leases last longer.
	Now func() time.Time

	// Covered returns the cursor to acknowledge instead of the one applied: a
	// relay promises only what all of its own followers have. While it is empty
	// nothing counts as acknowledged. It must be safe for concurrent use. Nil means
	// what was applied.
	Covered func() string
	// Apply is called after each batch of entries was applied, in order, before
	// it is acknowledged: for near caches and relays. It must not keep or change
	// the slice, and return quickly. Nil means nobody.
	Apply func(entries []Entry, cursor string)
	// Restart is called, in order with Apply, when a snapshot was applied and has
	// replaced the place in the stream: entries are in force that Apply was never
	// called with. Near caches start anew then. Nil means nobody.
	Restart func(*Snapshot)

	// exact makes a snapshot due where a node cannot say that its stream goes on
	// right behind the follower's place. See [Relay].
	exact bool
}

// check fills in defaults, names the field that is wrong, and returns the
// endpoints.
func (c *FollowerConfig) check() ([]endpoint, error) {
	switch {
	case len(c.Endpoints) == 0:
		return nil, errors.New("revocation: FollowerConfig.Endpoints is required")
	case len(c.Endpoints) > maxEndpoints:
		return nil, fmt.Errorf("revocation: FollowerConfig.Endpoints: more than %d", maxEndpoints)
	case c.Issuer == "":
		return nil, errors.New("revocation: FollowerConfig.Issuer is required")
	case c.Name != "" && !isFollowerName(c.Name):
		return nil, fmt.Errorf("revocation: FollowerConfig.Name: want up to %d letters, digits, dots, dashes and underscores", maxFollowerName)
	case c.MaxLease < 0 || c.MaxLease > maxLeaseLimit:
		return nil, fmt.Errorf("revocation: FollowerConfig.MaxLease must be 0 to %v", maxLeaseLimit)
	case c.MaxEntries < 0:
		return nil, errors.New("revocation: FollowerConfig.MaxEntries must not be negative")
	}
	endpoints := make([]endpoint, len(c.Endpoints))
	for i, text := range c.Endpoints {
		var err error
		if endpoints[i], err = parseEndpoint(text); err != nil {
			return nil, fmt.Errorf("revocation: FollowerConfig.Endpoints[%d]: %w", i, err)
		}
	}
	if c.Name == "" {
		c.Name = "f-" + strings.ToLower(rand.Text()[:16])
	}
	if c.MaxLease == 0 {
		c.MaxLease = defaultMaxLease
	}
	if c.MaxEntries == 0 {
		c.MaxEntries = DefaultMaxEntries
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return endpoints, nil
}

// isFollowerName reports whether s is a follower's name.
func isFollowerName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxFollowerName
}
