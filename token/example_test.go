package token_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// A server opens its keys, issues a token and publishes the key set; a service
// reads the key set and verifies the token.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	keys, err := token.OpenKeys(filepath.Join(dir, "keys"), token.KeysConfig{})
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: "https://id.example.com", Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now()
	raw, err := issuer.Issue(token.Claims{
		Subject:  "u-4711",
		Audience: []string{"https://api.example.com"},
		ClientID: "web",
		ID:       "n3Vx0k2Jm8s1Qp7ZtYb4Lw", // 128 random bits in real life
		SID:      "0199f0a2b3c4d5e6f708192a3b4c5d6e",
		IssuedAt: now,
		Expiry:   now.Add(5 * time.Minute),
		Scope:    "read",
	})
	if err != nil {
		log.Fatal(err)
	}

	published, err := token.ParseJWKS(keys.JWKS(now))
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Issuer:   "https://id.example.com",
		Audience: "https://api.example.com",
		Keys:     published,
	})
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Verify(raw)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject, claims.HasScope("read"), claims.HasScope("write"))

	_, err = verifier.Verify(raw[:len(raw)-4] + "AAAA")
	fmt.Println(err)
	if refusal, ok := errors.AsType[*token.Error](err); ok {
		fmt.Println("for the log:", refusal.Cause)
	}
	// Output:
	// u-4711 true false
	// token: invalid token
	// for the log: signature
}

// A rotation announces the next key before it signs, and keeps the old one
// published until its last token is dead.
func ExampleKeySet_Rotate() {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	keys, err := token.NewKeySet(token.KeysConfig{Now: func() time.Time { return now }})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := keys.Rotate(); err != nil {
		log.Fatal(err)
	}
	for _, wait := range []time.Duration{0, 10 * time.Minute, 30 * time.Minute} {
		now = now.Add(wait)
		var phases []string
		for _, k := range keys.List(now) {
			phases = append(phases, string(k.Phase))
		}
		fmt.Println(now.Format("15:04"), strings.Join(phases, ", "))
	}
	// Output:
	// 12:00 signing, announced
	// 12:10 retired, signing
	// 12:40 removed, signing
}

// Inspect tells a person what is wrong with a token, without any key.
func ExampleInspect() {
	const raw = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJyb290In0."
	fmt.Print(token.Inspect(raw, time.Now()))
	// Output:
	// ! its signature is empty [RFC 8725 section 3.2]
	// ! alg is "none": it is not signed at all [RFC 8725 section 3.2]
	// ! typ is "JWT", another kind of token; an access token says at+jwt [RFC 9068 section 4]
	// ! kid is missing, so no key can be chosen [RFC 7515 section 4.1.4]
	// ! the claim iss is missing [RFC 9068 section 2.2]
	// ! the claim aud is missing [RFC 9068 section 2.2]
	// ! the claim client_id is missing [RFC 9068 section 2.2]
	// ! the claim jti is missing [RFC 9068 section 2.2]
	// ! the claim iat is missing [RFC 9068 section 2.2]
	// ! the claim exp is missing [RFC 9068 section 2.2]
	//   the signature was not checked: no keys were given [RFC 7515 section 5.2]
	//   whether its session has ended is known to the issuer alone [RFC 9068 section 4]
}
