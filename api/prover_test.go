package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/server"
)

func someKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestClientWithAKeyIsBoundToIt(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"without nonces": func(*server.Config) {},
		"with nonces":    func(c *server.Config) { c.DPoPNonce = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, change)
			key := someKey(t)
			var kept string
			c := s.client(t, api.ClientConfig{Key: key, Keep: func(refresh string) error { kept = refresh; return nil }})
			in, err := c.SignIn(t.Context(), "admin", s.password, "robot")
			if err != nil {
				t.Fatal(err)
			}
			if in.Binding != "dpop" {
				t.Fatalf("bound by %s", in.Binding)
			}
			if list, err := c.Sessions(t.Context()); err != nil || len(list) != 1 {
				t.Fatalf("%d sessions, %v", len(list), err)
			}
			s.ahead.Add(int64(10 * time.Minute)) // the access token and every nonce are too old
			if _, err := c.Session(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Elevate(t.Context(), s.password); err != nil {
				t.Fatal(err)
			}
			// A thief has the refresh token and a key of his own.
			thief := s.client(t, api.ClientConfig{Key: someKey(t), RefreshToken: kept})
			if _, err := thief.Session(t.Context()); !errors.Is(err, api.ErrSignedOut) {
				t.Errorf("the thief: %v", err)
			}
			bare := s.client(t, api.ClientConfig{RefreshToken: kept})
			if f, ok := errors.AsType[*api.Failed](func() error { _, err := bare.Session(t.Context()); return err }()); !ok || f.Code != "invalid_dpop_proof" {
				t.Errorf("without a key: %v", f)
			}
			again := s.client(t, api.ClientConfig{Key: key, RefreshToken: kept})
			if _, err := again.Session(t.Context()); err != nil {
				t.Errorf("the owner's next run: %v", err)
			}

			// A request that the program makes itself.
			for attempt := 0; ; attempt++ {
				r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v1/session", nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := again.Authorize(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				a, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				a.Body.Close()
				if a.StatusCode == http.StatusOK {
					break
				}
				if !again.Learn(a) || attempt > 0 {
					t.Fatalf("answered %d", a.StatusCode)
				}
			}
			if err := again.SignOut(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestClientWithAKeyTakesNoBearerTokens(t *testing.T) {
	s := open(t, func(c *server.Config) { c.Binding = "off" })
	_, err := s.client(t, api.ClientConfig{Key: someKey(t)}).SignIn(t.Context(), "admin", s.password, "")
	if err == nil || !strings.Contains(err.Error(), "want DPoP") {
		t.Errorf("got %v", err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.NewClient(api.ClientConfig{Base: "https://app.example", Key: p384}); err == nil || !strings.Contains(err.Error(), "ClientConfig.Key") {
		t.Errorf("got %v", err)
	}
}
