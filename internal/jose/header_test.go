package jose

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const embedded = `{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}`

// req: JWT-2, JWT-4, JWT-5, JWT-7, JWT-18, JWT-19
func TestHeaderOfAnAccessToken(t *testing.T) {
	policy := HeaderPolicy{Type: "at+jwt"}
	ok := func(extra string) string { return `{"alg":"ES256","typ":"at+jwt","kid":"k"` + extra + `}` }
	for _, test := range []struct {
		name, header string
		want         error
	}{
		{"the usual one", ok(""), nil},
		{"Ed25519", `{"alg":"Ed25519","typ":"at+jwt","kid":"k"}`, nil},
		{"the older name EdDSA", `{"alg":"EdDSA","typ":"at+jwt","kid":"k"}`, nil},
		{"typ as a full media type", `{"alg":"ES256","typ":"application/at+jwt","kid":"k"}`, nil},
		{"typ in another letter case", `{"alg":"ES256","typ":"Application/AT+JWT","kid":"k"}`, nil},
		{"an unknown member", ok(`,"x":{"y":[1]}`), nil},
		{"certificate digests, which are ignored", ok(`,"x5t":"YQ"`), nil},

		{"alg none", `{"alg":"none","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg NONE", `{"alg":"NONE","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg nOnE", `{"alg":"nOnE","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg es256", `{"alg":"es256","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg HS256", `{"alg":"HS256","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg ES384", `{"alg":"ES384","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg PS256", `{"alg":"PS256","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"RS256 without opt-in", `{"alg":"RS256","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"an empty alg", `{"alg":"","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg as a list", `{"alg":["ES256"],"typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg null", `{"alg":null,"typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"no alg", `{"typ":"at+jwt","kid":"k"}`, ErrAlgorithm},
		{"alg with a space", `{"alg":"ES256 ","typ":"at+jwt","kid":"k"}`, ErrAlgorithm},

		{"typ JWT", `{"alg":"ES256","typ":"JWT","kid":"k"}`, ErrType},
		{"no typ", `{"alg":"ES256","kid":"k"}`, ErrType},
		{"an empty typ", `{"alg":"ES256","typ":"","kid":"k"}`, ErrType},
		{"typ null", `{"alg":"ES256","typ":null,"kid":"k"}`, ErrType},
		{"typ with parameters", `{"alg":"ES256","typ":"at+jwt;v=1","kid":"k"}`, ErrType},
		{"typ with a doubled prefix", `{"alg":"ES256","typ":"application/application/at+jwt","kid":"k"}`, ErrType},
		{"typ of the prefix alone", `{"alg":"ES256","typ":"application/","kid":"k"}`, ErrType},
		{"typ that folds to ours only in Unicode", "{\"alg\":\"ES256\",\"typ\":\"at+\u2c7cwt\",\"kid\":\"k\"}", ErrType},

		{"no kid", `{"alg":"ES256","typ":"at+jwt"}`, ErrKeyID},
		{"an empty kid", `{"alg":"ES256","typ":"at+jwt","kid":""}`, ErrKeyID},
		{"a number as kid", `{"alg":"ES256","typ":"at+jwt","kid":1}`, ErrKeyID},
		{"a path as kid", `{"alg":"ES256","typ":"at+jwt","kid":"../../dev/null"}`, ErrKeyID},
		{"a Windows path as kid", `{"alg":"ES256","typ":"at+jwt","kid":"..\\x"}`, ErrKeyID},
		{"SQL as kid", `{"alg":"ES256","typ":"at+jwt","kid":"a' OR '1'='1"}`, ErrKeyID},
		{"a line break in kid", `{"alg":"ES256","typ":"at+jwt","kid":"a\nb"}`, ErrKeyID},
		{"a NUL byte in kid", `{"alg":"ES256","typ":"at+jwt","kid":"a\u0000"}`, ErrKeyID},
		{"a kid of 128 bytes", `{"alg":"ES256","typ":"at+jwt","kid":"` + strings.Repeat("k", 128) + `"}`, nil},
		{"a kid of 129 bytes", `{"alg":"ES256","typ":"at+jwt","kid":"` + strings.Repeat("k", 129) + `"}`, ErrKeyID},

		{"an embedded key", ok(`,"jwk":` + embedded), ErrHeader},
		{"a key by address", ok(`,"jku":"https://evil.example/keys"`), ErrHeader},
		{"a certificate by address", ok(`,"x5u":"https://evil.example/cert"`), ErrHeader},
		{"a certificate", ok(`,"x5c":["MII="]`), ErrHeader},
		{"a certificate of null", ok(`,"x5c":null`), ErrHeader},
		{"compression", ok(`,"zip":"DEF"`), ErrHeader},
		{"encryption", ok(`,"enc":"A256GCM"`), ErrHeader},
		{"a nested token", ok(`,"cty":"JWT"`), ErrHeader},

		{"an unknown critical extension", ok(`,"crit":["exp"],"exp":1`), ErrCritical},
		{"an empty crit", ok(`,"crit":[]`), ErrCritical},
		{"a crit of null", ok(`,"crit":null`), ErrCritical},
		{"a crit naming alg", ok(`,"crit":["alg"]`), ErrCritical},
		{"b64 false", ok(`,"crit":["b64"],"b64":false`), ErrCritical},
		{"b64 without crit", ok(`,"b64":false`), ErrCritical},
		{"b64 true", ok(`,"b64":true`), ErrCritical},

		{"alg in capitals beside alg", `{"alg":"ES256","ALG":"none","typ":"at+jwt","kid":"k"}`, ErrHeader},
		{"alg in capitals alone", `{"ALG":"ES256","typ":"at+jwt","kid":"k"}`, ErrHeader},
		{"crit in another letter case", ok(`,"Crit":["x"]`), ErrHeader},
		{"kid with the Kelvin sign", ok(",\"\u212aid\":\"x\""), ErrHeader},
		{"alg twice", `{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"k"}`, ErrJSON},
		{"alg twice, once escaped", `{"alg":"none","\u0061lg":"ES256","typ":"at+jwt","kid":"k"}`, ErrJSON},
		{"bad UTF-8", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k\",\"x\":\"\xff\"}", ErrJSON},
		{"data behind the header", ok("") + "{}", ErrJSON},
		{"a list", `["ES256"]`, ErrJSON},
		{"nesting beyond the limit", ok(`,"x":[[[[1]]]]`), ErrJSON},
		{"more than 32 members", ok(func() (s string) {
			for i := range 30 {
				s += fmt.Sprintf(`,"m%d":0`, i)
			}
			return s
		}()), ErrJSON},
		{"more than 4 KiB", ok(`,"x":"` + strings.Repeat("x", 4<<10) + `"`), ErrJSON},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := parseHeader(EncodeBase64([]byte(test.header)), policy)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err == nil && h.KeyID == "" {
				t.Error("accepted without key id")
			}
		})
	}
}

func TestEmbeddedKeyOnlyWhereThePolicyDemandsIt(t *testing.T) {
	const withKey = `{"alg":"ES256","typ":"dpop+jwt","jwk":` + embedded + `}`
	const without = `{"alg":"ES256","typ":"dpop+jwt"}`
	const private = `{"alg":"ES256","typ":"dpop+jwt","jwk":{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","d":"AA"}}`
	const symmetric = `{"alg":"ES256","typ":"dpop+jwt","jwk":{"kty":"oct","k":"AAAA"}}`
	for _, test := range []struct {
		name, header string
		source       KeySource
		want         error
	}{
		{"embedded, demanded", withKey, KeyEmbedded, nil},
		{"embedded, by id", withKey, KeyByID, ErrHeader},
		{"embedded, known", withKey, KeyKnown, ErrHeader},
		{"absent, demanded", without, KeyEmbedded, ErrHeader},
		{"absent, by id", without, KeyByID, ErrKeyID},
		{"absent, known", without, KeyKnown, nil},
		{"private", private, KeyEmbedded, ErrKey},
		{"symmetric", symmetric, KeyEmbedded, ErrKey},
		{"a string", `{"alg":"ES256","typ":"dpop+jwt","jwk":"x"}`, KeyEmbedded, ErrHeader},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := parseHeader(EncodeBase64([]byte(test.header)), HeaderPolicy{Type: "dpop+jwt", Key: test.source})
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err == nil && (h.Key != nil) != (test.source == KeyEmbedded) {
				t.Error("an embedded key where none belongs, or none where one does")
			}
		})
	}
}

