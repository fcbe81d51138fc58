package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
)

const (
	rfc7638N = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst" +
		"n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5" +
		"hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	rfc7638Key = `{"kty":"RSA","n":"` + rfc7638N + `","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
)

// req: KEY-13
func TestThumbprintKnownAnswers(t *testing.T) {
	for _, test := range []struct{ name, jwk, want string }{
		{"RFC 7638 3.1", rfc7638Key, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{"RFC 8037 A.3", rfc8037Key, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		{"RFC 9449 6.1", embedded, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
	} {
		if got := mustKey(t, test.jwk).Thumbprint(); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// req: JWT-3, JWT-21, KEY-12
func TestParseJWK(t *testing.T) {
	const x, y = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	ec := func(extra string) string {
		return `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"` + extra + `}`
	}
	okp := func(x string) string { return `{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}` }
	rsaKey := func(n, e string) string { return `{"kty":"RSA","n":"` + n + `","e":"` + e + `"}` }
	modulus := func(bits int, change func(*big.Int)) string {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		n.Add(n, big.NewInt(1+10*3)) // odd, and not of the flawed shape
		if change != nil {
			change(n)
		}
		return EncodeBase64(n.Bytes())
	}
	le := func(hex string) string {
		b := hexInt(hex).FillBytes(make([]byte, 32))
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		return EncodeBase64(b)
	}
	for _, test := range []struct {
		name, jwk string
		ok        bool
	}{
		{"EC", ec(""), true},
		{"EC with all it may say", ec(`,"use":"sig","key_ops":["verify"],"alg":"ES256","kid":"k","ext":true`), true},
		{"EC, private", ec(`,"d":"` + x + `"`), false},
		{"EC with d of null", ec(`,"d":null`), false},
		{"EC with a symmetric member", ec(`,"k":"AAAA"`), false},
		{"use enc", ec(`,"use":"enc"`), false},
		{"use in capitals", ec(`,"use":"SIG"`), false},
		{"use as a list", ec(`,"use":["sig"]`), false},
		{"key_ops without verify", ec(`,"key_ops":["sign"]`), false},
		{"key_ops empty", ec(`,"key_ops":[]`), false},
		{"key_ops with verify twice", ec(`,"key_ops":["verify","verify"]`), false},
		{"key_ops as a string", ec(`,"key_ops":"verify"`), false},
		{"alg of another curve", ec(`,"alg":"ES384"`), false},
		{"alg of another type", ec(`,"alg":"Ed25519"`), false},
		{"alg none", ec(`,"alg":"none"`), false},
		{"alg HS256", ec(`,"alg":"HS256"`), false},
		{"kid as a path", ec(`,"kid":"../x"`), false},
		{"an empty kid", ec(`,"kid":""`), false},
		{"a member in another letter case", ec(`,"KTY":"oct"`), false},
		{"a member twice", ec(`,"x":"` + x + `"`), false},
		{"a curve that is not P-256", strings.Replace(ec(""), "P-256", "P-384", 1), false},
		{"secp256k1", strings.Replace(ec(""), "P-256", "secp256k1", 1), false},
		{"no curve", `{"kty":"EC","x":"` + x + `","y":"` + y + `"}`, false},
		{"no y", `{"kty":"EC","crv":"P-256","x":"` + x + `"}`, false},
		{"a point off the curve", strings.Replace(ec(""), y, x, 1), false},
		{"x too long", strings.Replace(ec(""), x, "AA"+x, 1), false},
		{"x too short", strings.Replace(ec(""), x, x[:40], 1), false},
		{"x with padding", strings.Replace(ec(""), x, x+"=", 1), false},
		{"the point of zeros", `{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`, false},

		{"Ed25519", rfc8037Key, true},
		{"Ed25519 under its older name", strings.Replace(rfc8037Key, "{", `{"alg":"EdDSA",`, 1), true},
		{"Ed25519 with alg ES256", strings.Replace(rfc8037Key, "{", `{"alg":"ES256",`, 1), false},
		{"X25519", strings.Replace(rfc8037Key, "Ed25519", "X25519", 1), false},
		{"Ed25519 one byte short", okp("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ"), false},
		{"the neutral point", okp(le("1")), false},
		{"y of zero", okp(le("0")), false},
		{"a point of order 2", okp(le("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec")), false},
		{"a point of order 8", okp(le(order8A)), false},
		{"the other point of order 8", okp(le(order8B)), false},
		{"a point of order 8 with the sign bit", okp(le("85fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826")), false},
		{"an encoding of p", okp(le(primeHex)), false},
		{"an encoding above p", okp(le("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffee")), false},
		{"y of 2, which is not on the curve", okp(le("2")), false},
		{"y of 3, which is", okp(le("3")), true},

		{"RSA", rfc7638Key, true},
		{"RSA without alg", rsaKey(rfc7638N, "AQAB"), true},
		{"RSA with PS256", strings.Replace(rfc7638Key, "RS256", "PS256", 1), false},
		{"RSA with its private exponent", strings.Replace(rfc7638Key, "{", `{"d":"AQ",`, 1), false},
		{"RSA with a prime", strings.Replace(rfc7638Key, "{", `{"p":"AQ",`, 1), false},
		{"RSA with other primes", strings.Replace(rfc7638Key, "{", `{"oth":[],`, 1), false},
		{"RSA of 2048 bits", rsaKey(modulus(2048, nil), "AQAB"), true},
		{"RSA of 2047 bits", rsaKey(modulus(2047, nil), "AQAB"), false},
		{"RSA of 4096 bits", rsaKey(modulus(4096, nil), "AQAB"), true},
		{"RSA of 4097 bits", rsaKey(modulus(4097, nil), "AQAB"), false},
		{"an even modulus", rsaKey(modulus(2048, func(n *big.Int) { n.Add(n, big.NewInt(1)) }), "AQAB"), false},
		{"an exponent of 1", rsaKey(rfc7638N, "AQ"), false},
		{"an exponent of 3", rsaKey(rfc7638N, "Aw"), true},
		{"an even exponent", rsaKey(rfc7638N, "BA"), false},
		{"an exponent of 0", rsaKey(rfc7638N, "AA"), false},
		{"an exponent of 2^31+1", rsaKey(rfc7638N, "gAAAAQ"), false},
		{"an exponent of five bytes", rsaKey(rfc7638N, "AQAAAAE"), false},
		{"an exponent with a leading zero", rsaKey(rfc7638N, "AAEAAQ"), false},
		{"a modulus with a leading zero", rsaKey("AN"+rfc7638N[2:], "AQAB"), false},

		{"symmetric", `{"kty":"oct","k":"AAAA"}`, false},
		{"no type", `{"crv":"P-256","x":"` + x + `","y":"` + y + `"}`, false},
		{"an unknown type", `{"kty":"AKP","pub":"AAAA"}`, false},
		{"a key set", `{"keys":[]}`, false},
		{"a list", `[]`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, err := ParseJWK(test.jwk)
			if (err == nil) != test.ok {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				if !errors.Is(err, ErrKey) && !errors.Is(err, ErrJSON) && !errors.Is(err, ErrKeyID) {
					t.Errorf("an error of no kind: %v", err)
				}
				return
			}
			again, err := ParseJWK(string(k.AppendJWK(nil)))
			if err != nil || !again.Equal(k) || again.KeyID() != k.KeyID() || again.Algorithm() != k.Algorithm() {
				t.Errorf("what was written is not read back: %v", err)
			}
		})
	}
}

// req: KEY-12
func TestParseSet(t *testing.T) {
	ec := func(kid string) string { return strings.Replace(embedded, "{", `{"kid":"`+kid+`",`, 1) }
	for _, test := range []struct {
		name, set string
		keys      int // -1 means refused
	}{
		{"two keys", `{"keys":[` + ec("a") + `,` + strings.Replace(rfc8037Key, "{", `{"kid":"b",`, 1) + `]}`, 2},
		{"no key", `{"keys":[]}`, 0},
		{"a member nobody knows", `{"keys":[],"more":{}}`, 0},
		{"kinds that are not supported", `{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA","kid":"x"},{"kty":"AKP"},` + ec("a") + `]}`, 1},
		{"a key for encryption", `{"keys":[` + strings.Replace(ec("x"), "{", `{"use":"enc",`, 1) + `,` + ec("a") + `]}`, 1},
		{"the same id twice", `{"keys":[` + ec("a") + `,` + ec("a") + `]}`, -1},
		{"the same id on a key passed over", `{"keys":[` + ec("a") + `,{"kty":"AKP","kid":"a"}]}`, -1},
		{"a symmetric key among them", `{"keys":[` + ec("a") + `,{"kty":"oct","k":"AAAA","kid":"b"}]}`, -1},
		{"a symmetric key for encryption", `{"keys":[` + ec("a") + `,{"use":"enc","kty":"oct","k":"AAAA","kid":"b"}]}`, -1},
		{"a private key among them", `{"keys":[` + ec("a") + `,` + strings.Replace(ec("b"), "{", `{"d":"AA",`, 1) + `]}`, -1},
		{"a private key of another kind", `{"keys":[{"kty":"EC","crv":"P-384","d":"AA","kid":"x"},` + ec("a") + `]}`, -1},
		{"a private key for encryption", `{"keys":[` + strings.Replace(ec("x"), "{", `{"use":"enc","d":"AA",`, 1) + `]}`, -1},
		{"a weak key", `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r"}]}`, -1},
		{"a key without id", `{"keys":[` + embedded + `]}`, -1},
		{"keys that is no list", `{"keys":{}}`, -1},
		{"keys of null", `{"keys":null}`, -1},
		{"no keys", `{}`, -1},
		{"keys in another letter case", `{"keys":[],"KEYS":[]}`, -1},
		{"keys twice", `{"keys":[],"keys":[]}`, -1},
		{"a string for a key", `{"keys":["a"]}`, -1},
		{"more than 64 KiB", `{"keys":[],"x":"` + strings.Repeat("x", 64<<10) + `"}`, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys, err := ParseSet(test.set)
			if test.keys < 0 {
				if err == nil {
					t.Fatalf("accepted with %d keys", len(keys))
				}
				return
			}
			if err != nil || len(keys) != test.keys {
				t.Fatalf("got %d keys, %v", len(keys), err)
			}
			again, err := ParseSet(string(AppendSet(nil, keys)))
			if err != nil || len(again) != len(keys) {
				t.Errorf("what was written is not read back: %v", err)
			}
		})
	}
}

// req: KEY-12
func TestWrittenSetIsPublic(t *testing.T) {
	var keys []*PublicKey
	for _, s := range testSigners(t) {
		keys = append(keys, s.Public())
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(AppendSet(nil, keys), &set); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, k := range set.Keys {
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := k[name]; ok {
				t.Errorf("a key has the member %s", name)
			}
		}
		if k["use"] != "sig" || k["alg"] == "" || k["kid"] == "" || ids[k["kid"]] {
			t.Errorf("use, alg or a distinct kid is missing: %v", k)
		}
		ids[k["kid"]] = true
	}
	if len(ids) != len(keys) {
		t.Errorf("%d ids for %d keys", len(ids), len(keys))
	}
}

// req: JWT-2, JWT-21, KEY-5
func TestNewPublicKeyRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		pub  any
		alg  Algorithm
	}{
		{"nothing", nil, ES256},
		{"a secret", []byte("secret"), ES256},
		{"a text", "secret", "HS256"},
		{"a private key", p256, ES256},
		{"another curve", &p384.PublicKey, ES256},
		{"another algorithm", &p256.PublicKey, Ed25519},
		{"an unknown algorithm", &p256.PublicKey, "ES384"},
		{"a nil EC key", (*ecdsa.PublicKey)(nil), ES256},
		{"an empty EC key", &ecdsa.PublicKey{Curve: elliptic.P256()}, ES256},
		{"a nil RSA key", (*rsa.PublicKey)(nil), RS256},
		{"an empty RSA key", &rsa.PublicKey{}, RS256},
		{"an empty Ed25519 key", ed25519.PublicKey{}, Ed25519},
		{"a short Ed25519 key", make(ed25519.PublicKey, 31), Ed25519},
	} {
		if _, err := NewPublicKey(test.pub, test.alg); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// FuzzParseJWK checks that a key that is accepted is written and read back the
// same, and that no private member gets through.
func FuzzParseJWK(f *testing.F) {
	f.Add(embedded)
	f.Add(rfc7638Key)
	f.Add(rfc8037Key)
	f.Add(`{"kty":"oct","k":"AAAA"}`)
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseJWK(text)
		if err != nil {
			return
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%q was accepted, encoding/json says %v", text, err)
		}
		if m["d"] != nil || m["k"] != nil {
			t.Fatalf("%q was accepted with a private member", text)
		}
		again, err := ParseJWK(string(k.AppendJWK(nil)))
		if err != nil || !again.Equal(k) || again.KeyID() != k.KeyID() {
			t.Fatalf("%q is not read back as written: %v", text, err)
		}
	})
}
