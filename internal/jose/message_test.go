package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// anyToken is for tests of known answers, whose headers have no typ.
var anyToken = HeaderPolicy{anyType: true, Key: KeyKnown, Algorithms: []Algorithm{ES256, Ed25519, RS256}}

const (
	rfc7515Key   = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	rfc7515Token = "eyJhbGciOiJFUzI1NiJ9" +
		".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" +
		".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	rfc8037Key   = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfc8037Token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc" +
		".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

func mustKey(t testing.TB, jwk string) *PublicKey {
	t.Helper()
	k, err := ParseJWK(jwk)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKnownAnswers(t *testing.T) {
	for _, test := range []struct{ name, key, raw, payload string }{
		{
			"RFC 7515 A.3, ES256", rfc7515Key, rfc7515Token,
			"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}",
		},
		{"RFC 8037 A.4, Ed25519", rfc8037Key, rfc8037Token, "Example of Ed25519 signing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := Parse(test.raw, 8<<10, anyToken)
			if err != nil {
				t.Fatal(err)
			}
			payload, err := m.Verify(mustKey(t, test.key))
			if err != nil || payload != test.payload {
				t.Errorf("got %q, %v", payload, err)
			}
		})
	}
}

// req: JWT-1, JWT-21
func TestEachFlippedBitOfATokenIsRefused(t *testing.T) {
	for _, test := range []struct{ raw, key string }{{rfc7515Token, rfc7515Key}, {rfc8037Token, rfc8037Key}} {
		k := mustKey(t, test.key)
		for i := range len(test.raw) * 8 {
			b := []byte(test.raw)
			b[i/8] ^= 1 << (i % 8)
			m, err := Parse(string(b), 8<<10, anyToken)
			if err == nil {
				_, err = m.Verify(k)
			}
			if err == nil {
				t.Fatalf("%q was accepted", b)
			}
		}
	}
}

// req: JWT-17, JWT-20
func TestParseRefusesOtherForms(t *testing.T) {
	const h = "eyJhbGciOiJFUzI1NiJ9"
	for _, test := range []struct {
		name, raw string
		want      error
	}{
		{"nothing", "", ErrForm},
		{"one part", h, ErrForm},
		{"two parts", h + ".e30", ErrForm},
		{"four parts", h + ".e30.YQ.YQ", ErrForm},
		{"five parts (JWE)", h + ".YQ.YQ.YQ.YQ", ErrForm},
		{"an empty header", ".e30.YQ", ErrForm},
		{"an empty payload", h + "..YQ", ErrForm},
		{"an empty signature", h + ".e30.", ErrForm},
		{"dots alone", "..", ErrForm},
		{"a line feed inside", h[:4] + "\n" + h[4:] + ".e30.YQ", ErrForm},
		{"a line feed at the end", h + ".e30.YQ\n", ErrForm},
		{"a carriage return inside the signature", h + ".e30.Y\rQ", ErrForm},
		{"a space in front", " " + h + ".e30.YQ", ErrForm},
		{"a tab", h + "\t.e30.YQ", ErrForm},
		{"padding", h + ".e30=.YQ", ErrForm},
		{"the other alphabet", h + ".e30.Y+/Q", ErrForm},
		{"a NUL byte", h + ".e30.YQ\x00", ErrForm},
		{"a byte above ASCII", h + ".e30.YQ\xff", ErrForm},
		{"JSON serialisation", `{"payload":"e30","protected":"` + h + `","signature":"YQ"}`, ErrForm},
		{"a header that is no JSON", "eyJhbGciOiJFUzI1NiJ8.e30.YQ", ErrJSON},
		{"a header of an impossible length", h + "a.e30.YQ", ErrBase64},
		{"a token over the limit", h + "." + strings.Repeat("a", 8<<10) + ".YQ", ErrTooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Parse(test.raw, 8<<10, anyToken); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// req: JWT-17
func TestVerifyTakesOneSpellingOfEachPart(t *testing.T) {
	// The payload and signature parts end in characters with unused bits; each
	// other spelling of the same bytes must be refused, though its signature would
	// fit if it were only decoded loosely.
	k := mustKey(t, rfc7515Key)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := rfc7515Token[len(rfc7515Token)-1]
	for _, c := range []byte(alphabet) {
		raw := rfc7515Token[:len(rfc7515Token)-1] + string(c)
		m, err := Parse(raw, 8<<10, anyToken)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Verify(k); (err == nil) != (c == last) {
			t.Errorf("ending in %c: %v", c, err)
		}
	}
}

// req: JWT-21
func TestSignatureLengthIsExact(t *testing.T) {
	k := mustKey(t, rfc7515Key)
	head, sig := rfc7515Token[:strings.LastIndexByte(rfc7515Token, '.')+1], rfc7515Token[strings.LastIndexByte(rfc7515Token, '.')+1:]
	raw, err := DecodeBase64(nil, sig)
	if err != nil {
		t.Fatal(err)
	}
	zero := make([]byte, 32)
	n := elliptic.P256().Params().N.Bytes()
	for name, b := range map[string][]byte{
		"one byte too short": raw[:63],
		"one byte too long":  append(append([]byte{}, raw...), 0),
		"one byte":           raw[:1],
		"ASN.1":              appendDER(nil, raw),
		"r of zero":          append(append([]byte{}, zero...), raw[32:]...),
		"s of zero":          append(append([]byte{}, raw[:32]...), zero...),
		"both of zero":       append(append([]byte{}, zero...), zero...),
		"r of the order":     append(append([]byte{}, n...), raw[32:]...),
		"s of the order":     append(append([]byte{}, raw[:32]...), n...),
	} {
		m, err := Parse(head+EncodeBase64(b), 8<<10, anyToken)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Verify(k); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// req: JWT-2, JWT-3
func TestAlgorithmIsThatOfTheKey(t *testing.T) {
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(es, ES256)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.Sign(SignOptions{Type: "x"}, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(raw, 8<<10, HeaderPolicy{Type: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Verify(mustKey(t, rfc8037Key)); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("an ES256 token under an Ed25519 key: %v", err)
	}
	if _, err := m.Verify(s.Public()); err != nil {
		t.Error(err)
	}
}

// req: JWT-20
func TestOversizeTokenCostsNoAllocationOfItsSize(t *testing.T) {
	raw := strings.Repeat("a", 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := Parse(raw, 8<<10, anyToken); !errors.Is(err, ErrTooLong) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 100; n > 4096 {
		t.Errorf("%d bytes were allocated for each token over the limit", n)
	}
}
