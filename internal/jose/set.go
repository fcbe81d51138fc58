package jose

import (
	"errors"
	"fmt"
)

// MaxSet is the longest key set read, in bytes.
const MaxSet = 64 << 10

var setNames = []string{"keys"}

// ParseSet reads a JWK set (RFC 7517 section 5) for looking keys up by id. Keys
// of a kind, curve, algorithm or use outside the closed set are passed over, as
// that section advises; a set may be empty. The whole set is refused when any key
// is private or symmetric, malformed or weak, has no id, or shares its id.
func ParseSet(text string) ([]*PublicKey, error) {
	members, err := ParseObject(nil, text, Limits{Bytes: MaxSet, Depth: 6, Members: 1024})
	if err != nil {
		return nil, err
	}
	var list []Value
	for _, m := range members {
		switch {
		case m.Name == "keys":
			items, ok := m.Value.Items()
			if !ok {
				return nil, fmt.Errorf("%w: keys is not a list", ErrKey)
			}
			list = items
		case Folds(m.Name, setNames):
			return nil, fmt.Errorf("%w: keys in another letter case", ErrKey)
		}
	}
	if list == nil {
		return nil, fmt.Errorf("%w: a set without keys", ErrKey)
	}
	var keys []*PublicKey
	seen := make(map[string]bool, len(list))
	for i, v := range list {
		k, kid, err := parseSetKey(v)
		if err != nil {
			return nil, fmt.Errorf("key %d of the set: %w", i, err)
		}
		if seen[kid] && kid != "" {
			return nil, fmt.Errorf("key %d of the set: %w: its kid occurs twice", i, ErrKey)
		}
		seen[kid] = true
		if k == nil {
			continue
		}
		if kid == "" {
			return nil, fmt.Errorf("key %d of the set: %w: kid is missing", i, ErrKeyID)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// parseSetKey returns no key and no error for one to be passed over.
func parseSetKey(v Value) (k *PublicKey, kid string, err error) {
	members, ok := v.Members()
	if !ok {
		return nil, "", fmt.Errorf("%w: not an object", ErrKey)
	}
	for _, m := range members {
		if m.Name == "kid" {
			kid, _ = m.Value.Str()
		}
	}
	k, err = parseJWKMembers(members)
	if errors.Is(err, errUnusable) {
		return nil, kid, nil
	}
	return k, kid, err
}

// AppendSet appends a JWK set of keys, which must have distinct ids.
func AppendSet(dst []byte, keys []*PublicKey) []byte {
	dst = append(dst, `{"keys":[`...)
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = k.AppendJWK(dst)
	}
	return append(dst, `]}`...)
}
