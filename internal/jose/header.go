package jose

import (
	"fmt"
	"slices"
	"strings"
)

// MaxKeyID is the longest key id accepted, in bytes.
const MaxKeyID = 128

// KeySource says where the key for a kind of token comes from. One kind of token
// has one source, so that a token cannot choose.
type KeySource uint8

const (
	// KeyByID means the verifier's own keys: kid is required, jwk is refused.
	KeyByID KeySource = iota
	// KeyEmbedded means the token brings its key: jwk is required. For proofs of
	// possession only, whose key is then compared with one bound before.
	KeyEmbedded
	// KeyKnown means the caller knows the one key already: jwk is refused and
	// kid is not needed.
	KeyKnown
)

// HeaderPolicy says which headers a kind of token may have. The zero value
// refuses every token, because it names no type.
type HeaderPolicy struct {
	// Type is the demanded typ in lower case without "application/", for
	// example "at+jwt". It is compared as a media type.
	Type string
	// Also are further types that pass, and Untyped lets a header without typ
	// pass. They are for a kind of token that is older than explicit types, and
	// whose keys sign nothing else.
	Also    []string
	Untyped bool
	// Algorithms is the allow list. Nil means ES256 and Ed25519. Ed25519 stands
	// for its older name EdDSA too.
	Algorithms []Algorithm
	// Key says where the key comes from.
	Key KeySource

	// anyType lets the published test vectors in, whose headers name no type.
	anyType bool
}

// Header is what a checked JOSE header says.
type Header struct {
	Algorithm Algorithm
	KeyID     string     // empty if there was none; always checked for length and alphabet
	Key       *PublicKey // the embedded key, only with KeyEmbedded
}

// headerNames are the member names with a meaning here. Other members are
// ignored (RFC 7515 section 4), except variants of these in another letter case.
var headerNames = []string{"alg", "typ", "kid", "jwk", "crit", "b64", "zip", "enc", "jku", "x5u", "x5c", "cty"}

// headerLimits bounds what a stranger can make us read before the signature.
var headerLimits = Limits{Bytes: 4 << 10, Depth: 4, Members: 32}

func parseHeader(encoded string, policy HeaderPolicy) (Header, error) {
	var buf [512]byte
	text, err := decodeScanned(buf[:0], encoded)
	if err != nil {
		return Header{}, err
	}
	var members [8]Member
	list, err := ParseObject(members[:0], string(text), headerLimits)
	if err != nil {
		return Header{}, err
	}
	return policy.check(list)
}

func (p HeaderPolicy) check(members []Member) (h Header, err error) {
	typed := p.anyType || p.Untyped
	for _, m := range members {
		switch m.Name {
		case "alg":
			h.Algorithm, err = p.algorithm(m.Value)
		case "typ":
			typed, err = true, p.typ(m.Value)
		case "kid":
			h.KeyID, err = keyID(m.Value)
		case "jwk":
			if p.Key != KeyEmbedded {
				return Header{}, fmt.Errorf("%w: jwk", ErrHeader)
			}
			h.Key, err = parseJWKValue(m.Value)
		case "crit", "b64":
			// No extension is implemented, so any critical one is unknown; b64 is
			// only lawful together with crit.
			err = fmt.Errorf("%w: %s", ErrCritical, m.Name)
		case "zip", "enc", "jku", "x5u", "x5c", "cty":
			// Compression and encryption are not done here, keys never come from
			// addresses or certificates, and cty would announce a nested token.
			err = fmt.Errorf("%w: %s", ErrHeader, m.Name)
		default:
			if Folds(m.Name, headerNames) {
				err = fmt.Errorf("%w: a known member in another letter case", ErrHeader)
			}
		}
		if err != nil {
			return Header{}, err
		}
	}
	switch {
	case h.Algorithm == "":
		return Header{}, fmt.Errorf("%w: alg is missing", ErrAlgorithm)
	case !typed:
		return Header{}, fmt.Errorf("%w: typ is missing", ErrType)
	case p.Key == KeyByID && h.KeyID == "":
		return Header{}, fmt.Errorf("%w: kid is missing", ErrKeyID)
	case p.Key == KeyEmbedded && h.Key == nil:
		return Header{}, fmt.Errorf("%w: jwk is missing", ErrHeader)
	}
	return h, nil
}

func (p HeaderPolicy) algorithm(v Value) (Algorithm, error) {
	name, ok := v.Str()
	if !ok {
		return "", fmt.Errorf("%w: alg is not a string", ErrAlgorithm)
	}
	alg, err := parseAlgorithm(name)
	if err != nil {
		return "", err
	}
	allowed := alg != RS256
	if p.Algorithms != nil {
		allowed = slices.Contains(p.Algorithms, alg) || slices.Contains(p.Algorithms, alg.canonical())
	}
	if !allowed {
		return "", fmt.Errorf("%w: %s is not allowed here", ErrAlgorithm, alg)
	}
	return alg, nil
}

// typ compares as a media type (RFC 7515 section 4.1.9): letter case does not
// count and "application/" may be left out.
func (p HeaderPolicy) typ(v Value) error {
	name, ok := v.Str()
	if !ok {
		return fmt.Errorf("%w: typ is not a string", ErrType)
	}
	if p.anyType {
		return nil
	}
	const prefix = "application/"
	if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
		name = name[len(prefix):]
	}
	same := func(t string) bool { return t != "" && len(name) == len(t) && strings.EqualFold(name, t) }
	if !same(p.Type) && !slices.ContainsFunc(p.Also, same) {
		return fmt.Errorf("%w: another kind of token", ErrType)
	}
	return nil
}

func keyID(v Value) (string, error) {
	id, ok := v.Str()
	if !ok {
		return "", fmt.Errorf("%w: kid is not a string", ErrKeyID)
	}
	return id, CheckKeyID(id)
}

// CheckKeyID refuses key ids that are empty, longer than [MaxKeyID] or outside a
// small alphabet. It keeps them harmless wherever they may end up, in a log line
// for example: they are hostile input (draft rfc8725bis section 3.10).
func CheckKeyID(id string) error {
	if id == "" || len(id) > MaxKeyID {
		return fmt.Errorf("%w: %d bytes", ErrKeyID, len(id))
	}
	for i := range len(id) {
		switch c := id[i]; {
		case isBase64URL[c], c == '.', c == '~', c == '@', c == ':':
		default:
			return fmt.Errorf("%w: byte %d is outside the alphabet", ErrKeyID, i)
		}
	}
	return nil
}
