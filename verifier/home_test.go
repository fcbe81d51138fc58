package verifier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/revocation/publish"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

const homeBound = time.Second

// home is an issuer as it is: a manager, its feed, its keys and introspection, on
// an address of this machine. It is also the transport of services, whose lines
// can be cut.
type home struct {
	t       testing.TB
	m       *lanyard.Manager
	keys    *token.KeySet
	url     string
	srv     *httptest.Server
	cut     atomic.Bool                      // lines to the feed carry nothing
	away    atomic.Bool                      // and to everything else neither
	inquiry atomic.Int64                     // introspections
	fetched atomic.Int64                     // key sets
	stream  atomic.Pointer[http.HandlerFunc] // in place of the feed's
}

func newHome(t testing.TB) *home { return newHomeWith(t, homeBound) }

func newHomeWith(t testing.TB, bound time.Duration) *home {
	t.Helper()
	h := &home{t: t}
	mux := http.NewServeMux()
	h.srv = httptest.NewServer(mux)
	h.url = h.srv.URL
	var err error
	if h.keys, err = token.NewKeySet(token.KeysConfig{}); err != nil {
		t.Fatal(err)
	}
	feed, err := publish.New(publish.Config{Issuer: h.url, Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	h.m, err = lanyard.New(memory.New(), lanyard.Config{Issuer: h.url, RevocationBound: bound, Feed: feed, TokenKeys: h.keys})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"introspection_endpoint":%q}`, h.url, h.url+"/jwks", h.url+"/introspect")
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, r *http.Request) {
		h.fetched.Add(1)
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(h.keys.JWKS(time.Now()))
	})
	for pattern, answer := range map[string]http.HandlerFunc{
		"POST /introspect": h.introspect,
		"GET /feed": func(w http.ResponseWriter, r *http.Request) {
			if instead := h.stream.Load(); instead != nil {
				(*instead)(w, r)
				return
			}
			feed.Stream(ctx, w, r)
		},
		"GET /feed/snapshot": feed.Snapshot,
		"POST /feed/ack":     func(w http.ResponseWriter, r *http.Request) { feed.Ack(w, r, "orders") },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if user, secret, _ := r.BasicAuth(); user != "orders" || secret != "s%26cret" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			answer(w, r)
		})
	}
	var running sync.WaitGroup
	running.Go(func() { h.m.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait(); h.srv.CloseClientConnections(); h.srv.Close() })
	return h
}

func (h *home) introspect(w http.ResponseWriter, r *http.Request) {
	h.inquiry.Add(1)
	_, _, err := h.m.CheckAccess(r.Context(), r.PostFormValue("token"))
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]bool{"active": err == nil})
}

// RoundTrip implements [http.RoundTripper].
func (h *home) RoundTrip(r *http.Request) (*http.Response, error) {
	if feed := strings.HasPrefix(r.URL.Path, "/feed"); feed && h.cut.Load() || !feed && h.away.Load() {
		return nil, io.ErrUnexpectedEOF
	}
	return http.DefaultTransport.RoundTrip(r)
}

// cutOff breaks the lines to the feed until they are mended.
func (h *home) cutOff() {
	h.cut.Store(true)
	h.srv.CloseClientConnections()
}

// config is that of a service which follows the feed.
func (h *home) config() verifier.Config {
	return verifier.Config{
		Issuer: h.url, Audience: h.url, Feed: h.url + "/feed", Credentials: verifier.Credentials{ClientID: "orders", Secret: "s&cret"}, Transport: h,
	}
}

// begin makes a verifier and runs it until the test ends.
func (h *home) begin(cfg verifier.Config) *verifier.Verifier {
	h.t.Helper()
	v := open(h.t, cfg)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { v.Run(ctx) })
	h.t.Cleanup(func() { stop(); running.Wait() })
	return v
}

// run is begin, and waits until the verifier is in step.
func (h *home) run(cfg verifier.Config) *verifier.Verifier {
	h.t.Helper()
	v := h.begin(cfg)
	h.ready(v)
	return v
}

func (h *home) ready(v *verifier.Verifier) {
	h.t.Helper()
	if err := v.Ready(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) login(subject string) *lanyard.Grant {
	h.t.Helper()
	g, err := h.m.Start(h.t.Context(), lanyard.Login{Subject: subject, Methods: []string{"pwd"}, Channel: lanyard.ChannelToken})
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// token is that of a new session.
func (h *home) token(subject string) string { return h.login(subject).Access.Reveal() }

// end ends the sessions of a subject at the issuer, not strictly.
func (h *home) end(subject string) {
	h.t.Helper()
	if _, err := h.m.EndAll(h.t.Context(), subject, lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
		h.t.Fatal(err)
	}
}

// within polls until ok, and fails after the time.
func (h *home) within(d time.Duration, what string, ok func() bool) {
	h.t.Helper()
	for over := time.Now().Add(d); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(over) {
			h.t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// patience is how long a busy machine may take for something that no promise is
// made about.
const patience = 20 * time.Second

// judged is the cause of a refusal of the token, empty if it is accepted.
func judged(t testing.TB, v *verifier.Verifier, raw string) verifier.Cause {
	_, err := v.Verify(t.Context(), raw)
	return cause(err)
}

// settled is judged once that can be told: on a crowded machine a verifier is
// blind for a moment now and then.
func settled(t testing.TB, v *verifier.Verifier, raw string) verifier.Cause {
	for over := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if c := judged(t, v, raw); c != verifier.CauseRevocation || time.Now().After(over) {
			return c
		}
	}
}

func isBlind(v *verifier.Verifier) bool { return v.Status().State == revocation.Blind }

// diary is a log that can be read while it is written.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(b)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

func (d *diary) logger() *slog.Logger { return slog.New(slog.NewTextHandler(d, nil)) }
