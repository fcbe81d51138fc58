package verifier

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// source keeps the issuer's key set. Requests read it without a lock; one fetch
// runs at a time, on behalf of all who wait for it.
type source struct {
	issuer   string
	metadata string // address of the metadata, empty if jwks is set
	jwks     string // address of the key set, if configured
	client   *http.Client
	now      func() time.Time
	log      *slog.Logger

	cacheTime, maxStale, interval, timeout time.Duration

	set     atomic.Pointer[keySet] // nil before the first
	waiting atomic.Int32

	mu       sync.Mutex
	flight   *flight // the fetch under way, or nil
	failure  error   // of the last fetch, nil if it went well
	failures int     // in a row
	failed   time.Time
	pause    time.Duration // after failed
	asked    time.Time     // when an unknown key last set off a fetch
	again    bool          // another fetch has to follow the one under way

	lost bool // used by the one fetch: the last one failed, so places may be wrong
}

// flight is a fetch; done is closed when it has landed.
type flight struct {
	done chan struct{}
	err  error
}

func newSource(cfg Config, client *http.Client) (*source, error) {
	s := &source{
		issuer: cfg.Issuer, jwks: cfg.JWKSURL, client: client, now: cfg.Now, log: cfg.Logger,
		cacheTime: cfg.CacheTime, maxStale: cfg.MaxStale, interval: cfg.UnknownKeyInterval, timeout: cfg.Timeout,
	}
	if s.jwks != "" {
		if _, err := parseAddress(s.jwks); err != nil {
			return nil, fmt.Errorf("verifier: Config.JWKSURL: %w", err)
		}
		return s, nil
	}
	var err error
	if s.metadata, err = insertWellKnown(cfg.Issuer, metadataPath); err != nil {
		return nil, fmt.Errorf("verifier: Config.Issuer: %w", err)
	}
	return s, nil
}

// Lookup implements [token.VerifyKeys].
func (s *source) Lookup(kid string) (*token.PublicKey, bool) {
	set := s.set.Load()
	if set == nil {
		return nil, false
	}
	return set.keys.Lookup(kid)
}

// ready returns nil if there is a key set that may be used. One that is overdue
// is fetched again first; if that fails, or has failed before, the old one goes
// on to be used until it is too old.
func (s *source) ready(ctx context.Context) error {
	now := s.now()
	set := s.set.Load()
	if set != nil && elapsed(set.at, now) < set.soon {
		return nil
	}
	f, failure := s.start(now)
	if set != nil {
		age := elapsed(set.at, now)
		if age < set.life || failure != nil && age < s.maxStale {
			return nil
		}
	}
	if f != nil {
		if err := s.wait(ctx, f); err != nil {
			return err
		}
		failure = f.err
	}
	if set = s.set.Load(); set != nil && elapsed(set.at, s.now()) < s.maxStale {
		return nil
	}
	return failure
}

// start begins a fetch, or returns the one under way; nil while the issuer is
// given a pause after a failure. Failure is that of the last fetch.
func (s *source) start(now time.Time) (f *flight, failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight == nil && (s.failure == nil || elapsed(s.failed, now) >= s.pause) {
		s.launch()
	}
	return s.flight, s.failure
}

// launch begins a fetch. It goes on if whoever wanted it goes away, since others
// may wait for it, and ends by its own timeout. The caller holds the lock.
func (s *source) launch() {
	f := &flight{done: make(chan struct{})}
	s.flight = f
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
		defer cancel()
		set, err := s.fetch(ctx, s.set.Load())
		s.land(f, set, err)
	}()
}

const (
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

// land stores what a fetch has brought and lets those go who wait for it.
func (s *source) land(f *flight, set *keySet, err error) {
	s.mu.Lock()
	old, pause := s.set.Load(), time.Duration(0)
	s.lost, s.failure = err != nil, err
	if err == nil {
		s.failures = 0
		s.set.Store(set)
	} else {
		pause = spread(min(maxPause, firstPause<<min(s.failures, 10)), 50, 100)
		s.failures, s.failed, s.pause = s.failures+1, s.now(), pause
	}
	f.err, s.flight = err, nil
	close(f.done)
	if s.again {
		s.again = false
		s.launch()
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		s.log.Warn("fetching the key set failed", slog.String("issuer", s.issuer), slog.Any("error", err), slog.Duration("next", pause))
	case old == nil || old.keys != set.keys:
		s.log.Info("key set fetched", slog.String("issuer", s.issuer), slog.Int("keys", set.keys.Len()))
	}
}

// maxWaiting bounds the requests that a slow issuer can hold up.
const maxWaiting = 1024

var errCrowd = errors.New("too many requests wait for the key set")

// wait returns nil when the fetch has landed.
func (s *source) wait(ctx context.Context, f *flight) error {
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		return errCrowd
	}
	defer s.waiting.Add(-1)
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unknown is called when seen has no key for a token. It reports whether there
// is another set by now, after a fetch if none was made for this reason lately:
// key ids are whatever strangers send. An error means that nobody can tell
// whether the key exists, because the issuer does not answer.
func (s *source) unknown(ctx context.Context, seen *keySet) (newer bool, err error) {
	if s.set.Load() != seen {
		return true, nil
	}
	now := s.now()
	s.mu.Lock()
	if s.flight == nil {
		if !s.asked.IsZero() && elapsed(s.asked, now) < s.interval || s.failure != nil && elapsed(s.failed, now) < s.pause {
			defer s.mu.Unlock()
			return false, s.failure
		}
		s.asked = now
		s.launch()
	}
	f := s.flight
	s.mu.Unlock()
	if err := s.wait(ctx, f); err != nil {
		return false, err
	}
	return f.err == nil, f.err
}

// renew is called when the issuer has withdrawn a key. A set that has it is
// fetched again, since its successor signs from now on.
func (s *source) renew(kid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		s.again = true // what it brings may be as old
	} else if _, ok := s.Lookup(kid); ok {
		s.launch()
	}
}

// run fetches whenever the set is due, until ctx ends.
func (s *source) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := s.now()
		wait := s.due(now)
		if wait <= 0 {
			if f, _ := s.start(now); f != nil {
				select {
				case <-ctx.Done():
					return
				case <-f.done:
				}
			}
			wait = s.due(s.now())
		}
		// Never at once again, whatever clock was configured.
		timer.Reset(max(wait, 100*time.Millisecond))
	}
}

// due returns how long it is until a fetch is wanted.
func (s *source) due(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return s.pause - elapsed(s.failed, now)
	}
	set := s.set.Load()
	if set == nil {
		return 0
	}
	return set.soon - elapsed(set.at, now)
}

// spread returns a random share of d between two percentages.
func spread(d time.Duration, from, to int) time.Duration {
	var b [2]byte
	rand.Read(b[:])
	low := d / 100 * time.Duration(from)
	return low + d/100*time.Duration(to-from)*time.Duration(binary.LittleEndian.Uint16(b[:]))/(1<<16)
}
