package dpop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

const here = "https://api.example/orders"

// good is what an honest client sends with GET to here.
func good(key *ecdsa.PrivateKey) (header, claims object) {
	return object{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(key)},
		object{"jti": rand.Text(), "htm": "GET", "htu": here, "iat": start.Unix()}
}

// req: DPOP-2, DPOP-3, DPOP-4, DPOP-5, DPOP-6, DPOP-7, DPOP-8, DPOP-11
func TestProofIsRefusedWhenAnyPartIsWrong(t *testing.T) {
	key, other := ecKey(t), ecKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	offCurve := jwk(key).with(object{"y": jwk(other)["y"]})
	tests := []struct {
		name           string
		header, claims object // members that differ; nil takes one away
		want           dpop.Cause
	}{
		{"nothing is wrong", nil, nil, ""},
		{"unknown members are passed over", object{"x-note": 1}, object{"note": "n"}, ""},
		{"typ as a media type", object{"typ": "application/dpop+jwt"}, nil, ""},
		{"a kid beside the key", object{"kid": "k1"}, nil, ""},

		{"typ is missing", object{"typ": nil}, nil, dpop.Malformed},
		{"typ of any JWT", object{"typ": "JWT"}, nil, dpop.Malformed},
		{"typ of an access token", object{"typ": "at+jwt"}, nil, dpop.Malformed},
		{"typ of a device bound session", object{"typ": "dbsc+jwt"}, nil, dpop.Malformed},
		{"alg is missing", object{"alg": nil}, nil, dpop.Malformed},
		{"alg none", object{"alg": "none"}, nil, dpop.Malformed},
		{"alg none in capitals", object{"alg": "NONE"}, nil, dpop.Malformed},
		{"a MAC", object{"alg": "HS256"}, nil, dpop.Malformed},
		{"an algorithm that is not on the list", object{"alg": "RS256"}, nil, dpop.Malformed},
		{"another algorithm than the key's", object{"alg": "Ed25519"}, nil, dpop.Signature},
		{"a critical extension", object{"crit": []string{"exp"}, "exp": 1}, nil, dpop.Malformed},
		{"jwk is missing", object{"jwk": nil}, nil, dpop.Malformed},
		{"a key by address", object{"jku": "https://evil.example/keys"}, nil, dpop.Malformed},
		{"jwk is no object", object{"jwk": "k"}, nil, dpop.Malformed},
		{"jwk with the private part", object{"jwk": jwk(key).with(object{"d": b64(make([]byte, 32))})}, nil, dpop.Malformed},
		{"jwk with primes", object{"jwk": jwk(key).with(object{"p": "AQ"})}, nil, dpop.Malformed},
		{"a symmetric key", object{"jwk": object{"kty": "oct", "k": b64(make([]byte, 32))}}, nil, dpop.Malformed},
		{"a point off the curve", object{"jwk": offCurve}, nil, dpop.Malformed},
		{"another curve", object{"jwk": jwk(key).with(object{"crv": "P-384"})}, nil, dpop.Malformed},
		{"another key", object{"jwk": jwk(other)}, nil, dpop.Signature},

		{"jti is missing", nil, object{"jti": nil}, dpop.ClaimAbsent},
		{"jti is empty", nil, object{"jti": ""}, dpop.ClaimAbsent},
		{"jti is a number", nil, object{"jti": 7}, dpop.ClaimAbsent},
		{"jti is as long as it may be", nil, object{"jti": strings.Repeat("j", dpop.MaxID)}, ""},
		{"jti is longer", nil, object{"jti": strings.Repeat("j", dpop.MaxID+1)}, dpop.ClaimAbsent},
		{"htm is missing", nil, object{"htm": nil}, dpop.ClaimAbsent},
		{"htu is missing", nil, object{"htu": nil}, dpop.ClaimAbsent},
		{"iat is missing", nil, object{"iat": nil}, dpop.ClaimAbsent},
		{"iat is text", nil, object{"iat": "1772366400"}, dpop.ClaimAbsent},
		{"iat is below zero", nil, object{"iat": -5}, dpop.ClaimAbsent},
		{"a claim in another letter case", nil, object{"HTM": "GET"}, dpop.ClaimAbsent},
		{"htm in small letters", nil, object{"htm": "get"}, dpop.WrongMethod},
		{"htm of another method", nil, object{"htm": "POST"}, dpop.WrongMethod},
		{"htm HEAD for GET", nil, object{"htm": "HEAD"}, dpop.WrongMethod},
		{"another path", nil, object{"htu": "https://api.example/other"}, dpop.WrongURL},
		{"another host", nil, object{"htu": "https://evil.example/orders"}, dpop.WrongURL},

		{"as old as it may be", nil, object{"iat": start.Add(-60 * time.Second).Unix()}, ""},
		{"older", nil, object{"iat": start.Add(-61 * time.Second).Unix()}, dpop.WrongTime},
		{"as new as it may be", nil, object{"iat": start.Add(5 * time.Second).Unix()}, ""},
		{"newer", nil, object{"iat": start.Add(6 * time.Second).Unix()}, dpop.WrongTime},
		{"with a fraction", nil, object{"iat": json.Number("1772366399.25")}, ""},
	}
	check := checker(t, dpop.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header, claims := good(key)
			text := forge(t, key, header.with(tt.header), claims.with(tt.claims))
			p, err := check.Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here})
			if got := why(t, err); got != tt.want {
				t.Fatalf("got %q (%v), want %q", got, err, tt.want)
			}
			if (err == nil) == (p == nil) {
				t.Errorf("proof %v with error %v", p, err)
			}
		})
	}
	t.Run("a key on a curve that is not supported signs with it", func(t *testing.T) {
		header, claims := good(key)
		point, err := p384.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		header["alg"], header["jwk"] = "ES384", object{"kty": "EC", "crv": "P-384", "x": b64(point[1:49]), "y": b64(point[49:])}
		_, err = check.Check(t.Context(), []string{forge(t, key, header, claims)}, dpop.Request{Method: "GET", URL: here})
		if got := why(t, err); got != dpop.Malformed {
			t.Errorf("got %q", got)
		}
	})
}

