package statuslist

import (
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// claims are the names that mean something here. Other claims are ignored.
var claims = []string{"sub", "iss", "iat", "exp", "ttl", "status_list"}

// parse reads the claims of a token whose signature fits.
func parse(payload string) (*Token, error) {
	members, err := jose.ParseObject(nil, payload, jose.Limits{Bytes: maxSize})
	if err != nil {
		return nil, err
	}
	t := new(Token)
	for _, m := range members {
		ok := true
		switch m.Name {
		case "sub":
			t.URI, ok = m.Value.Str()
		case "iss":
			t.Issuer, ok = m.Value.Str()
		case "iat":
			t.IssuedAt, ok = m.Value.Date()
		case "exp":
			t.Expiry, ok = m.Value.Date()
		case "ttl":
			var n uint64
			n, ok = m.Value.Uint(31)
			t.TTL, ok = time.Duration(n)*time.Second, ok && n > 0
		case "status_list":
			if t.List, err = parseList(m.Value); err != nil {
				return nil, fmt.Errorf("status_list: %w", err)
			}
		default:
			ok = !jose.Folds(m.Name, claims)
		}
		if !ok {
			return nil, fmt.Errorf("%.20s: of the wrong type or out of range", m.Name)
		}
	}
	return t, nil
}

func parseList(v jose.Value) (*List, error) {
	members, ok := v.Members()
	if !ok {
		return nil, errors.New("not an object")
	}
	var bits uint64
	var lst string
	for _, m := range members {
		switch m.Name {
		case "bits":
			bits, ok = m.Value.Uint(8)
		case "lst":
			lst, ok = m.Value.Str()
		}
		if !ok {
			return nil, fmt.Errorf("%s: of the wrong type", m.Name)
		}
	}
	return Decode(int(bits), lst)
}
