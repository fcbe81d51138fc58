package api_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/server"
)

// site is a real server on loopback, with a user and a clock that can be moved.
type site struct {
	url      string
	password string
	refresh  atomic.Int32 // calls to the token endpoint
	ahead    atomic.Int64
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

func open(t *testing.T, change ...func(*server.Config)) *site {
	t.Helper()
	s := &site{}
	var handler http.Handler
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth2/token" {
			s.refresh.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(ts.Close)
	s.url = ts.URL
	cfg := server.Config{
		Listen: "127.0.0.1:8080", Issuer: s.url, Data: t.TempDir(), Store: "memory:", Profile: "standard", RevocationBound: 2 * time.Second,
		ServiceName: "lanyard", PasswordMinLength: 15, LogLevel: "error", LogFormat: "text",
	}
	for _, f := range change {
		f(&cfg)
	}
	srv, err := server.Open(context.Background(), cfg, server.Options{
		Drivers: server.Drivers{SQLite: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) }}, Now: s.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	admin, err := srv.FirstStart(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	s.password = admin.Password.Reveal()
	handler = srv.Handler()
	return s
}

func (s *site) client(t *testing.T, cfg api.ClientConfig) *api.Client {
	t.Helper()
	cfg.Base, cfg.Now = s.url, s.now
	c, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// req: CLIENT-6
func TestManyCallersOfOneClientCauseOneRefresh(t *testing.T) {
	s := open(t)
	kept := ""
	c := s.client(t, api.ClientConfig{Keep: func(token string) error { kept = token; return nil }})
	if _, err := c.SignIn(t.Context(), "admin", s.password, "test"); err != nil {
		t.Fatal(err)
	}
	first := kept
	s.ahead.Store(int64(5 * time.Minute))
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if v, err := c.Session(t.Context()); err != nil || v.Subject != "admin" {
				t.Errorf("session: %+v, %v", v, err)
			}
		})
	}
	wg.Wait()
	if n := s.refresh.Load(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	if kept == first || kept == "" {
		t.Error("the new refresh token was not handed to Keep")
	}

	again := s.client(t, api.ClientConfig{RefreshToken: kept})
	if v, err := again.Session(t.Context()); err != nil || v.Device != "test" {
		t.Errorf("going on with a kept refresh token: %+v, %v", v, err)
	}
}

func TestAnEndedSessionIsSaidToBeSignedOut(t *testing.T) {
	s := open(t)
	a, b := s.client(t, api.ClientConfig{}), s.client(t, api.ClientConfig{})
	for _, c := range []*api.Client{a, b} {
		if _, err := c.SignIn(t.Context(), "admin", s.password, ""); err != nil {
			t.Fatal(err)
		}
	}
	list, err := a.Sessions(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("sessions: %v, %v", list, err)
	}
	for _, one := range list {
		if !one.Current {
			if err := a.End(t.Context(), one.SID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := b.Session(t.Context()); !errors.Is(err, api.ErrSignedOut) {
		t.Errorf("the ended client got %v, want ErrSignedOut", err)
	}
	if err := a.SignOut(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := a.Session(t.Context()); !errors.Is(err, api.ErrSignedOut) {
		t.Errorf("after signing out: %v, want ErrSignedOut", err)
	}
}

func TestAServerThatCannotBeReachedLosesNothing(t *testing.T) {
	s := open(t)
	broken := atomic.Bool{}
	c := s.client(t, api.ClientConfig{HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if broken.Load() {
			return nil, errors.New("network is down")
		}
		return http.DefaultTransport.RoundTrip(r)
	})}})
	if _, err := c.SignIn(t.Context(), "admin", s.password, ""); err != nil {
		t.Fatal(err)
	}
	s.ahead.Store(int64(5 * time.Minute))
	broken.Store(true)
	if _, err := c.Session(t.Context()); err == nil || errors.Is(err, api.ErrSignedOut) {
		t.Errorf("without a network: %v", err)
	}
	broken.Store(false)
	if _, err := c.Session(t.Context()); err != nil {
		t.Errorf("with the network back: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// req: CLIENT-7
func TestATokenFollowsNoRedirect(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(leaked.Load() || r.Header.Get("Authorization") != "")
	}))
	defer other.Close()
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/login" {
			w.Write([]byte(`{"access_token":"a","token_type":"Bearer","expires_in":300,"refresh_token":"r","session":{}}`))
			return
		}
		http.Redirect(w, r, other.URL+"/steal", http.StatusTemporaryRedirect)
	}))
	defer ts.Close()
	c, err := api.NewClient(api.ClientConfig{Base: ts.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignIn(t.Context(), "a", "b", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Session(t.Context()); err == nil {
		t.Error("a redirect was taken for an answer")
	}
	if leaked.Load() {
		t.Error("the token went to another origin")
	}
	if err := c.Call(t.Context(), "GET", "//evil.example/x", nil, nil); err == nil {
		t.Error("a path that names another host was called")
	}
}

// req: CLIENT-5
func TestTokensOfAnotherTypeAreDiscarded(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"access_token":"a","token_type":"DPoP","expires_in":300,"refresh_token":"r","session":{}}`))
	}))
	defer ts.Close()
	c, err := api.NewClient(api.ClientConfig{Base: ts.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignIn(t.Context(), "a", "b", ""); err == nil || !strings.Contains(err.Error(), "DPoP") {
		t.Errorf("signing in: %v", err)
	}
	if _, err := c.Token(t.Context()); !errors.Is(err, api.ErrSignedOut) {
		t.Errorf("the token was kept: %v", err)
	}
}

func TestBadAddressesAreRefused(t *testing.T) {
	for _, base := range []string{"", "app.example", "http://app.example", "https://u@app.example", "https://app.example?x=1", "ftp://localhost"} {
		if _, err := api.NewClient(api.ClientConfig{Base: base}); err == nil || !strings.Contains(err.Error(), "Base") {
			t.Errorf("base %q: %v", base, err)
		}
	}
}