// req: DPOP-2
func TestRubbishIsRefused(t *testing.T) {
	key := ecKey(t)
	header, claims := good(key)
	text := forge(t, key, header, claims)
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, ".")
	tests := map[string]string{
		"nothing":                 "",
		"a word":                  "proof",
		"two parts":               parts[0] + "." + parts[1],
		"four parts":              text + ".x",
		"padding":                 parts[0] + "=." + parts[1] + "." + parts[2],
		"a blank in front":        " " + text,
		"quoted":                  `"` + text + `"`,
		"no signature":            parts[0] + "." + parts[1] + ".",
		"a zero signature":        parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"claims twice":            forgeText(t, key, string(h), `{"jti":"a","jti":"b","htm":"GET","htu":"`+here+`","iat":1772366400}`),
		"claims are a list":       forgeText(t, key, string(h), `[]`),
		"something behind claims": forgeText(t, key, string(h), `{"jti":"a","htm":"GET","htu":"`+here+`","iat":1772366400} {}`),
		"header twice":            forgeText(t, key, `{"typ":"dpop+jwt",`+string(h[1:]), `{}`),
		"too long":                forge(t, key, header, claims.with(object{"pad": strings.Repeat("x", dpop.MaxProof)})),
	}
	check := checker(t, dpop.Config{})
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := check.Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here})
			if got := why(t, err); got != dpop.Malformed && got != dpop.Signature {
				t.Errorf("got %q (%v)", got, err)
			}
		})
	}
}

// req: DPOP-1
func TestOneFieldIsWanted(t *testing.T) {
	key := ecKey(t)
	proof := func() string {
		header, claims := good(key)
		return forge(t, key, header, claims)
	}
	tests := []struct {
		name   string
		fields []string
		want   dpop.Cause
	}{
		{"none", nil, dpop.Missing},
		{"one", []string{proof()}, ""},
		{"two", []string{proof(), proof()}, dpop.Several},
		{"the second is empty", []string{proof(), ""}, dpop.Several},
		{"joined by a proxy", []string{proof() + ", " + proof()}, dpop.Several},
	}
	check := checker(t, dpop.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := check.Check(t.Context(), tt.fields, dpop.Request{Method: "GET", URL: here})
			if got := why(t, err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// req: DPOP-12, DPOP-13
func TestProofBelongsToItsTokenAndKey(t *testing.T) {
	key, other := ecKey(t), ecKey(t)
	mine, err := dpop.NewProver(key, func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := dpop.NewProver(other, func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		prover *dpop.Prover
		token  string // in the proof
		want   dpop.Cause
	}{
		{"right", mine, "token.1", ""},
		{"no ath", mine, "", dpop.WrongToken},
		{"ath of another token", mine, "token.2", dpop.WrongToken},
		{"another key", theirs, "token.1", dpop.WrongKey},
		{"another key and token", theirs, "token.2", dpop.WrongToken},
	}
	check := checker(t, dpop.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := tt.prover.Proof("GET", here, tt.token, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = check.Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here, Token: "token.1", Thumbprint: mine.Thumbprint()})
			if got := why(t, err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("the thumbprint does not depend on how the key is written", func(t *testing.T) {
		_, claims := good(key)
		members, _ := json.Marshal(jwk(key))
		var k struct{ X, Y string }
		if err := json.Unmarshal(members, &k); err != nil {
			t.Fatal(err)
		}
		header := `{"jwk": { "y" : "` + k.Y + `", "use":"sig", "x":"` + k.X + `", "kty":"EC" , "crv":"P-256"}, "typ":"dpop+jwt","alg":"ES256"}`
		text, _ := json.Marshal(claims)
		p, err := check.Check(t.Context(), []string{forgeText(t, key, header, string(text))}, dpop.Request{Method: "GET", URL: here})
		if err != nil {
			t.Fatal(err)
		}
		if p.Thumbprint != mine.Thumbprint() {
			t.Errorf("%s is not %s", p.Thumbprint, mine.Thumbprint())
		}
	})
}

func TestWrongSettingsAreNamed(t *testing.T) {
	memory, err := dpop.NewLocalMemory(1024)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		config dpop.Config
		field  string
	}{
		{dpop.Config{}, "Config.Memory"},
		{dpop.Config{Memory: memory, MaxAge: time.Hour}, "Config.MaxAge"},
		{dpop.Config{Memory: memory, MaxAge: -time.Second}, "Config.MaxAge"},
		{dpop.Config{Memory: memory, MaxAhead: time.Hour}, "Config.MaxAhead"},
		{dpop.Config{Memory: memory, MaxAhead: -1}, "Config.MaxAhead"},
		{dpop.Config{Memory: memory, Algorithms: []string{"ES256", "none"}}, "Config.Algorithms[1]"},
		{dpop.Config{Memory: memory, Algorithms: []string{"HS256"}}, "Config.Algorithms[0]"},
		{dpop.Config{Memory: memory, Algorithms: []string{"ES256", "ES256"}}, "Config.Algorithms[1]"},
		{dpop.Config{Memory: memory, Algorithms: []string{}}, "Config.Algorithms"},
	}
	for _, tt := range tests {
		if _, err := dpop.New(tt.config); err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("want an error that names %s, got %v", tt.field, err)
		}
	}
}
