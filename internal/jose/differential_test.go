package jose

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// FuzzAgainstOthers signs whatever header and payload the fuzzer thinks of, puts
// a stray byte into the text at times, and compares with go-jose and golang-jwt:
// what is accepted here must be accepted there with the same payload, and what
// only they accept must be refused for a reason of the list.
func FuzzAgainstOthers(f *testing.F) {
	for _, e := range stricter {
		if e.header != "" {
			f.Add([]byte(e.header), []byte(`{"iss":"a"}`), -1, byte('\n'))
		}
	}
	for _, header := range []string{
		`{"alg":"ES256"}`, `{"alg":"EdDSA","kid":"k"}`, `{"alg":"Ed25519"}`, `{"alg":"RS256"}`,
		`{"alg":"none"}`, `{"alg":"ES256","alg":"none"}`, `{"alg":"ES256","ALG":"none"}`,
		`{"alg":"ES256","typ":"at+jwt","x":{"y":[1,2]}}`, "{\"alg\":\"ES256\",\"x\":\"\xff\"}",
	} {
		f.Add([]byte(header), []byte(`{"iss":"a"}`), -1, byte('\n'))
		f.Add([]byte(header), []byte("\x00"), 5, byte('\n'))
	}
	signers := testSigners(f)
	f.Fuzz(func(t *testing.T, header, payload []byte, at int, stray byte) {
		for _, s := range signers {
			// A signature that does not fit the header shows nothing.
			if !bytes.Contains(header, []byte(s.Public().Algorithm())) {
				continue
			}
			raw := signBytes(t, s, header, payload)
			if at >= 0 && at <= len(raw) {
				raw = raw[:at] + string([]byte{stray}) + raw[at:]
			}
			compare(t, s, raw)
		}
	})
}

