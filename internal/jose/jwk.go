package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
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

func parseJWKMembers(members []Member) (*PublicKey, error) {
	f := make(map[string]string, len(members))
	for _, m := range members {
		switch m.Name {
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			return nil, fmt.Errorf("%w: it has private or symmetric members", ErrKey)
		case "key_ops":
			if err := checkKeyOps(m.Value); err != nil {
				return nil, err
			}
		case "kty", "use", "alg", "kid", "crv", "x", "y", "n", "e":
			s, ok := m.Value.Str()
			if !ok {
				return nil, fmt.Errorf("%w: %s is not a string", ErrKey, m.Name)
			}
			f[m.Name] = s
		default:
			if Folds(m.Name, jwkNames) {
				return nil, fmt.Errorf("%w: a known member in another letter case", ErrKey)
			}
		}
	}
	if use, ok := f["use"]; ok && use != "sig" {
		return nil, fmt.Errorf("%w: %w: its use is not sig", ErrKey, errUnusable)
	}
	pub, alg, err := jwkMaterial(f)
	if err != nil {
		return nil, err
	}
	if name, ok := f["alg"]; ok {
		named, err := parseAlgorithm(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w: its alg is not supported", ErrKey, errUnusable)
		}
		if named.canonical() == alg {
			alg = named
		} else {
			return nil, fmt.Errorf("%w: alg %s does not fit the key", ErrKey, named)
		}
	}
	k, err := NewPublicKey(pub, alg)
	if err != nil {
		return nil, err
	}
	if kid, ok := f["kid"]; ok {
		if err := checkKeyID(kid); err != nil {
			return nil, err
		}
		k.kid = kid
	}
	return k, nil
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

// jwkMaterial reads the members that RFC 7518 section 6 and RFC 8037 section 2
// prescribe for the key type, and names the algorithm that fits.
func jwkMaterial(f map[string]string) (crypto.PublicKey, Algorithm, error) {
	switch kty, crv := f["kty"], f["crv"]; {
	case kty == "EC" && crv == "P-256":
		pub, err := ecFromJWK(f)
		return pub, ES256, err
	case kty == "OKP" && crv == "Ed25519":
		x, err := jwkBytes(f, "x", 32)
		return ed25519.PublicKey(x), Ed25519, err
	case kty == "RSA":
		pub, err := rsaFromJWK(f)
		return pub, RS256, err
	case kty == "":
		return nil, "", fmt.Errorf("%w: kty is missing", ErrKey)
	case kty == "oct":
		return nil, "", fmt.Errorf("%w: it is symmetric", ErrKey)
	default:
		return nil, "", fmt.Errorf("%w: %w: its type or curve is not supported", ErrKey, errUnusable)
	}
}

func ecFromJWK(f map[string]string) (*ecdsa.PublicKey, error) {
	x, err := jwkBytes(f, "x", 32)
	if err != nil {
		return nil, err
	}
	y, err := jwkBytes(f, "y", 32)
	if err != nil {
		return nil, err
	}
	point := append(append([]byte{4}, x...), y...)
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("%w: the point is not on P-256", ErrKey)
	}
	return pub, nil
}

func rsaFromJWK(f map[string]string) (*rsa.PublicKey, error) {
	n, err := jwkBytes(f, "n", 0)
	if err != nil {
		return nil, err
	}
	e, err := jwkBytes(f, "e", 0)
	if err != nil {
		return nil, err
	}
	if n[0] == 0 || e[0] == 0 || len(e) > 4 {
		return nil, fmt.Errorf("%w: n and e must be in their shortest form, e in at most 4 bytes", ErrKey)
	}
	return &rsa.PublicKey{
		N: new(big.Int).SetBytes(n),
		E: int(new(big.Int).SetBytes(e).Int64()),
	}, nil
}

// jwkBytes decodes a member of exactly size bytes, or of at least one when size
// is 0.
func jwkBytes(f map[string]string, name string, size int) ([]byte, error) {
	b, err := DecodeBase64(nil, f[name])
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
	sum := sha256.Sum256(append(k.appendRequired([]byte{'{'}), '}'))
	return EncodeBase64(sum[:])
}

// appendRequired appends the members that make up the key, in the order of
// their names.
func (k *PublicKey) appendRequired(dst []byte) []byte {
	switch {
	case k.ec != nil:
		point, _ := k.ec.Bytes() // 4, x, y; the point was checked when k was made
		return fmt.Appendf(dst, `"crv":"P-256","kty":"EC","x":"%s","y":"%s"`, EncodeBase64(point[1:33]), EncodeBase64(point[33:]))
	case k.ed != nil:
		return fmt.Appendf(dst, `"crv":"Ed25519","kty":"OKP","x":"%s"`, EncodeBase64(k.ed))
	default:
		e := big.NewInt(int64(k.rsa.E)).Bytes()
		return fmt.Appendf(dst, `"e":"%s","kty":"RSA","n":"%s"`, EncodeBase64(e), EncodeBase64(k.rsa.N.Bytes()))
	}
}

// AppendJWK appends the key as a public JWK with kid, use and alg.
func (k *PublicKey) AppendJWK(dst []byte) []byte {
	dst = k.appendRequired(append(dst, '{'))
	dst = append(dst, `,"use":"sig","alg":`...)
	dst = AppendString(dst, string(k.alg))
	dst = append(dst, `,"kid":`...)
	return append(AppendString(dst, k.kid), '}')
}
