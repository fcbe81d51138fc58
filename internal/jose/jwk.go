package jose

import (
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// errUnusable marks a JWK that is well-formed as far as can be told and public,
// but of a kind or for a use outside the closed set. A key set may hold such.
var errUnusable = errors.New("not a verification key of a supported kind")

var jwkLimits = Limits{Bytes: 8 << 10, Depth: 4, Members: 32}

// jwkNames are the members with a meaning here, refused in any other letter case.
var jwkNames = []string{
	"kty", "use", "key_ops", "alg", "kid", "crv", "x", "y", "n", "e",
	"d", "p", "q", "dp", "dq", "qi", "oth", "k",
}

// ParseJWK reads one public key (RFC 7517) of the closed set. A private or
// symmetric member, a use other than "sig", key_ops without "verify", an
// algorithm that does not fit the type or the curve, a point off the curve and
// a weak RSA key are all ErrKey. Without alg the one algorithm that fits is
// taken; without kid the id is the thumbprint.
func ParseJWK(text string) (*PublicKey, error) {
	members, err := ParseObject(nil, text, jwkLimits)
	if err != nil {
		return nil, err
	}
	return parseJWKMembers(members)
}

func parseJWKValue(v Value) (*PublicKey, error) {
	members, ok := v.Members()
	if !ok {
		return nil, fmt.Errorf("%w: jwk is not an object", ErrHeader)
	}
	return parseJWKMembers(members)
}

// jwkFields are the members with a meaning. Absent ones are empty.
type jwkFields struct {
	kty, alg, kid, crv, x, y, n, e string
}

func parseJWKMembers(members []Member) (*PublicKey, error) {
	// First of all, so that a private key is refused as such even in a set
	// that passes over keys for other uses.
	for _, m := range members {
		switch m.Name {
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			return nil, fmt.Errorf("%w: it has private or symmetric members", ErrKey)
		}
	}
	var f jwkFields
	for _, m := range members {
		if err := f.set(m); err != nil {
			return nil, err
		}
	}
	k, err := f.key()
	if err != nil {
		return nil, err
	}
	if f.kid != "" {
		k.kid = f.kid
	}
	return k, nil
}

// set stores one member. An empty string is no value any of them can have.
func (f *jwkFields) set(m Member) error {
	var to *string
	switch m.Name {
	case "kty":
		to = &f.kty
	case "alg":
		to = &f.alg
	case "kid":
		to = &f.kid
	case "crv":
		to = &f.crv
	case "x":
		to = &f.x
	case "y":
		to = &f.y
	case "n":
		to = &f.n
	case "e":
		to = &f.e
	case "use":
		if use, _ := m.Value.Str(); use != "sig" {
			return fmt.Errorf("%w: %w: its use is not sig", ErrKey, errUnusable)
		}
		return nil
	case "key_ops":
		return checkKeyOps(m.Value)
	default:
		if Folds(m.Name, jwkNames) {
			return fmt.Errorf("%w: a known member in another letter case", ErrKey)
		}
		return nil
	}
	s, ok := m.Value.Str()
	if !ok || s == "" {
		return fmt.Errorf("%w: %s is not a string or is empty", ErrKey, m.Name)
	}
	if m.Name == "kid" {
		if err := CheckKeyID(s); err != nil {
			return err
		}
	}
	*to = s
	return nil
}

func checkKeyOps(v Value) error {
	ops, ok := v.Strings()
	if !ok {
		return fmt.Errorf("%w: key_ops is not a list of strings", ErrKey)
	}
	verify := 0
	for _, op := range ops {
		if op == "verify" {
			verify++
		}
	}
	if verify != 1 {
		return fmt.Errorf("%w: %w: its key_ops do not say verify once", ErrKey, errUnusable)
	}
	return nil
}

// key reads the members that RFC 7518 section 6 and RFC 8037 section 2 prescribe
// for the key type.
func (f *jwkFields) key() (*PublicKey, error) {
	switch {
	case f.kty == "EC" && f.crv == "P-256":
		alg, err := f.algorithm(ES256)
		if err != nil {
			return nil, err
		}
		x, err := jwkBytes("x", f.x, 32)
		if err != nil {
			return nil, err
		}
		y, err := jwkBytes("y", f.y, 32)
		if err != nil {
			return nil, err
		}
		return newEC(slices.Concat([]byte{4}, x, y), alg)
	case f.kty == "OKP" && f.crv == "Ed25519":
		alg, err := f.algorithm(Ed25519)
		if err != nil {
			return nil, err
		}
		x, err := jwkBytes("x", f.x, 32)
		if err != nil {
			return nil, err
		}
		return newEd25519(x, alg)
	case f.kty == "RSA":
		alg, err := f.algorithm(RS256)
		if err != nil {
			return nil, err
		}
		return f.rsaKey(alg)
	case f.kty == "":
		return nil, fmt.Errorf("%w: kty is missing", ErrKey)
	case f.kty == "oct":
		return nil, fmt.Errorf("%w: it is symmetric", ErrKey)
	default:
		return nil, fmt.Errorf("%w: %w: its type or curve is not supported", ErrKey, errUnusable)
	}
}

// algorithm returns alg, or fit where there is none. It must be fit, the only
// one of the closed set for the key type.
func (f *jwkFields) algorithm(fit Algorithm) (Algorithm, error) {
	if f.alg == "" {
		return fit, nil
	}
	alg, err := parseAlgorithm(f.alg)
	if err != nil {
		return "", fmt.Errorf("%w: %w: its alg is not supported", ErrKey, errUnusable)
	}
	if alg.canonical() != fit {
		return "", fmt.Errorf("%w: alg %s does not fit the key", ErrKey, alg)
	}
	return alg, nil
}

func (f *jwkFields) rsaKey(alg Algorithm) (*PublicKey, error) {
	n, err := jwkBytes("n", f.n, 0)
	if err != nil {
		return nil, err
	}
	e, err := jwkBytes("e", f.e, 0)
	if err != nil {
		return nil, err
	}
	if n[0] == 0 || e[0] == 0 || len(e) > 4 {
		return nil, fmt.Errorf("%w: n and e must be in their shortest form, e in at most 4 bytes", ErrKey)
	}
	exponent := 0
	for _, b := range e {
		exponent = exponent<<8 | int(b)
	}
	return newRSA(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent}, alg)
}

