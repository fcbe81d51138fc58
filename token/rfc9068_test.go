package token_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// The example of RFC 9068 section 2.2 prints header and claims but no signature,
// so the test signs them, with the key id and the letter case of typ as printed.
//
// req: JWT-7
func TestExampleOfRFC9068(t *testing.T) {
	const (
		header = `{"typ":"at+JWT","alg":"RS256","kid":"RjEwOwOA"}`
		claims = `{
    "iss": "https://authorization-server.example.com/",
    "sub": "5ba552d67",
    "aud": "https://rs.example.com/",
    "exp": 1639528912,
    "iat": 1618354090,
    "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
    "client_id": "s6BhdRkqt3",
    "scope": "openid profile reademail"
  }`
	)
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(b64([]byte(header)) + "." + b64([]byte(claims))))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "kid": "RjEwOwOA", "alg": "RS256", "use": "sig", "n": b64(key.N.Bytes()), "e": "AQAB",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.ParseJWKS(set)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(token.VerifierConfig{
		Issuer: "https://authorization-server.example.com/", Audience: "https://rs.example.com/",
		Keys: keys, AllowRS256: true, Now: clock(time.Unix(1618354100, 0)),
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.Verify(b64([]byte(header)) + "." + b64([]byte(claims)) + "." + b64(sig))
	if err != nil {
		t.Fatal(cause(t, err))
	}
	if c.Subject != "5ba552d67" || c.ClientID != "s6BhdRkqt3" || c.ID != "dbe39bf3a3ba4238a513f51d6e1691c4" || !c.HasScope("reademail") ||
		!c.Expiry.Equal(time.Unix(1639528912, 0)) || !c.IssuedAt.Equal(time.Unix(1618354090, 0)) {
		t.Errorf("read as %+v", *c)
	}
}
