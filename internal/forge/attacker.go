package forge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Attacker is what the tokens are made from: a token that is good, the key that
// everybody can fetch, and a key of the attacker's own. Some rows are about
// tokens that only the issuer's own key can make, for another purpose or another
// time; Issuer makes them.
type Attacker struct {
	Good   string            // an access token that the verifier accepts
	Issuer *ecdsa.PrivateKey // the P-256 key that signed it
	Now    time.Time         // the verifier's clock
	Lure   string            // an address that must never be fetched

	own *ecdsa.PrivateKey
}

// New returns an attacker with a key of his own.
func New(good string, issuer *ecdsa.PrivateKey, now time.Time, lure string) (*Attacker, error) {
	if strings.Count(good, ".") != 2 {
		return nil, fmt.Errorf("the good token has not three parts")
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Attacker{good, issuer, now, lure, own}, nil
}

// b64 is base64url without padding.
func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// part returns part i of the good token, decoded.
func (a *Attacker) part(i int) []byte {
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(a.Good, ".")[i])
	if err != nil {
		panic(err) // the verifier accepted it
	}
	return b
}

// changed returns part i of the good token with members replaced; nil removes.
func (a *Attacker) changed(i int, members map[string]any) string {
	var all map[string]any
	d := json.NewDecoder(strings.NewReader(string(a.part(i))))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		panic(err)
	}
	maps.Copy(all, members)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(all)
	if err != nil {
		panic(err) // a mistake in a table
	}
	return string(b)
}

func (a *Attacker) header(members map[string]any) string { return a.changed(0, members) }
func (a *Attacker) claims(members map[string]any) string { return a.changed(1, members) }

// kid is the id of the issuer's key.
func (a *Attacker) kid() string {
	var h struct{ Kid string }
	if err := json.Unmarshal(a.part(0), &h); err != nil {
		panic(err)
	}
	return h.Kid
}

// signed is header and payload under a key.
func signed(key *ecdsa.PrivateKey, header, payload string) string {
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + b64(sig)
}

// byIssuer signs with the key that the verifier trusts, byAttacker with another.
func (a *Attacker) byIssuer(header, payload string) string { return signed(a.Issuer, header, payload) }
func (a *Attacker) byAttacker(header, payload string) string {
	return signed(a.own, header, payload)
}

// unsigned puts any bytes where the signature goes.
func (a *Attacker) unsigned(header, payload string, sig []byte) string {
	return b64([]byte(header)) + "." + b64([]byte(payload)) + "." + b64(sig)
}

// publicForms are the ways in which a public key is written down, any of which
// may be a confused verifier's HMAC secret. The last is what comes of recovering
// the key from signatures.
func (a *Attacker) publicForms() [][]byte {
	der, err := x509.MarshalPKIXPublicKey(&a.Issuer.PublicKey)
	if err != nil {
		panic(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return [][]byte{[]byte(jwk(&a.Issuer.PublicKey)), text, []byte(strings.TrimSpace(string(text))), der, point(&a.Issuer.PublicKey)}
}

// point is the uncompressed form of a public key.
func point(pub *ecdsa.PublicKey) []byte {
	b, err := pub.Bytes()
	if err != nil {
		panic(err)
	}
	return b
}

func jwk(pub *ecdsa.PublicKey) string {
	p := point(pub)
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, b64(p[1:33]), b64(p[33:]))
}