// jwkBytes decodes a member of exactly size bytes, or of at least one when size
// is 0.
func jwkBytes(name, text string, size int) ([]byte, error) {
	b, err := DecodeBase64(nil, text)
	if err != nil {
		return nil, fmt.Errorf("%w: member %s: %w", ErrKey, name, err)
	}
	if len(b) == 0 || size != 0 && len(b) != size {
		return nil, fmt.Errorf("%w: member %s has the wrong length", ErrKey, name)
	}
	return b, nil
}

// thumbprint is RFC 7638: the required members, sorted, without white space. All
// values are plain ASCII, so no escaping is needed.
func thumbprint(k *PublicKey) string {
	text := append(make([]byte, 0, 160), '{')
	sum := sha256.Sum256(append(k.appendRequired(text), '}'))
	return EncodeBase64(sum[:])
}

// appendRequired appends the members that make up the key, in the order of
// their names.
func (k *PublicKey) appendRequired(dst []byte) []byte {
	switch {
	case k.ec != nil:
		dst = strict.AppendEncode(append(dst, `"crv":"P-256","kty":"EC","x":"`...), k.point[1:33])
		dst = strict.AppendEncode(append(dst, `","y":"`...), k.point[33:])
	case k.ed != nil:
		dst = strict.AppendEncode(append(dst, `"crv":"Ed25519","kty":"OKP","x":"`...), k.ed)
	default:
		dst = strict.AppendEncode(append(dst, `"e":"`...), big.NewInt(int64(k.rsa.E)).Bytes())
		dst = strict.AppendEncode(append(dst, `","kty":"RSA","n":"`...), k.rsa.N.Bytes())
	}
	return append(dst, '"')
}

// AppendJWK appends the key as a public JWK with kid, use and alg.
func (k *PublicKey) AppendJWK(dst []byte) []byte {
	dst = k.appendRequired(append(dst, '{'))
	dst = append(dst, `,"use":"sig","alg":`...)
	dst = AppendString(dst, string(k.alg))
	dst = append(dst, `,"kid":`...)
	return append(AppendString(dst, k.kid), '}')
}
