package verifier_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

const (
	testIssuer   = "https://id.example"
	testAudience = "https://orders.example"

	metadataAddress = testIssuer + "/.well-known/oauth-authorization-server"
	keysAddress     = testIssuer + "/.well-known/jwks.json"
	askAddress      = testIssuer + "/oauth2/introspect"
)

// issuer signs tokens and answers for its keys, in this process: it is also the
// transport on which its requests arrive.
type issuer struct {
	t       testing.TB
	keys    *token.KeySet
	sign    *token.Issuer
	serial  atomic.Int64
	instead map[string]http.HandlerFunc // by address, in place of the usual answer
	down    atomic.Bool
	asked   atomic.Int64 // requests for the key set
	inquiry atomic.Int64 // introspections
	ended   atomic.Bool  // introspection says that tokens are dead
}

// newIssuer is an issuer with these keys, or with one of its own.
func newIssuer(t testing.TB, cfg token.KeysConfig, keys ...*token.Key) *issuer {
	t.Helper()
	i := &issuer{t: t, instead: map[string]http.HandlerFunc{}}
	var err error
	if i.keys, err = token.NewKeySet(cfg, keys...); err != nil {
		t.Fatal(err)
	}
	if i.sign, err = token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: i.keys, Now: cfg.Now}); err != nil {
		t.Fatal(err)
	}
	return i
}

// RoundTrip implements [http.RoundTripper].
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.down.Load() {
		return nil, io.ErrUnexpectedEOF
	}
	w := httptest.NewRecorder()
	address := "https://" + r.URL.Host + r.URL.Path
	if address == keysAddress {
		i.asked.Add(1)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if h := i.instead[address]; h != nil {
			h(w, r)
			return
		}
		i.answer(w, r, address)
	}()
	select {
	case <-done:
		res := w.Result()
		res.Request = r
		return res, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (i *issuer) answer(w http.ResponseWriter, r *http.Request, address string) {
	switch address {
	case metadataAddress:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"introspection_endpoint":%q}`, testIssuer, keysAddress, askAddress)
	case keysAddress:
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Write(i.keys.JWKS(time.Now()))
	case askAddress:
		i.inquiry.Add(1)
		if user, secret, _ := r.BasicAuth(); user != "orders" || secret != "s%26cret" || r.PostFormValue("token") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"active":%t}`, !i.ended.Load())
	default:
		http.NotFound(w, r)
	}
}

// claims are those of a person who has just signed in.
func (i *issuer) claims(now time.Time) token.Claims {
	return token.Claims{
		Subject: "ann", Audience: []string{testAudience}, ClientID: "web", ID: fmt.Sprintf("%022d", i.serial.Add(1)),
		SID: "0199f0a2b3c4d5e6f708192a3b", Generation: 1, IssuedAt: now, Expiry: now.Add(5 * time.Minute),
		AuthTime: now, ACR: "aal1", AMR: []string{"pwd"}, Scope: "orders:read",
	}
}

func (i *issuer) token(c token.Claims) string {
	i.t.Helper()
	raw, err := i.sign.Issue(c)
	if err != nil {
		i.t.Fatal(err)
	}
	return raw
}

// config is that of a service which takes the issuer's tokens.
func (i *issuer) config() verifier.Config {
	return verifier.Config{Issuer: testIssuer, Audience: testAudience, SkipRevocationCheck: true, Transport: i}
}

func open(t testing.TB, cfg verifier.Config) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// good reports whether the verifier takes a new token.
func (i *issuer) good(v *verifier.Verifier) error {
	i.t.Helper()
	_, err := v.Verify(i.t.Context(), i.token(i.claims(time.Now())))
	return err
}

// cause returns why err is a refusal.
func cause(err error) verifier.Cause {
	if r, ok := err.(*verifier.Refused); ok {
		return r.Cause
	}
	return ""
}

// stranger signs tokens like the issuer's with a key that is not the issuer's.
func stranger(t testing.TB) *issuer { return newIssuer(t, token.KeysConfig{}) }