func signBytes(t testing.TB, s *Signer, header, payload []byte) string {
	t.Helper()
	text := EncodeBase64(header) + "." + EncodeBase64(payload)
	sig, err := s.raw([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + EncodeBase64(sig)
}

// FuzzParse feeds text to the whole way of a token; the seeds are true ones.
func FuzzParse(f *testing.F) {
	signers := testSigners(f)
	f.Add(rfc7515Token)
	f.Add(rfc8037Token)
	f.Add("e30.e30.e30")
	for _, s := range signers {
		raw, err := s.Sign(SignOptions{Type: "at+jwt"}, []byte(`{"a":1}`))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, s := range signers {
			compare(t, s, raw)
		}
	})
}

// byGoJose and byGolangJWT verify as their documentation says, without looking
// at claims.
func byGoJose(s *Signer, raw string) (string, error) {
	parsed, err := gojose.ParseSignedCompact(raw, []gojose.SignatureAlgorithm{gojose.ES256, gojose.EdDSA, gojose.RS256})
	if err != nil {
		return "", err
	}
	payload, err := parsed.Verify(s.private().Public())
	return string(payload), err
}

func byGolangJWT(s *Signer, raw string) error {
	name := string(s.Public().Algorithm())
	if name == string(Ed25519) {
		name = string(EdDSA)
	}
	p := jwt.NewParser(jwt.WithValidMethods([]string{name}), jwt.WithoutClaimsValidation(), jwt.WithJSONNumber())
	_, err := p.Parse(raw, func(*jwt.Token) (any, error) { return s.private().Public(), nil })
	return err
}

const differentialLimit = 64 << 10

func byUs(s *Signer, raw string) (payload string, alg Algorithm, err error) {
	m, err := Parse(raw, differentialLimit, anyToken)
	if err != nil {
		return "", "", err
	}
	payload, err = m.Verify(s.Public())
	return payload, m.Header.Algorithm, err
}

func compare(t *testing.T, s *Signer, raw string) {
	t.Helper()
	ours, alg, err := byUs(s, raw)
	theirs, goJoseErr := byGoJose(s, raw)
	golangErr := byGolangJWT(s, raw)
	if err != nil {
		if goJoseErr == nil || golangErr == nil {
			if why := refusal(err); !listed(why) {
				t.Fatalf("%q is refused here (%s), not by go-jose (%v) and golang-jwt (%v), and the reason is not on the list", raw, why, goJoseErr, golangErr)
			}
		}
		return
	}
	if alg == Ed25519 {
		return // both know it under its older name only
	}
	if goJoseErr != nil && !theirOwnLimit(raw, goJoseErr) {
		t.Fatalf("%q was accepted, go-jose says %v", raw, goJoseErr)
	}
	if goJoseErr == nil && ours != theirs {
		t.Fatalf("%q: payload %q, go-jose %q", raw, ours, theirs)
	}
	// golang-jwt reads the payload as claims at once.
	if _, err := ParseObject(nil, ours, Limits{}); err == nil && golangErr != nil && !theirOwnLimit(raw, golangErr) {
		t.Fatalf("%q was accepted, golang-jwt says %v", raw, golangErr)
	}
}

// theirOwnLimit reports a refusal of a lawful token by a peer: it reads header
// members that have no meaning here, and for which RFC 7515 section 4 says that
// they are ignored where they are not understood.
func theirOwnLimit(raw string, err error) bool {
	h, _, _ := strings.Cut(raw, ".")
	header, decodeErr := DecodeBase64(nil, h)
	if decodeErr != nil {
		return false
	}
	members, parseErr := ParseObject(nil, string(header), headerLimits)
	if parseErr != nil {
		return false
	}
	for _, m := range members {
		if m.Name == "nonce" { // of ACME, read by go-jose
			if _, isString := m.Value.Str(); !isString {
				return true
			}
		}
	}
	// Both read all numbers of a header as floats.
	return strings.Contains(err.Error(), "into Go value of type float64")
}

// The exceptions are two, and real.
func TestLawfulTokensThatOthersRefuse(t *testing.T) {
	s := testSigners(t)[0]
	for _, test := range []struct{ header, by string }{
		{`{"alg":"ES256","nonce":1}`, "go-jose"},
		{`{"alg":"ES256","x":1e999}`, "go-jose, golang-jwt"},
	} {
		raw := signBytes(t, s, []byte(test.header), []byte(`{"iss":"a"}`))
		if _, _, err := byUs(s, raw); err != nil {
			t.Errorf("%s: refused here: %v", test.header, err)
		}
		_, goJoseErr := byGoJose(s, raw)
		golangErr := byGolangJWT(s, raw)
		if (goJoseErr != nil) != strings.Contains(test.by, "go-jose") || (golangErr != nil) != strings.Contains(test.by, "golang-jwt") {
			t.Errorf("%s: go-jose says %v, golang-jwt %v, and it should be refused by %s", test.header, goJoseErr, golangErr, test.by)
		}
		if err := cmp.Or(goJoseErr, golangErr); !theirOwnLimit(raw, err) {
			t.Errorf("%s: %v is not known as a limit of theirs", test.header, err)
		}
	}
}

var anyNumber = regexp.MustCompile(`\d+`)

// refusal is an error of this package without what differs from text to text.
func refusal(err error) string {
	text := strings.TrimPrefix(err.Error(), "jose: ")
	text, _, _ = strings.Cut(text, " at byte ")
	return anyNumber.ReplaceAllString(text, "N")
}

func listed(why string) bool {
	for _, e := range stricter {
		if e.why == why {
			return true
		}
	}
	return false
}

// The list is exact: each entry has a token that at least one of the two
// accepts and that is refused here for just that reason.
func TestRefusalsThatOthersDoNotShareAreOnTheList(t *testing.T) {
	s := testSigners(t)[0]
	if s.Public().Algorithm() != ES256 {
		t.Fatal("the first signer is of another kind")
	}
	for _, e := range stricter {
		raw := e.raw(t, s)
		_, _, err := byUs(s, raw)
		_, goJoseErr := byGoJose(s, raw)
		golangErr := byGolangJWT(s, raw)
		if err == nil || refusal(err) != e.why {
			t.Errorf("%s: refused here for %v", e.why, err)
		}
		if got := (goJoseErr == nil); got != strings.Contains(e.by, "go-jose") {
			t.Errorf("%s: go-jose says %v, the list says accepted by %s", e.why, goJoseErr, e.by)
		}
		if got := (golangErr == nil); got != strings.Contains(e.by, "golang-jwt") {
			t.Errorf("%s: golang-jwt says %v, the list says accepted by %s", e.why, golangErr, e.by)
		}
	}
}

// The seeds above show differences only if signatures really agree, so here is
// one token of each kind that all accept.
func TestOthersReadOurTokens(t *testing.T) {
	for _, s := range testSigners(t) {
		alg := s.Public().Algorithm()
		if alg == Ed25519 {
			continue // a name both do not know
		}
		raw, err := s.Sign(SignOptions{Type: "at+jwt"}, []byte(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		if payload, err := byGoJose(s, raw); err != nil || payload != `{"a":1}` {
			t.Errorf("%s: go-jose reads %q, %v", alg, payload, err)
		}
		if err := byGolangJWT(s, raw); err != nil {
			t.Errorf("%s: golang-jwt says %v", alg, err)
		}
		var jwk gojose.JSONWebKey
		if err := jwk.UnmarshalJSON(s.Public().AppendJWK(nil)); err != nil || !jwk.Valid() || jwk.KeyID != s.Public().KeyID() {
			t.Errorf("%s: go-jose reads the JWK as %+v, %v", alg, jwk, err)
		}
	}
}