// req: JWT-8
func TestKindsOfTokenExcludeEachOther(t *testing.T) {
	kinds := []string{"at+jwt", "dpop+jwt", "dbsc+jwt", "logout+jwt", "secevent+jwt", "statuslist+jwt"}
	for _, made := range kinds {
		header := EncodeBase64([]byte(`{"alg":"ES256","typ":"` + made + `","kid":"k"}`))
		for _, read := range kinds {
			_, err := parseHeader(header, HeaderPolicy{Type: read, Key: KeyByID})
			if made == read && err != nil || made != read && !errors.Is(err, ErrType) {
				t.Errorf("%s read as %s: %v", made, read, err)
			}
		}
	}
}

func TestZeroPolicyRefusesEverything(t *testing.T) {
	for _, header := range []string{`{"alg":"ES256","kid":"k"}`, `{"alg":"ES256","kid":"k","typ":""}`, `{"alg":"ES256","kid":"k","typ":"at+jwt"}`} {
		if _, err := parseHeader(EncodeBase64([]byte(header)), HeaderPolicy{}); !errors.Is(err, ErrType) {
			t.Errorf("%s: %v", header, err)
		}
	}
}

// req: JWT-2
func TestAllowListIsExact(t *testing.T) {
	for _, test := range []struct {
		list []Algorithm
		want map[Algorithm]bool
	}{
		{nil, map[Algorithm]bool{ES256: true, Ed25519: true, EdDSA: true}},
		{[]Algorithm{}, nil},
		{[]Algorithm{ES256}, map[Algorithm]bool{ES256: true}},
		{[]Algorithm{ES256, RS256}, map[Algorithm]bool{ES256: true, RS256: true}},
		{[]Algorithm{Ed25519}, map[Algorithm]bool{Ed25519: true, EdDSA: true}},
		{[]Algorithm{EdDSA}, map[Algorithm]bool{EdDSA: true}},
	} {
		for _, alg := range []Algorithm{ES256, Ed25519, EdDSA, RS256} {
			header := EncodeBase64([]byte(`{"alg":"` + string(alg) + `","typ":"x"}`))
			_, err := parseHeader(header, HeaderPolicy{Type: "x", Key: KeyKnown, Algorithms: test.list})
			if (err == nil) != test.want[alg] {
				t.Errorf("list %v, %s: %v", test.list, alg, err)
			}
		}
	}
}
