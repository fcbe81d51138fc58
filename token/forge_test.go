package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/token"
)

// forge is an ES256 key whose tokens the tests write byte by byte.
type forge struct {
	private  *ecdsa.PrivateKey
	public   *token.PublicKey
	keys     *token.PublicKeys
	verifier *token.Verifier
}

func newForge(t testing.TB) *forge {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := token.NewPublicKey(&private.PublicKey, token.ES256)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewPublicKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(token.VerifierConfig{
		Issuer: testIssuer, Audience: testAudience, Keys: keys, Now: clock(testNow),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &forge{private, public, keys, v}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// header is a good header with members added.
func (f *forge) header(more string) string {
	return fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":%q%s}`, f.public.ID(), more)
}

// sign signs any header and payload.
func (f *forge) sign(t testing.TB, header, payload string) string {
	t.Helper()
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, f.private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + b64(sig)
}

// claims returns good claims, changed: a nil value removes the claim.
func claims(changes map[string]any) string {
	m := map[string]any{
		"iss": testIssuer, "sub": "u-4711", "aud": testAudience, "client_id": "lanyard", "jti": "j-1",
		"iat": testNow.Unix(), "exp": testNow.Unix() + 300,
	}
	for k, v := range changes {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // a mistake in a table
	}
	return string(b)
}

// cause returns why an error refused a token, and fails unless the error is
// uniform.
func cause(t testing.TB, err error) token.Cause {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*token.Error](err)
	if !ok || !errors.Is(err, token.ErrInvalid) || err.Error() != token.ErrInvalid.Error() {
		t.Fatalf("a refusal of another kind: %#v", err)
	}
	return e.Cause
}

// req: JWT-2
func TestForgeriesWithThePublicKey(t *testing.T) {
	f := newForge(t)
	payload := b64([]byte(claims(nil)))
	var forgeries []string
	for _, alg := range []string{"none", "NONE", "nOnE", "None", ""} {
		head := b64([]byte(strings.Replace(f.header(""), "ES256", alg, 1))) + "." + payload + "."
		forgeries = append(forgeries, head, head+"AA", head+b64(make([]byte, 64)))
	}
	// The classic: the public key, in each form it is known in, as HMAC secret.
	for _, secret := range [][]byte{f.public.JWK(), []byte(f.public.ID()), []byte(f.public.Thumbprint())} {
		for _, alg := range []string{"HS256", "HS384", "HS512", "ES256"} {
			text := b64([]byte(strings.Replace(f.header(""), "ES256", alg, 1))) + "." + payload
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(text))
			forgeries = append(forgeries, text+"."+b64(mac.Sum(nil)))
		}
	}
	for _, raw := range forgeries {
		if c, err := f.verifier.Verify(raw); err == nil {
			t.Errorf("%s: accepted as %+v", raw, c)
		}
	}
}

// req: JWT-4
func TestEmbeddedKeyForgery(t *testing.T) {
	// A token that is perfect under the key it brings, with that key's own id and
	// with the id of ours.
	f, thief := newForge(t), newForge(t)
	for _, kid := range []string{thief.public.ID(), f.public.ID()} {
		for _, more := range []string{
			`,"jwk":` + string(thief.public.JWK()),
			`,"jku":"http://127.0.0.1:1/keys"`,
			`,"x5u":"http://127.0.0.1:1/cert"`,
			`,"x5c":["` + base64.StdEncoding.EncodeToString([]byte("certificate")) + `"]`,
		} {
			header := fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":%q%s}`, kid, more)
			if _, err := f.verifier.Verify(thief.sign(t, header, claims(nil))); cause(t, err) != token.CauseHeader {
				t.Errorf("%s: %v", more, err)
			}
		}
	}
}
