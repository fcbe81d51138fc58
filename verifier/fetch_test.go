package verifier_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// endless is a body without an end.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read.Add(int64(len(p)))
	copy(p, bytes.Repeat([]byte(" "), len(p)))
	return len(p), nil
}

// say answers with a body as JSON.
func say(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}
}

// req: JWT-30
func TestBrokenIssuersAreNamedAndRefused(t *testing.T) {
	key, err := token.GenerateKey(token.ES256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	jwk := string(key.Public().JWK())
	for _, test := range []struct {
		name, address string
		answer        http.HandlerFunc
		want          string // in the error
	}{
		{"a page instead of keys", keysAddress, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "<html>Sign in to the hotel's network")
		}, `it answered with "text/html" instead of application/jwk-set+json`},
		{"a page instead of metadata", metadataAddress, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
		}, `it answered with "text/html" instead of application/json`},
		{"no content type", keysAddress, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, `{"keys":[]}`)
		}, `it answered with "" instead of`},
		{"a page that says it is JSON", keysAddress, say("<html>"), "reading the key set at " + keysAddress},
		{"a huge key set", keysAddress, say(`{"keys":[` + strings.Repeat(jwk+",", 500) + jwk + `]}`), "longer than 64 KiB"},
		{"huge metadata", metadataAddress, say(`{"x":"` + strings.Repeat("x", 70_000) + `"}`), "longer than 64 KiB"},
		{"a redirect", keysAddress, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/jwks.json", http.StatusFound)
		}, "a redirect (302), which is not followed"},
		{"a redirect on the same host", metadataAddress, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, keysAddress, http.StatusPermanentRedirect)
		}, "a redirect (308), which is not followed"},
		{"nothing there", keysAddress, http.NotFound, "status 404"},
		{"an error", metadataAddress, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, "status 503"},
		{"unchanged, though nothing is known", keysAddress, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(304) }, "a redirect (304)"},
		{"never an answer", keysAddress, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "did not answer in time"},
		{"two keys of one id", keysAddress, say(`{"keys":[` + jwk + `,` + jwk + `]}`), "its kid occurs twice"},
		{"a symmetric key", keysAddress, say(`{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}`), "reading the key set"},
		{"a private key", keysAddress, say(`{"keys":[` + strings.TrimSuffix(jwk, "}") + `,"d":"AAAA"}]}`), "reading the key set"},
		{"a point off the curve", keysAddress, say(`{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"a","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}]}`), "reading the key set"},
		{"another issuer", metadataAddress, say(`{"issuer":"https://id.example/","jwks_uri":"` + keysAddress + `"}`), "those of another issuer"},
	} {
		bubble(test.name, t, func(t *testing.T) {
			i := newIssuer(t, token.KeysConfig{})
			i.instead[test.address] = test.answer
			v := open(t, i.config())
			start := time.Now()
			err := v.Ready(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
			if err := i.good(v); cause(err) != verifier.CauseKeys {
				t.Errorf("a token: %v", err)
			}
		})
	}
}

// A key set without an end is left after the limit, whatever length it claims.
func TestEndlessAnswerIsLeft(t *testing.T) {
	body := &endless{}
	i := newIssuer(t, token.KeysConfig{})
	cfg := i.config()
	cfg.Transport = transport(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/.well-known/jwks.json" {
			return i.RoundTrip(r)
		}
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1, Body: io.NopCloser(body), Request: r}, nil
	})
	if err := open(t, cfg).Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "longer than 64 KiB") {
		t.Errorf("got %v", err)
	}
	if n := body.read.Load(); n > 256<<10 {
		t.Errorf("%d bytes were read", n)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A body that trickles in keeps nobody longer than the timeout.
func TestTricklingAnswerEndsAtTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		cfg := i.config()
		cfg.Transport = transport(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1, Request: r,
				Body: io.NopCloser(reader(func(p []byte) (int, error) {
					select {
					case <-r.Context().Done():
						return 0, r.Context().Err()
					case <-time.After(100 * time.Millisecond):
						p[0] = ' '
						return 1, nil
					}
				})),
			}, nil
		})
		v, start := open(t, cfg), time.Now()
		err := v.Ready(t.Context())
		if err == nil || !strings.Contains(err.Error(), "did not answer in time") || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

type reader func([]byte) (int, error)

func (f reader) Read(p []byte) (int, error) { return f(p) }

// No certificate of an unknown authority is accepted, and no field of the
// configuration changes that.
//
// req: CLIENT-13
func TestIssuerNeedsACertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	v := open(t, verifier.Config{Issuer: srv.URL, Audience: testAudience, SkipRevocationCheck: true})
	if err := v.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	for _, cfg := range []reflect.Type{reflect.TypeFor[verifier.Config](), reflect.TypeFor[verifier.Introspection](), reflect.TypeFor[api.ClientConfig]()} {
		for f := range cfg.Fields() {
			if strings.Contains(f.Name, "TLS") || strings.Contains(f.Name, "Insecure") || strings.Contains(f.Name, "Certificate") {
				t.Errorf("%s.%s: an option to check less", cfg, f.Name)
			}
		}
	}
}

// Over real connections, with the client's own transport.
func TestKeySetOverTheNetwork(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	var srv *httptest.Server
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server/tenant", func(w http.ResponseWriter, r *http.Request) {
		say(fmt.Sprintf(`{"issuer":"%s/tenant","jwks_uri":"%s/keys"}`, srv.URL, srv.URL))(w, r)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) { i.answer(w, r, keysAddress) })
	srv = httptest.NewServer(mux)
	defer srv.Close()
	signer, err := token.NewIssuer(token.IssuerConfig{Issuer: srv.URL + "/tenant", Keys: i.keys})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signer.Issue(i.claims(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, verifier.Config{Issuer: srv.URL + "/tenant", Audience: testAudience, SkipRevocationCheck: true})
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Error(err)
	}
	srv.Close()
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Errorf("with the issuer gone: %v", err)
	}
}

// Every fetch brings another set: keys that are gone stop to count, and the work
// stays one fetch per interval.
func TestSetThatChangesWildlyCostsOneFetchPerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		var current atomic.Pointer[issuer]
		i.instead[keysAddress] = func(w http.ResponseWriter, r *http.Request) {
			next := stranger(t)
			current.Store(next)
			next.answer(w, r, keysAddress)
		}
		v := open(t, i.config())
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		forger := stranger(t)
		bad := forger.token(forger.claims(time.Now()))
		gone := 0
		for range 100 {
			holder := current.Load()
			raw := holder.token(holder.claims(time.Now()))
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Fatalf("a token under the key of the day: %v", err)
			}
			if _, err := v.Verify(t.Context(), bad); cause(err) != verifier.CauseBadToken {
				t.Fatalf("a forged token: %v", err)
			}
			if current.Load() != holder {
				gone++
				if _, err := v.Verify(t.Context(), raw); cause(err) != verifier.CauseBadToken {
					t.Fatalf("a token under a key that is gone: %v", err)
				}
			}
			time.Sleep(time.Second)
		}
		if gone < 10 {
			t.Errorf("the set changed %d times only", gone)
		}
		if n := i.asked.Load(); n > 1+100/5+1 {
			t.Errorf("%d fetches in 100 seconds", n)
		}
	})
}

func TestErrorsOfAllKindsAreRefusals(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	i.down.Store(true)
	err := i.good(open(t, i.config()))
	if _, ok := errors.AsType[*verifier.Refused](err); !ok || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%#v", err)
	}
}
