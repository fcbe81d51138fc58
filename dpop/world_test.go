package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// checker makes a Checker whose memory is local, and whose clock stands at start
// unless c has another.
func checker(t testing.TB, c dpop.Config) *dpop.Checker {
	t.Helper()
	if c.Now == nil {
		c.Now = func() time.Time { return start }
	}
	if c.Memory == nil {
		m, err := dpop.NewLocalMemory(1 << 16)
		if err != nil {
			t.Fatal(err)
		}
		c.Memory = m
	}
	k, err := dpop.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// object is a JSON object in the making.
type object map[string]any

// with returns a copy with other members; nil takes one away.
func (o object) with(other object) object {
	c := maps.Clone(o)
	for name, v := range other {
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
	}
	return c
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jwk(k *ecdsa.PrivateKey) object {
	point, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return object{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

// forge signs any header and claims: what a client or an attacker could send.
func forge(t testing.TB, key crypto.Signer, header, claims any) string {
	t.Helper()
	h, err1 := json.Marshal(header)
	c, err2 := json.Marshal(claims)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return forgeText(t, key, string(h), string(c))
}

func forgeText(t testing.TB, key crypto.Signer, header, claims string) string {
	t.Helper()
	text := b64([]byte(header)) + "." + b64([]byte(claims))
	return text + "." + b64(signature(t, key, []byte(text)))
}

func signature(t testing.TB, key crypto.Signer, text []byte) []byte {
	t.Helper()
	if ed, ok := key.(ed25519.PrivateKey); ok {
		return ed25519.Sign(ed, text)
	}
	h := crypto.SHA256.New()
	h.Write(text)
	r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return raw
}

// why returns the cause of a refusal, or "" of nil, and fails on other errors.
func why(t testing.TB, err error) dpop.Cause {
	t.Helper()
	if err == nil {
		return ""
	}
	r, ok := errors.AsType[*dpop.Refused](err)
	if !ok {
		t.Fatalf("not a refusal: %v", err)
	}
	return r.Why
}
