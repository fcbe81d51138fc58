package verifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// places are the addresses an issuer's metadata name.
type places struct {
	keys       string
	introspect string // empty if they name none
}

// metadataLimits fit everything RFC 8414 and its extensions define.
var metadataLimits = jose.Limits{Bytes: maxAnswer, Depth: 8, Members: 512}

// fetchPlaces reads the metadata of the issuer at address.
func fetchPlaces(ctx context.Context, client *http.Client, issuer, address string) (places, error) {
	a, err := get(ctx, client, address, "", "application/json")
	if err != nil {
		return places{}, err
	}
	p, err := parseMetadata(a.body, issuer)
	if err != nil {
		return places{}, fmt.Errorf("reading the metadata at %s: %w", address, err)
	}
	return p, nil
}

// parseMetadata reads authorization server metadata (RFC 8414 section 3.2). They
// must be those of the issuer by exact name, since otherwise somebody else
// answers (section 3.3), and name addresses of the issuer's own host: whoever
// keeps keys elsewhere says so in the configuration, which no answer can change.
func parseMetadata(text, issuer string) (p places, err error) {
	members, err := jose.ParseObject(nil, text, metadataLimits)
	if err != nil {
		return places{}, err
	}
	home, err := parseAddress(issuer)
	if err != nil {
		return places{}, fmt.Errorf("the issuer: %w", err)
	}
	named := false
	for _, m := range members {
		switch m.Name {
		case "issuer":
			if name, ok := m.Value.Str(); !ok || name != issuer {
				return places{}, errors.New("they are those of another issuer")
			}
			named = true
		case "jwks_uri":
			p.keys, err = ownAddress(m, home, "JWKSURL")
		case "introspection_endpoint":
			p.introspect, err = ownAddress(m, home, "Introspect.URL")
		default:
			if jose.Folds(m.Name, metadataNames) {
				err = errors.New("they have a known member in another letter case")
			}
		}
		if err != nil {
			return places{}, err
		}
	}
	switch {
	case !named:
		return places{}, errors.New("they name no issuer")
	case p.keys == "":
		return places{}, errors.New("they name no jwks_uri")
	}
	return p, nil
}

var metadataNames = []string{"issuer", "jwks_uri", "introspection_endpoint"}

func ownAddress(m jose.Member, home *url.URL, field string) (string, error) {
	text, ok := m.Value.Str()
	if !ok {
		return "", fmt.Errorf("%s is not a string", m.Name)
	}
	u, err := parseAddress(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.Name, err)
	}
	if !sameOrigin(u, home) {
		return "", fmt.Errorf("%s is on another host than the issuer; set Config.%s if that is right", m.Name, field)
	}
	return text, nil
}
