package jose

import (
	"bytes"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// FuzzAgainstGoJose signs whatever header and payload the fuzzer thinks of, puts
// a stray byte into the text at times, and compares with go-jose: what is
// accepted here must be accepted there with the same payload. The reverse does
// not hold, because strictness is the point.
func FuzzAgainstGoJose(f *testing.F) {
	for _, header := range []string{
		`{"alg":"ES256"}`, `{"alg":"EdDSA","kid":"k"}`, `{"alg":"Ed25519"}`, `{"alg":"RS256"}`,
		`{"alg":"none"}`, `{"alg":"ES256","alg":"none"}`, `{"alg":"ES256","ALG":"none"}`,
		`{"alg":"ES256","crit":["b64"],"b64":false}`, `{"alg":"ES256","jwk":` + embedded + `}`,
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
			text := EncodeBase64(header) + "." + EncodeBase64(payload)
			sig, err := s.raw([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			raw := text + "." + EncodeBase64(sig)
			if at >= 0 && at <= len(raw) {
				raw = raw[:at] + string([]byte{stray}) + raw[at:]
			}
			compare(t, s, raw)
		}
	})
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

func compare(t *testing.T, s *Signer, raw string) {
	t.Helper()
	m, err := Parse(raw, 64<<10, anyToken)
	if err != nil {
		return
	}
	ours, err := m.Verify(s.Public())
	if err != nil {
		return
	}
	// go-jose knows Ed25519 under its older name only.
	if m.Header.Algorithm == Ed25519 {
		return
	}
	parsed, err := gojose.ParseSignedCompact(raw, []gojose.SignatureAlgorithm{gojose.ES256, gojose.EdDSA, gojose.RS256})
	if err != nil {
		t.Fatalf("%q was accepted, go-jose says %v", raw, err)
	}
	theirs, err := parsed.Verify(s.private().Public())
	if err != nil {
		t.Fatalf("%q was accepted, go-jose says %v", raw, err)
	}
	if ours != string(theirs) {
		t.Fatalf("%q: payload %q, go-jose %q", raw, ours, theirs)
	}
}

// The seeds above show differences only if signatures really agree, so here is
// one token of each kind that both accept.
func TestGoJoseReadsOurTokens(t *testing.T) {
	for _, s := range testSigners(t) {
		alg := s.Public().Algorithm()
		if alg == Ed25519 {
			continue // a name go-jose does not know
		}
		raw, err := s.Sign(SignOptions{Type: "at+jwt"}, []byte(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := gojose.ParseSignedCompact(raw, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		if payload, err := parsed.Verify(s.private().Public()); err != nil || string(payload) != `{"a":1}` {
			t.Errorf("%s: %q, %v", alg, payload, err)
		}
		var jwk gojose.JSONWebKey
		if err := jwk.UnmarshalJSON(s.Public().AppendJWK(nil)); err != nil || !jwk.Valid() || jwk.KeyID != s.Public().KeyID() {
			t.Errorf("%s: go-jose reads the JWK as %+v, %v", alg, jwk, err)
		}
	}
}
