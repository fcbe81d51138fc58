package lanyard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// StatusIndex is the index of one session in one status list
// (draft-ietf-oauth-status-list). No two sessions have the same. The zero value
// is none.
type StatusIndex struct {
	List  [16]byte // which list: drawn at random by whoever began it
	Index uint32   // where in it
}

// StatusPlace is where third parties look for a session.
type StatusPlace struct {
	StatusIndex
	// Epoch is the global epoch that the session began under. Who serves lists
	// gives each epoch lists of its own, so that ending everything ends whole
	// lists, with no session looked for.
	Epoch uint64
}

// StatusLists gives sessions places in lists of what has ended, for third parties
// that take access tokens and can neither follow the feed nor ask the issuer. They
// notice late. Who serves the lists follows the feed, as [Config.Feed], and finds
// out with [Manager.StatusPlaces] whom its entries are about. Its methods are safe
// for concurrent use.
type StatusLists interface {
	// Draw returns an index that no other session has or will have, on any node.
	// An error refuses the login.
	Draw() (StatusIndex, error)
	// Claim returns the value of the claim "status" in the access tokens of a
	// session. It counts as an application claim, which together may have 4 KiB.
	Claim(StatusPlace) (any, error)
}

// StatusPlaces returns where those sessions stand that an entry of the feed has
// ended, without those that have no place. Entries about everything, a key or the
// generations of a session yield none: everything is an epoch, see [StatusPlace],
// and a list says whether a session has ended and nothing else.
func (m *Manager) StatusPlaces(ctx context.Context, e Entry) ([]StatusPlace, error) {
	switch e.Kind {
	case EntrySession:
		rec, err := m.store.Get(ctx, e.SID)
		if errors.Is(err, ErrNotFound) {
			return nil, nil // forgotten, so its tokens have expired
		}
		if err != nil {
			return nil, unavailable("reading an ended session", err)
		}
		return appendPlace(nil, rec), nil
	case EntrySubject:
		var places []StatusPlace
		for q := (Query{Subject: e.Subject}); ; {
			page, err := m.store.List(ctx, q)
			if err != nil {
				return nil, unavailable("listing ended sessions", err)
			}
			for _, rec := range page.Records {
				if rec.Ended() {
					places = appendPlace(places, rec)
				}
			}
			if page.Next == "" {
				return places, nil
			}
			q.After = page.Next
		}
	}
	return nil, nil
}

func appendPlace(places []StatusPlace, rec *Record) []StatusPlace {
	if rec.Status == (StatusIndex{}) {
		return places
	}
	return append(places, StatusPlace{rec.Status, rec.GlobalEpoch})
}

// drawStatus gives a new session its place.
func (m *Manager) drawStatus(rec *Record) (err error) {
	if m.cfg.StatusLists == nil {
		return nil
	}
	if rec.Status, err = m.cfg.StatusLists.Draw(); err != nil {
		return fmt.Errorf("drawing a place in a status list: %w", err)
	}
	return nil
}

// withStatus adds the claim that names the place to the application's claims.
func (m *Manager) withStatus(claims map[string]any, rec *Record) (map[string]any, error) {
	if m.cfg.StatusLists == nil || rec.Status == (StatusIndex{}) {
		return claims, nil
	}
	status, err := m.cfg.StatusLists.Claim(StatusPlace{rec.Status, rec.GlobalEpoch})
	if err != nil {
		return nil, fmt.Errorf("naming a place in a status list: %w", err)
	}
	all := make(map[string]any, len(claims)+1)
	maps.Copy(all, claims)
	all["status"] = status
	return all, nil
}

// checkStatusLists refuses to forget ended sessions while tokens of theirs count:
// the record is what knows the place.
func (m *Manager) checkStatusLists() error {
	if least := m.policy.AccessTokenTTL + time.Minute; m.cfg.StatusLists != nil && m.cfg.ForgetAfter < least {
		return fmt.Errorf("lanyard: Config.ForgetAfter: %v is too short with Config.StatusLists; at least %v, the life of access tokens and a minute", m.cfg.ForgetAfter, least)
	}
	return nil
}
