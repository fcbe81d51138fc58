package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/revocation/publish"
)

// openFeed makes what serves the followers, if the store can do with it.
func (s *Server) openFeed() (err error) {
	s.feed, err = publish.New(publish.Config{
		Issuer: s.cfg.issuer, Bound: s.cfg.RevocationBound, Logger: s.log, Metrics: s.metrics, Now: s.now,
	})
	s.followers = &followers{known: make(map[[32]byte]knownFollower), recheck: recheckEvery}
	return err
}

// knownFor is how long a follower's credentials count without being looked up
// again: followers come often, and a right taken away still counts for so long.
const knownFor = 2 * time.Second

// maxKnown bounds the credentials remembered.
const maxKnown = 10_000

// followers remembers for a moment whose credentials were right.
type followers struct {
	mu      sync.Mutex
	known   map[[32]byte]knownFollower
	recheck time.Duration // how often the rights of open streams are looked up
}

type knownFollower struct {
	id    string
	until time.Time
}

func (f *followers) find(key [32]byte, now time.Time) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.known[key]
	return k.id, ok && now.Before(k.until)
}

func (f *followers) note(key [32]byte, id string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) >= maxKnown {
		clear(f.known)
	}
	f.known[key] = knownFollower{id, now.Add(knownFor)}
}

// follower finds which client follows the feed: by HTTP Basic, or by an access
// token of the client's own (grant client_credentials).
func (s *Server) follower(r *http.Request) (id string, err error) {
	auth := r.Header["Authorization"]
	if len(auth) != 1 {
		return "", errInvalidClient
	}
	key := sha256.Sum256([]byte(auth[0]))
	if id, ok := s.followers.find(key, s.now()); ok {
		return id, nil
	}
	if id, err = s.followingClient(r, auth[0]); err == nil {
		s.followers.note(key, id, s.now())
	}
	return id, err
}

var errMayNotFollow = &badRequest{http.StatusForbidden, "forbidden", "This needs a program with the right to follow the feed.", nil}

func (s *Server) followingClient(r *http.Request, auth string) (string, error) {
	var c directory.Client
	if scheme, text, _ := strings.Cut(auth, " "); strings.EqualFold(scheme, "Bearer") {
		_, claims, err := s.m.CheckAccess(r.Context(), text)
		if err != nil {
			return "", err
		}
		if claims.SID != "" { // a person's token gives no right of the program that holds it
			return "", errMayNotFollow
		}
		if c, err = s.dir.Client(r.Context(), claims.ClientID); errors.Is(err, directory.ErrNotFound) {
			return "", errInvalidClient
		} else if err != nil {
			return "", err
		}
	} else {
		var err error
		if c, err = s.limitedClient(r, nil); err != nil {
			return "", err
		}
	}
	if !c.MayFollow {
		s.metrics.Count("feed", "forbidden")
		return "", errMayNotFollow
	}
	return c.ID, nil
}

// feedStream serves GET /v1/revocations.
func (s *Server) feedStream(w http.ResponseWriter, r *http.Request) {
	id, ok := s.admitFollower(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(s.stopping)
	defer cancel()
	s.hooks.Go(func() { s.recheckFollower(ctx, r, id, cancel) })
	s.feed.Stream(ctx, w, r)
}

// recheckEvery is how often the rights of an open stream are looked up.
const recheckEvery = 10 * time.Second

// recheckFollower ends a stream whose client was removed, or may follow no more.
func (s *Server) recheckFollower(ctx context.Context, r *http.Request, id string, end context.CancelFunc) {
	t := time.NewTicker(s.followers.recheck)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		c, err := s.dir.Client(ctx, id)
		if errors.Is(err, directory.ErrNotFound) || err == nil && !c.MayFollow {
			s.log.WarnContext(r.Context(), "a follower's right was taken away; its stream ends", "client", id)
			end()
			return
		}
	}
}

// feedSnapshot serves GET /v1/revocations/snapshot.
func (s *Server) feedSnapshot(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.admitFollower(w, r); ok {
		s.feed.Snapshot(w, r)
	}
}

// feedAck serves POST /v1/revocations/ack.
func (s *Server) feedAck(w http.ResponseWriter, r *http.Request) {
	if id, ok := s.admitFollower(w, r); ok {
		s.feed.Ack(w, r, id)
	}
}

// admitFollower answers whoever may not follow, and those whose store cannot do
// with followers.
func (s *Server) admitFollower(w http.ResponseWriter, r *http.Request) (id string, ok bool) {
	id, err := s.follower(r)
	if err != nil {
		if e, ok := errors.AsType[*oauthError](err); ok {
			w.Header().Set("WWW-Authenticate", basicChallenge)
			s.problem(w, r, e.status, e.code, e.description)
			return "", false
		}
		s.fail(w, r, err)
		return "", false
	}
	return id, true
}
