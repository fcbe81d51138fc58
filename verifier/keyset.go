package verifier

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// keySet is one fetched key set. It is never changed.
type keySet struct {
	keys *token.PublicKeys
	body string
	etag string
	at   time.Time     // before the request was sent: the set is at least as new
	life time.Duration // it is used for this long and then fetched again
	soon time.Duration // from this age on it is fetched again beside the requests

	places places
	placed time.Time // when the metadata were read
}

const (
	// minLife keeps an issuer that forbids caching from being asked each time.
	minLife = 10 * time.Second
	// metadataLife is how long the addresses in the metadata are used.
	metadataLife = time.Hour
)

// fetch reads metadata and key set anew. Only one fetch runs at a time.
func (s *source) fetch(ctx context.Context, old *keySet) (*keySet, error) {
	set := &keySet{at: s.now()}
	if err := s.locate(ctx, set, old); err != nil {
		return nil, err
	}
	etag := ""
	if old != nil && old.places.keys == set.places.keys {
		etag = old.etag
	}
	a, err := get(ctx, s.client, set.places.keys, etag, "application/jwk-set+json", "application/json")
	if err != nil {
		return nil, err
	}
	switch {
	case a.unchanged || old != nil && a.body == old.body:
		set.keys, set.body = old.keys, old.body
	default:
		if set.keys, err = token.ParseJWKS([]byte(a.body)); err != nil {
			return nil, fmt.Errorf("reading the key set at %s: %w", set.places.keys, err)
		}
		set.body = a.body
	}
	set.etag = a.etag
	if a.unchanged && set.etag == "" {
		set.etag = etag
	}
	set.life = s.cacheTime
	if a.life >= 0 {
		set.life = min(s.cacheTime, max(a.life, minLife))
	}
	// Between 70 and 90 % of its life, so that a fleet does not come at once.
	set.soon = spread(set.life, 70, 90)
	return set, nil
}

// locate fills in where the key set is.
func (s *source) locate(ctx context.Context, set, old *keySet) error {
	switch {
	case s.metadata == "":
		set.places.keys = s.jwks
		return nil
	case old != nil && !s.lost && elapsed(old.placed, set.at) < metadataLife:
		set.places, set.placed = old.places, old.placed
		return nil
	}
	p, err := fetchPlaces(ctx, s.client, s.issuer, s.metadata)
	set.places, set.placed = p, set.at
	return err
}
